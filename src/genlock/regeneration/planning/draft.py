"""A plan before it is written: the request, and the draft that planning returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from genlock.digest import Digest
from genlock.regeneration.model import PlanNote, Reason, StepKind, Substitute
from genlock.regeneration.planning.remake import Remakes
from genlock.regeneration.recipe import Recipe
from genlock.takes.model import ReferencedAsset


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A request to plan. ``aside``: segments to list as left out (pinned or waived), with the reason.

    ``used``: (scope, asset) pairs of selected segments that the situation leaves out; which versions are remade depends
    on all selected segments.
    """

    selected: frozenset[int]
    aside: Mapping[int, Reason] = field(default_factory=dict[int, Reason])
    cascade: bool = False
    force: bool = False
    new_seed: Callable[[], str] | None = None
    engines: frozenset[str] = frozenset()
    used: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class DraftStep:
    """A step of a draft; ``position`` counts from 1, ``after`` and ``chain`` are positions."""

    position: int
    chain: int
    segment_id: int | None
    asset_id: int | None
    kind: StepKind
    recipe: Recipe | None
    substitutes: tuple[Substitute, ...] = ()
    after: tuple[int, ...] = ()
    take_id: int | None = None
    selected_take_id: int | None = None
    active_version: int | None = None
    estimate_s: float | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """A version that the plan is based on: expected in a scene, or active, for sources of versions."""

    scene_id: int | None
    asset: ReferencedAsset
    number: int
    effective: Digest


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan before it is written. ``frames``: the selected takes outside the plan that its chains continue."""

    steps: tuple[DraftStep, ...]
    left_out: Mapping[int, Reason]
    downstream_stale: int
    expected: tuple[Expectation, ...]
    frames: Mapping[int, int]
    notes: tuple[PlanNote, ...]
    remakes: Remakes
