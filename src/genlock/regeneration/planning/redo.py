"""What making one segment again would take: the recipe, what it replaces, and what is in the way. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from genlock.digest import Digest
from genlock.model import InputRole
from genlock.regeneration.planning.remake import Remakes, other_sources
from genlock.regeneration.planning.situation import OwnCause, PlannedSegment, SelectedTake, Situation, Target
from genlock.regeneration.recipe import Recipe, RecipeInput, ResolvedInput, with_frame
from genlock.staleness.model import CauseKind, RootKey, RootKind
from genlock.takes import receipt
from genlock.takes.claim import Regenerates
from genlock.takes.claim_resolution import LAST_FRAME
from genlock.takes.model import ReferencedAsset
from genlock.takes.receipt import Input


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before a segment that continues it: the take, and its parts; none while it is to be rendered."""

    take_id: int | None = None
    outputs: Mapping[str, Digest] | None = None


@dataclass(frozen=True, slots=True)
class Replaced:
    """An input that is replaced, from the version it had; ``to`` is null when the plan makes it."""

    role: str
    asset: ReferencedAsset
    used: int | None
    to: int | None


@dataclass(frozen=True, slots=True)
class Redo:
    """What is wanted of a segment. ``has`` is the inputs digest of the take in the cut, ``judged`` whom it trusts.

    ``obstacle`` keeps it from being made or even found; ``cannot_render`` only from being rendered.
    """

    recipe: Recipe
    has: Digest
    judged: tuple[int, ...]
    replaced: tuple[Replaced, ...]
    obstacle: str | None = None
    cannot_render: str | None = None


def redo(
    situation: Situation,
    again: Remakes,
    segment: PlannedSegment,
    take: SelectedTake,
    before: Frame | None,
    engines: frozenset[str],
) -> Redo:
    """What making a segment again would take, behind ``before`` when it continues that."""
    look = _Look(situation, again, segment, take)
    made = take.made
    inputs = tuple(look.line(line) for line in made.inputs)
    has_workflow = any(line.role is InputRole.WORKFLOW for line in inputs)
    recipe = Recipe(
        engine=made.engine,
        inputs=inputs,
        parameters=dict(made.parameters),
        graph=None if has_workflow else made.graph,
        regenerates=Regenerates(receipt=made.receipt_digest, causes=_causes(situation, segment)),
    )
    if take.continues and before is not None:
        recipe = _continuing(recipe, before)
    if made.engine not in engines:
        look.cannot_render.append(f"it was made by {made.engine}, which is not an engine here.")
    if recipe.graph is not None and recipe.graph in situation.lost:
        look.cannot_render.append("the graph that made it is gone.")
    look.strange_frame(recipe)
    return Redo(
        recipe=recipe,
        has=receipt.inputs_digest(made.engine, made.inputs, made.parameters),
        judged=tuple(dict.fromkeys(look.judged)),
        replaced=tuple(look.replaced),
        obstacle=next(iter(look.obstacles), None),
        cannot_render=next(iter(look.cannot_render), None),
    )


def _continuing(recipe: Recipe, before: Frame) -> Recipe:
    if recipe.frame is None or before.outputs is None:
        return with_frame(recipe, None)
    digest = before.outputs.get(recipe.frame.part or LAST_FRAME)
    # A take before it without that part says nothing: the frame it had stays.
    return recipe if digest is None else with_frame(recipe, ResolvedInput(digest=digest, take=before.take_id))


class _Look:
    """Looks at the inputs of one segment, one by one."""

    def __init__(self, situation: Situation, again: Remakes, segment: PlannedSegment, take: SelectedTake) -> None:
        self._situation = situation
        self._again = again
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
        """The input as it is wanted: as it was when it has no asset or is waived, else in its expected version."""
        said = RecipeInput.model_validate(line.model_dump())
        if line.role is InputRole.SEED_FRAME:
            return said
        if line.asset is None:
            if line.digest is None:
                self.cannot_render.append(f"its receipt does not say which {line.role.value} it was made with.")
            self._require_bytes(line.digest, line.name or line.role.value)
            return said
        if self._situation.judgement(self._segment.segment_id).keeps(line):
            self._require_bytes(line.digest, self._situation.named(line.asset).name)
            return said
        target = self._situation.expected(self._segment.scene_id, line.asset)
        if target is None:
            self.obstacles.append(f"{self._situation.named(line.asset).name} has no version: upload the file.")
            return said
        return self._expected(line, said, target)

    def strange_frame(self, recipe: Recipe) -> None:
        """Note that a frame from elsewhere, which a redo would continue again, goes back to something replaced."""
        if recipe.frame is None or self._take.continues:
            return
        direct = {(line.asset, line.digest) for line in self._take.made.inputs}
        for line in self._take.via:
            causes = self._own.get((line.asset, line.digest), [])
            if (line.asset, line.digest) not in direct and any(not cause.waived for cause in causes):
                name = self._situation.named(line.asset or 0).name
                self.obstacles.append(
                    f"it continues a frame that goes back to an earlier {name}, and no segment before it has a newer "
                    "one: render it from something else, or chain it."
                )

    def _expected(self, line: Input, said: RecipeInput, target: Target) -> RecipeInput:
        asset_id = target.asset.id
        if (self._segment.scope_id, asset_id) in self._again.outdated:
            name = f"{target.asset.name} v{target.number}"
            self.obstacles.append(self._again.obstacles.get(asset_id) or other_sources(name))
        elif asset_id in self._again.made and not self._is_pinned(asset_id):
            self.judged.append(asset_id)
            self.replaced.append(Replaced(line.role.value, target.asset, line.version, None))
            return said.model_copy(
                update={"open": "version", "version": None, "digest": None, "effective_digest": None}
            )
        self.judged.append(asset_id)
        self._require_bytes(target.digest, f"{target.asset.name} v{target.number}")
        if (line.effective_digest or line.digest) == target.effective or line.effective_digest == target.effective:
            return said
        self.replaced.append(Replaced(line.role.value, target.asset, line.version, target.number))
        return said.model_copy(
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
    """The causes that a redo answers, as its receipt names them."""
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
    """The assets that roots are about."""
    return {root.asset for root in roots if root.asset}
