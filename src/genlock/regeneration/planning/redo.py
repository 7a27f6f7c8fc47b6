"""What is needed to render a segment again: the recipe, the replaced inputs, and the obstacles. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from genlock.digest import Digest
from genlock.model import InputRole
from genlock.regeneration.planning.input_review import InputReviews, Replaced
from genlock.regeneration.planning.situation import PlannedSegment, SelectedTake, Situation
from genlock.regeneration.recipe import Recipe, ResolvedInput, with_frame
from genlock.staleness.model import CauseKind, RootKey, RootKind
from genlock.takes import receipt
from genlock.takes.claim import Regenerates
from genlock.takes.claim_resolution import LAST_FRAME


@dataclass(frozen=True, slots=True)
class Frame:
    """The take that a segment continues, with its parts; both ``None`` while that take is to be rendered."""

    take_id: int | None = None
    outputs: Mapping[str, Digest] | None = None


@dataclass(frozen=True, slots=True)
class Redo:
    """How a segment would be rendered again. ``has`` is the request that the selected take was made from.

    ``judged`` are the assets whose expected version it relies on. ``obstacle`` prevents rendering and restoring;
    ``cannot_render`` only rendering.
    """

    recipe: Recipe
    has: dict[str, Any]
    judged: tuple[int, ...]
    replaced: tuple[Replaced, ...]
    obstacle: str | None = None
    cannot_render: str | None = None


def redo(
    situation: Situation,
    reviews: InputReviews,
    segment: PlannedSegment,
    take: SelectedTake,
    before: Frame | None,
    engines: frozenset[str],
) -> Redo:
    """Return what it takes to render a segment again, after ``before`` if it continues that."""
    origin = take.receipt
    reviewed = [reviews.review(segment, line) for line in origin.inputs]
    has_workflow = any(review.input.role is InputRole.WORKFLOW for review in reviewed)
    recipe = Recipe(
        engine=origin.engine,
        inputs=tuple(review.input for review in reviewed),
        parameters=dict(origin.parameters),
        graph=None if has_workflow else origin.graph,
        regenerates=Regenerates(receipt=origin.receipt_digest, causes=_causes(situation, segment)),
    )
    if take.continues and before is not None:
        recipe = _continuing(recipe, before)
    obstacles = [obstacle for review in reviewed for obstacle in review.obstacles]
    obstacles += _foreign_frame(situation, segment, take, recipe)
    cannot_render = [reason for review in reviewed for reason in review.cannot_render]
    if origin.engine not in engines:
        cannot_render.append(f"it was made by {origin.engine}, which is not an available engine.")
    if recipe.graph is not None and recipe.graph in situation.lost:
        cannot_render.append("the graph that made it is gone.")
    return Redo(
        recipe=recipe,
        has=receipt.request_of(origin.engine, origin.inputs, origin.parameters),
        judged=tuple(dict.fromkeys(review.judged for review in reviewed if review.judged is not None)),
        replaced=tuple(review.replaced for review in reviewed if review.replaced is not None),
        obstacle=next(iter(obstacles), None),
        cannot_render=next(iter(cannot_render), None),
    )


def _continuing(recipe: Recipe, before: Frame) -> Recipe:
    if recipe.frame is None or before.outputs is None:
        return with_frame(recipe, None)
    digest = before.outputs.get(recipe.frame.part or LAST_FRAME)
    # If the previous take lacks that part, the frame stays the one that was used.
    return recipe if digest is None else with_frame(recipe, ResolvedInput(digest=digest, take=before.take_id))


def _foreign_frame(situation: Situation, segment: PlannedSegment, take: SelectedTake, recipe: Recipe) -> Iterator[str]:
    """Yield an obstacle if an unchained seed frame, which would be used again, derives from a replaced version."""
    if recipe.frame is None or take.continues:
        return
    own = situation.judgement(segment.segment_id).own
    stale = {(cause.asset, cause.digest) for cause in own if not cause.waived}
    direct = {(line.asset, line.digest) for line in take.receipt.inputs}
    for line in take.via:
        if (line.asset, line.digest) in stale - direct:
            yield (
                f"it continues a frame that derives from an earlier {situation.named(line.asset or 0).name}, and no "
                "segment before it has a newer one: render it from another frame, or chain it."
            )


_KINDS = {
    RootKind.ASSET: CauseKind.SUPERSEDED,
    RootKind.UNMATCHED: CauseKind.UNMATCHED,
    RootKind.CHAIN: CauseKind.CHAIN,
}


def _causes(situation: Situation, segment: PlannedSegment) -> tuple[dict[str, object], ...]:
    """Return the causes that rendering again resolves, as its receipt names them."""
    judgement = situation.judgement(segment.segment_id)
    direct = {cause.root for cause in judgement.own if cause.direct and not cause.waived}
    return tuple(_cause(situation, segment, root, root in direct) for root in sorted(judgement.stale))


def _cause(situation: Situation, segment: PlannedSegment, root: RootKey, direct: bool) -> dict[str, object]:
    kind = RootKind(root.kind)
    cause: dict[str, object] = {
        "kind": (_KINDS[kind] if direct else CauseKind.DERIVED).value,
        "root": kind.group.value,
    }
    expected: int | None = root.expected
    if root.asset:
        cause |= {"asset_id": root.asset, "asset": situation.named(root.asset).name}
    if kind is RootKind.UNMATCHED:
        target = situation.expected(segment.scene_id, root.asset)
        expected = target and target.number
    if root.used:
        cause["used"] = root.used
    if expected:
        cause["expected"] = expected
    return cause


def names_of(roots: Iterable[RootKey]) -> set[int]:
    """Return the assets of roots."""
    return {root.asset for root in roots if root.asset}
