"""Projects, scenes and segments of a benchmark: one giant project with two fifths of all segments, the rest of 1,000.

mostly scenes of one chain of four segments; some of three such chains; a few long ones of a hundred
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

GIANT_SHARE = 0.4
PROJECT = 1000
TAKES = 2
WIDTH, HEIGHT = 832, 480
INPUTS = 8
LONG, SEVERAL, CHAIN = 100, 12, 4
SCENES_AT_ONCE = 20
"""Users work on one project for a while: this many scenes are recorded before another project's turn."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene, with the number of its first segment and the lengths of its chains."""

    id: int
    project_id: int
    position: int
    first_segment: int
    chains: tuple[int, ...]

    @property
    def length(self) -> int:
        """How many segments it has."""
        return sum(self.chains)


@dataclass(frozen=True)
class Layout:
    """What there is to record."""

    segments: int
    projects: tuple[int, ...]  # how many segments each has; the giant one first
    scenes: tuple[Scene, ...]

    @property
    def history(self) -> Iterator[Scene]:
        """The scenes in the order of their recording, mixed deterministically."""
        blocks = [self.scenes[start : start + SCENES_AT_ONCE] for start in range(0, len(self.scenes), SCENES_AT_ONCE)]
        random.Random(len(self.scenes)).shuffle(blocks)
        return (scene for block in blocks for scene in block)


def layout(receipts: int) -> Layout:
    """Return the layout for ``receipts`` receipts, two of each segment."""
    segments = receipts // TAKES
    giant = int(segments * GIANT_SHARE)
    rest = segments - giant
    projects = (giant, *(min(PROJECT, rest - start) for start in range(0, rest, PROJECT)))
    draw = random.Random(segments)
    scenes: list[Scene] = []
    first = 1
    for project_id, length in enumerate(projects, 1):
        position, last = 0, first + length
        while first < last:
            position += 1
            chains = _chains(draw, last - first)
            scenes.append(Scene(len(scenes) + 1, project_id, position, first, chains))
            first += sum(chains)
    return Layout(segments, projects, tuple(scenes))


def _chains(draw: random.Random, room: int) -> tuple[int, ...]:
    kind = draw.random()
    if kind < 0.0035 and room >= LONG:
        return (LONG,)
    if kind < 0.09 and room >= SEVERAL:
        return (CHAIN,) * (SEVERAL // CHAIN)
    return (min(CHAIN, room),)
