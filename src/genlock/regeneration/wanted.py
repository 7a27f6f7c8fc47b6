"""What is wanted: the engine, inputs and parameters of a step, and the digest that tells whether a take is it. Pure.

    receipt of the selected take ──▶ judged inputs brought to their expected versions ──▶ wish ──▶ inputs digest
                                     waived ones stay; the frame is the predecessor's

A wish may be open: a version that an earlier step of the plan makes, or the frame of a take that an earlier step
renders, is filled in when the step starts. Until then it has no digest.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Literal

from genlock.digest import Digest
from genlock.model import MAX_SEED, Model
from genlock.takes import receipt
from genlock.takes.claim import InputRole, Regenerates
from genlock.takes.claim_resolution import LAST_FRAME
from genlock.takes.receipt import Input

Open = Literal["version", "frame"]


class WishedInput(Input):
    """One input of a wish. ``open``: what is known only when the step starts.

    ``continues`` marks the frame of the segment before, which is read when the step starts even if it was known.
    """

    open: Open | None = None
    continues: bool = False


class Wish(Model):
    """Everything that a step is to be made with. ``graph`` is what runs when no workflow is among the inputs."""

    engine: str
    produces: Literal["video", "image"] = "video"
    inputs: tuple[WishedInput, ...]
    parameters: dict[str, Any]
    graph: Digest | None = None
    regenerates: Regenerates | None = None

    @property
    def is_open(self) -> bool:
        """Whether something of it is known only when the step starts."""
        return any(line.open is not None for line in self.inputs)

    @property
    def frame(self) -> WishedInput | None:
        """The frame it continues, if it does: the first seed frame, as chains are judged by it."""
        frames = [line for line in self.inputs if line.role is InputRole.SEED_FRAME]
        return min(frames, key=lambda line: line.ordinal, default=None)

    @property
    def open_assets(self) -> frozenset[int]:
        """The assets of which an earlier step makes the version."""
        return frozenset(line.asset for line in self.inputs if line.open == "version" and line.asset is not None)


class Settled(Model):
    """A version or a take's part, as it fills something open."""

    digest: Digest
    effective_digest: Digest | None = None
    version: int | None = None
    take: int | None = None


def inputs_digest(wish: Wish) -> Digest | None:
    """The digest of a wish, by the receipt's own definition; ``None`` while something of it is open."""
    if wish.is_open:
        return None
    return receipt.inputs_digest(wish.engine, wish.inputs, wish.parameters)


def with_seed(wish: Wish, seed: str) -> Wish:
    """The wish with another seed."""
    return wish.model_copy(update={"parameters": {**wish.parameters, "seed": seed}})


def new_seed() -> str:
    """A seed drawn at random from all 2^64."""
    return str(secrets.randbelow(MAX_SEED + 1))


def with_frame(wish: Wish, settled: Settled | None) -> Wish:
    """The wish with its frame filled in, or open when ``settled`` is ``None``."""
    frame = wish.frame
    if frame is None:
        return wish
    if settled is None:
        change = {"open": "frame", "digest": None, "take": None, "continues": True}
    else:
        change = {"open": None, "digest": settled.digest, "take": settled.take, "continues": True}
    filled = frame.model_copy(update=change)
    return wish.model_copy(update={"inputs": tuple(filled if line is frame else line for line in wish.inputs)})


def settle(wish: Wish, versions: Mapping[int, Settled], frame: Callable[[str], Settled | None]) -> Wish:
    """The wish with everything filled in that is there: ``versions`` by asset, ``frame`` of the segment before by part.

    What is missing stays open.
    """
    return wish.model_copy(update={"inputs": tuple(_settled(line, versions, frame) for line in wish.inputs)})


def _settled(line: WishedInput, versions: Mapping[int, Settled], frame: Callable[[str], Settled | None]) -> WishedInput:
    found = None
    if line.continues:
        found = frame(line.part or LAST_FRAME)
    elif line.open == "version" and line.asset is not None:
        found = versions.get(line.asset)
    if found is None:
        return line
    return line.model_copy(
        update={
            "open": None,
            "digest": found.digest,
            "effective_digest": found.effective_digest,
            "version": found.version,
            "take": found.take,
        }
    )
