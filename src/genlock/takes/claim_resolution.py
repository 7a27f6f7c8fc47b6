"""Resolves a claim's inputs into a receipt's inputs, once, at recording. Pure: all facts are loaded before.

the claim names                             the receipt says
asset + version  ─────────────────────────▶ digest, effective digest
asset + digest   ─────────────────────────▶ the version that has it, else unmatched
digest alone     ── an asset has it? ─────▶ that asset's version
seed frame       ── from which take? ─────▶ take, and via seed_frame: the variant and source image it started from
variant          ── derived from? ────────▶ via variant: its source images
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import Field

from genlock.digest import Digest
from genlock.errors import Invalid
from genlock.model import InputRole, Kind, Model
from genlock.takes.claim import Claim, ClaimInput, Via
from genlock.takes.receipt import Input, Workload

LAST_FRAME = "last_frame"


class AssetFact(Model):
    """An asset that a claim may reference."""

    id: int
    kind: Kind
    name: str


class ContentFact(Model):
    """A digest named for an asset. ``version`` and ``effective_digest`` are null if no version has it."""

    id: int
    asset_id: int
    digest: Digest
    effective_digest: Digest | None
    version: int | None


class FrameFact(Model):
    """A take that a seed frame may come from, with the digests of its parts and its origins."""

    take_id: int
    segment_id: int
    parts: dict[str, Digest]
    origins: tuple[Input, ...]


class Facts(Model):
    """The facts for resolving a set of claims."""

    assets: Mapping[int, AssetFact] = {}
    refs: Mapping[str, int] = {}
    versions: Mapping[tuple[int, int], ContentFact] = {}
    contents: Mapping[tuple[int, Digest], ContentFact] = {}
    owners: Mapping[tuple[str, Digest], int] = {}
    frames: Mapping[int, FrameFact] = {}
    frames_by_digest: Mapping[tuple[int | None, Digest], int] = {}  # by the segment that continues them
    source_images: Mapping[tuple[int, int], tuple[Input, ...]] = {}
    workloads: Mapping[tuple[int, int, int], int] = {}  # by the workflow's content, width and height
    lines: dict[tuple[object, ...], Input] = Field(default_factory=dict[tuple[object, ...], Input])
    """Resolved inputs, cached: most claims of a batch name the same assets."""


def check_ordinals(inputs: Sequence[ClaimInput]) -> tuple[int, ...]:
    """Return the ordinal of each input: as given, else the next free one of its role. ``Invalid`` on duplicates."""
    given: Counter[tuple[InputRole, int]] = Counter(
        (item.role, item.ordinal) for item in inputs if item.ordinal is not None
    )
    for (role, ordinal), times in given.items():
        if times > 1:
            raise Invalid(
                f"Two inputs have the role {role.value} and the ordinal {ordinal}.",
                hint="Give each input of a role its own ordinal, or leave ordinals out to number them in order.",
                code="duplicate_ordinal",
            )
    used = set(given)
    ordinals: list[int] = []
    for item in inputs:
        ordinal = item.ordinal
        if ordinal is None:
            ordinal = _next_free(item.role, used)
            used.add((item.role, ordinal))
        ordinals.append(ordinal)
    return tuple(ordinals)


def seed_frames_by_digest(segment_id: int | None, claim: Claim) -> tuple[tuple[int | None, Digest], ...]:
    """Return the seed frames that a claim names by digest only, each with the segment that continues it."""
    return tuple(
        (segment_id, item.digest)
        for item in claim.inputs
        if item.role is InputRole.SEED_FRAME and item.take is None and item.digest is not None
    )


def resolve(claim: Claim, facts: Facts, segment_id: int | None) -> tuple[Input, ...]:
    """Return the inputs of a receipt, its origins included. Raise ``Invalid`` for an unknown asset or take."""
    resolved = [
        _seed_frame(item, ordinal, facts, segment_id)
        if item.role is InputRole.SEED_FRAME
        else _cached_asset_input(item, ordinal, facts)
        for item, ordinal in zip(claim.inputs, check_ordinals(claim.inputs), strict=True)
    ]
    used = {(item.role, item.ordinal) for item in resolved}
    named = {(item.asset, item.digest) for item in resolved}
    for origin, via in _origins(resolved, facts):
        if (origin.asset, origin.digest) in named:
            continue
        named.add((origin.asset, origin.digest))
        ordinal = _next_free(origin.role, used)
        used.add((origin.role, ordinal))
        resolved.append(_origin_input(origin, ordinal, via, facts))
    return tuple(resolved)


def _origins(resolved: Sequence[Input], facts: Facts) -> list[tuple[Input, Via]]:
    """Return the origins of the pictures among the inputs, each with its ``via``; not yet numbered."""
    origins: list[tuple[Input, Via]] = []
    for item in resolved:
        if item.role is InputRole.VARIANT and item.asset is not None and item.version is not None:
            origins.extend((image, "variant") for image in facts.source_images.get((item.asset, item.version), ()))
    for item in resolved:
        if item.role is InputRole.SEED_FRAME and item.take is not None:
            origins.extend((line, "seed_frame") for line in facts.frames[item.take].origins)
    return origins


def _origin_input(origin: Input, ordinal: int, via: Via, facts: Facts) -> Input:
    """Return ``origin`` as an input of this receipt."""
    key = (origin, ordinal, via)
    line = facts.lines.get(key)
    if line is None:
        line = facts.lines[key] = Input.model_validate({**origin.as_document, "ordinal": ordinal, "via": via})
    return line


def _cached_asset_input(item: ClaimInput, ordinal: int, facts: Facts) -> Input:
    """Return ``_asset_input``, resolved once per distinct input."""
    strengths = (item.strength_model, item.strength_clip)
    key = (item.role, ordinal, item.asset, item.version, item.digest, item.name, item.part, strengths)
    line = facts.lines.get(key)
    if line is None:
        line = facts.lines[key] = _asset_input(item, ordinal, facts)
    return line


def _asset_input(item: ClaimInput, ordinal: int, facts: Facts) -> Input:
    asset = _asset_of(item, facts)
    content = None
    if asset is not None and item.version is not None:
        content = facts.versions.get((asset.id, item.version))
        if content is None:
            raise Invalid(
                f"{asset.kind.value}:{asset.name} has no version {item.version}.",
                hint="Name an existing version, or send the digest of the file that was used.",
                code="unknown_version",
            )
        if item.digest is not None and item.digest != content.digest:
            raise Invalid(
                f"{asset.kind.value}:{asset.name}@{item.version} has the digest {content.digest}, not {item.digest}.",
                hint="Send only the digest when the file was changed after it was registered.",
                code="digest_mismatch",
            )
    elif asset is not None and item.digest is not None:
        content = facts.contents.get((asset.id, item.digest))
    kind = asset.kind.value if asset is not None else item.role.value
    return Input(
        role=item.role,
        ordinal=ordinal,
        kind=kind,
        asset=asset and asset.id,
        name=asset.name if asset is not None else item.name,
        version=content and content.version,
        digest=content.digest if content is not None else item.digest,
        effective_digest=content and content.effective_digest,
        strength_model=item.strength_model,
        strength_clip=item.strength_clip,
        part=item.part,
    )


def _asset_of(item: ClaimInput, facts: Facts) -> AssetFact | None:
    if isinstance(item.asset, int):
        asset_id = item.asset
    elif item.asset is not None:
        asset_id = facts.refs.get(item.asset)
    elif item.digest is not None:
        asset_id = facts.owners.get((item.role.value, item.digest))
        if asset_id is None:
            return None
    else:
        asset_id = facts.refs.get(f"{item.role.value}:{item.name}")
        if asset_id is None:
            return None
    if asset_id is None or asset_id not in facts.assets:
        raise Invalid(
            f"The {item.role.value} input names the asset {item.asset!r}, which does not exist.",
            hint="Create the asset first, or leave `asset` out and send the digest of the file.",
            code="unknown_asset",
        )
    return facts.assets[asset_id]


def _seed_frame(item: ClaimInput, ordinal: int, facts: Facts, segment_id: int | None) -> Input:
    if item.asset is not None:
        raise Invalid(
            "A seed_frame input names a take, not an asset.",
            hint="Send `take` (its id) and `part`, or the frame's digest.",
        )
    part = item.part or LAST_FRAME
    take_id = item.take
    if take_id is None and item.digest is not None:
        take_id = facts.frames_by_digest.get((segment_id, item.digest))
    if take_id is not None and take_id not in facts.frames:
        raise Invalid(
            f"The seed frame names the take {take_id}, which does not exist.",
            hint="Send the id of the take that was continued, as recording it answered, or the frame's digest.",
            code="unknown_take",
        )
    digest = item.digest
    if digest is None and take_id is not None:
        digest = facts.frames[take_id].parts.get(part)
    if digest is None:
        raise Invalid(
            f"The seed frame names no picture: the take has no part {part!r}."
            if take_id is not None
            else "The seed frame names neither a take nor a digest.",
            hint="Send the take whose frame was continued, or the frame's digest.",
            code="unknown_frame",
        )
    return Input(role=item.role, ordinal=ordinal, name=item.name, digest=digest, part=part, take=take_id)


def _next_free(role: InputRole, used: set[tuple[InputRole, int]]) -> int:
    ordinal = 0
    while (role, ordinal) in used:
        ordinal += 1
    return ordinal


def workload_of(claim: Claim, inputs: Sequence[Input], facts: Facts) -> Workload | None:
    """Return the workload of a claim with resolved inputs; ``None`` if its workflow or size is unknown."""
    width, height = claim.parameters.width, claim.parameters.height
    for line in inputs:
        if line.role is InputRole.WORKFLOW and line.asset and line.digest and width and height:
            return facts.contents[line.asset, line.digest].id, width, height
    return None
