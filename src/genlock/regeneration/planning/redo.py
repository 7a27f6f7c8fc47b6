"""What it takes to render a segment again: the recipe, the replaced inputs, and the obstacles. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from genlock.digest import Digest
from genlock.model import InputRole
from genlock.regeneration.planning.remake import Remakes, other_sources
from genlock.regeneration.planning.situation import OwnCause, PlannedSegment, SelectedTake, Situation, Target
from genlock.regeneration.recipe import Recipe, RecipeInput, ResolvedInput, recipe_input, with_frame
from genlock.staleness.model import CauseKind, RootKey, RootKind
from genlock.takes import receipt
from genlock.takes.claim import Regenerates
from genlock.takes.claim_resolution import LAST_FRAME
from genlock.takes.model import ReferencedAsset
from genlock.takes.receipt import Input


@dataclass(frozen=True, slots=True)
class Frame:
    """The take that a segment continues, with its parts; both ``None`` while that take is to be rendered."""

    take_id: int | None = None
    outputs: Mapping[str, Digest] | None = None


@dataclass(frozen=True, slots=True)
class Replaced:
    """An input that is replaced, from the version used before; ``to`` is null if the plan makes it."""

    role: str
    asset: ReferencedAsset
    used: int | None
    to: int | None


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
    remakes: Remakes,
    segment: PlannedSegment,
    take: SelectedTake,
    before: Frame | None,
    engines: frozenset[str],
) -> Redo:
    """Return what it takes to render a segment again, after ``before`` if it continues that."""
    review = _InputReview(situation, remakes, segment, take)
    origin = take.receipt
    inputs = tuple(review.line(line) for line in origin.inputs)
    has_workflow = any(line.role is InputRole.WORKFLOW for line in inputs)
    recipe = Recipe(
        engine=origin.engine,
        inputs=inputs,
        parameters=dict(origin.parameters),
        graph=None if has_workflow else origin.graph,
        regenerates=Regenerates(receipt=origin.receipt_digest, causes=_causes(situation, segment)),
    )
    if take.continues and before is not None:
        recipe = _continuing(recipe, before)
    if origin.engine not in engines:
        review.cannot_render.append(f"it was made by {origin.engine}, which is not an available engine.")
    if recipe.graph is not None and recipe.graph in situation.lost:
        review.cannot_render.append("the graph that made it is gone.")
    review.check_foreign_frame(recipe)
    return Redo(
        recipe=recipe,
        has=receipt.request_of(origin.engine, origin.inputs, origin.parameters),
        judged=tuple(dict.fromkeys(review.judged)),
        replaced=tuple(review.replaced),
        obstacle=next(iter(review.obstacles), None),
        cannot_render=next(iter(review.cannot_render), None),
    )


def _continuing(recipe: Recipe, before: Frame) -> Recipe:
    if recipe.frame is None or before.outputs is None:
        return with_frame(recipe, None)
    digest = before.outputs.get(recipe.frame.part or LAST_FRAME)
    # If the previous take lacks that part, the frame stays the one that was used.
    return recipe if digest is None else with_frame(recipe, ResolvedInput(digest=digest, take=before.take_id))


class _InputReview:
    """Reviews the inputs of a segment one by one."""

    def __init__(self, situation: Situation, remakes: Remakes, segment: PlannedSegment, take: SelectedTake) -> None:
        self._situation = situation
        self._remakes = remakes
        self._segment = segment
        self._take = take
        self._own: dict[tuple[int | None, Digest | None], list[OwnCause]] = {}
        for cause in situation.judgement(segment.segment_id).own:
            self._own.setdefault((cause.asset, cause.digest), []).append(cause)
        self.judged: list[int] = []
        self.replaced: list[Replaced] = []
        self.obstacles: list[str] = []
        self.cannot_render: list[str] = []

    def line(self, line: Input) -> RecipeInput:
        """Return an input as it should be: unchanged if it has no asset or is waived, else in its expected version."""
        unchanged = recipe_input(line)
        if line.role is InputRole.SEED_FRAME:
            return unchanged
        if line.asset is None:
            if line.digest is None:
                self.cannot_render.append(f"its receipt does not name the {line.role.value} that was used.")
            self._require_bytes(line.digest, line.name or line.role.value)
            return unchanged
        if self._situation.judgement(self._segment.segment_id).keeps(line):
            self._require_bytes(line.digest, self._situation.named(line.asset).name)
            return unchanged
        target = self._situation.expected(self._segment.scene_id, line.asset)
        if target is None:
            self.obstacles.append(
                f"{self._situation.named(line.asset).name} has no version: upload a file with `genlock asset add`."
            )
            return unchanged
        return self._expected(line, unchanged, target)

    def check_foreign_frame(self, recipe: Recipe) -> None:
        """Add an obstacle if an unchained seed frame, which would be used again, derives from a replaced version."""
        if recipe.frame is None or self._take.continues:
            return
        direct = {(line.asset, line.digest) for line in self._take.receipt.inputs}
        for line in self._take.via:
            causes = self._own.get((line.asset, line.digest), [])
            if (line.asset, line.digest) not in direct and any(not cause.waived for cause in causes):
                name = self._situation.named(line.asset or 0).name
                self.obstacles.append(
                    f"it continues a frame that derives from an earlier {name}, and no segment before it has a newer "
                    "one: render it from another frame, or chain it."
                )

    def _expected(self, line: Input, unchanged: RecipeInput, target: Target) -> RecipeInput:
        asset_id = target.asset.id
        if (self._segment.scope_id, asset_id) in self._remakes.outdated:
            name = f"{target.asset.name} v{target.number}"
            self.obstacles.append(self._remakes.obstacles.get(asset_id) or other_sources(name))
        elif asset_id in self._remakes.by_asset and not self._is_pinned(asset_id):
            self.judged.append(asset_id)
            self.replaced.append(Replaced(line.role.value, target.asset, line.version, None))
            return unchanged.model_copy(
                update={"open": "version", "version": None, "digest": None, "effective_digest": None}
            )
        self.judged.append(asset_id)
        self._require_bytes(target.digest, f"{target.asset.name} v{target.number}")
        if (line.effective_digest or line.digest) == target.effective or line.effective_digest == target.effective:
            return unchanged
        self.replaced.append(Replaced(line.role.value, target.asset, line.version, target.number))
        return unchanged.model_copy(
            update={
                "version": target.number,
                "digest": target.digest,
                "effective_digest": target.effective,
                "name": target.asset.name,
                "kind": target.asset.kind.value,
            }
        )

    def _is_pinned(self, asset_id: int) -> bool:
        return asset_id in self._situation.scope(self._segment.scene_id).pins

    def _require_bytes(self, digest: Digest | None, name: str) -> None:
        if digest is not None and digest in self._situation.lost:
            self.cannot_render.append(f"the bytes of {name} are gone: upload the file again.")


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
