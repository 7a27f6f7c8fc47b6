"""Decides, input by input, what a segment is rendered with again. Pure.

Each input is reviewed once per scene: the segments of a scene share most of their inputs.
"""

from dataclasses import dataclass, field

from genlock.digest import Digest
from genlock.model import InputRole
from genlock.regeneration.planning.remake import Remakes, other_sources
from genlock.regeneration.planning.situation import PlannedSegment, Situation, Target
from genlock.regeneration.recipe import RecipeInput, recipe_input
from genlock.takes.model import ReferencedAsset
from genlock.takes.receipt import Input


@dataclass(frozen=True, slots=True)
class Replaced:
    """An input that is replaced, from the version used before; ``to`` is null if the plan makes it."""

    role: str
    asset: ReferencedAsset
    used: int | None
    to: int | None


@dataclass(slots=True)
class Review:
    """An input as it should be. ``judged`` is the asset whose expected version it relies on."""

    input: RecipeInput
    judged: int | None = None
    replaced: Replaced | None = None
    obstacles: list[str] = field(default_factory=list[str])
    cannot_render: list[str] = field(default_factory=list[str])


class InputReviews:
    """The reviews of the inputs of a situation's receipts."""

    def __init__(self, situation: Situation, remakes: Remakes) -> None:
        self._situation = situation
        self._remakes = remakes
        self._reviews: dict[tuple[int, int, bool], Review] = {}

    def review(self, segment: PlannedSegment, line: Input) -> Review:
        """Review an input of a receipt: unchanged if it has no asset or is waived, else in its expected version."""
        unchanged = self._situation.judgement(segment.segment_id).keeps(line)
        # The situation holds the receipts, so that an input's identity stays its own.
        key = (segment.scene_id, id(line), unchanged)
        if key not in self._reviews:
            self._reviews[key] = self._review(segment, line, unchanged=unchanged)
        return self._reviews[key]

    def _review(self, segment: PlannedSegment, line: Input, *, unchanged: bool) -> Review:
        review = Review(recipe_input(line))
        if line.role is InputRole.SEED_FRAME:
            return review
        if line.asset is None:
            if line.digest is None:
                review.cannot_render.append(f"its receipt does not name the {line.role.value} that was used.")
            self._require_bytes(review, line.digest, line.name or line.role.value)
        elif unchanged:
            self._require_bytes(review, line.digest, self._situation.named(line.asset).name)
        elif (target := self._situation.expected(segment.scene_id, line.asset)) is not None:
            self._expect(review, segment, line, target)
        else:
            review.obstacles.append(
                f"{self._situation.named(line.asset).name} has no version: upload a file with `genlock asset add`."
            )
        return review

    def _expect(self, review: Review, segment: PlannedSegment, line: Input, target: Target) -> None:
        asset_id = target.asset.id
        review.judged = asset_id
        if (segment.scope_id, asset_id) in self._remakes.outdated:
            name = f"{target.asset.name} v{target.number}"
            review.obstacles.append(self._remakes.obstacles.get(asset_id) or other_sources(name))
        elif asset_id in self._remakes.by_asset and asset_id not in self._situation.scope(segment.scene_id).pins:
            review.replaced = Replaced(line.role.value, target.asset, line.version, None)
            review.input = review.input.model_copy(
                update={"open": "version", "version": None, "digest": None, "effective_digest": None}
            )
            return
        self._require_bytes(review, target.digest, f"{target.asset.name} v{target.number}")
        if (line.effective_digest or line.digest) == target.effective or line.effective_digest == target.effective:
            return
        review.replaced = Replaced(line.role.value, target.asset, line.version, target.number)
        review.input = review.input.model_copy(
            update={
                "version": target.number,
                "digest": target.digest,
                "effective_digest": target.effective,
                "name": target.asset.name,
                "kind": target.asset.kind.value,
            }
        )

    def _require_bytes(self, review: Review, digest: Digest | None, name: str) -> None:
        if digest is not None and digest in self._situation.lost:
            review.cannot_render.append(f"the bytes of {name} are gone: upload the file again.")
