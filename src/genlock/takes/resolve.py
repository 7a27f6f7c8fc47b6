"""Turns a claim's inputs into a receipt's inputs, once, at recording. Pure: every fact was loaded before.

what the claim names                       what the receipt says
asset + version  ─────────────────────────▶ digest, effective digest
asset + digest   ─────────────────────────▶ version, if one has it; else unmatched
digest alone     ── an asset has it? ─────▶ that asset's version
seed frame       ── whose take? ──────────▶ take, and via seed_frame: the variant and source image it goes back to
variant          ── made from? ───────────▶ via variant: its source images
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import Field

from genlock.digest import Digest
from genlock.errors import Invalid
from genlock.model import Kind, Model
from genlock.takes.claim import Claim, ClaimInput, InputRole, Via
from genlock.takes.document import Input

LAST_FRAME = "last_frame"


class AssetFact(Model):
    """An asset that a claim may mean."""

    id: int
    kind: Kind
    name: str


class ContentFact(Model):
    """A digest named for an asset; ``version`` and ``effective_digest`` are null while no version has it."""

    id: int
    asset_id: int
    digest: Digest
    effective_digest: Digest | None
    version: int | None


class FrameFact(Model):
    """A take that a seed frame may have come from, with the digests of its parts and what it goes back to."""

    take_id: int
    segment_id: int
    parts: dict[str, Digest]
    origins: tuple[Input, ...]


class Facts(Model):
    """Everything that resolving a set of claims may ask for."""

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
    """What inputs became: most claims of a batch name the same things."""


def check_ordinals(inputs: Sequence[ClaimInput]) -> tuple[int, ...]:
    """The ordinal of each input: as given, else the next free one of its role. ``Invalid`` when one repeats."""
    given: Counter[tuple[InputRole, int]] = Counter(
        (item.role, item.ordinal) for item in inputs if item.ordinal is not None
    )
    for (role, ordinal), times in given.items():
        if times > 1:
            raise Invalid(
                f"Two inputs are both {role.value} number {ordinal}.",
                hint="Give each input of a role its own ordinal, or leave ordinals out to number them in order.",
                code="duplicate_ordinal",
            )
    taken = set(given)
    numbered: list[int] = []
    for item in inputs:
        ordinal = item.ordinal
        if ordinal is None:
            ordinal = _next_free(item.role, taken)
            taken.add((item.role, ordinal))
        numbered.append(ordinal)
    return tuple(numbered)


def resolve(claim: Claim, facts: Facts, segment_id: int | None) -> tuple[Input, ...]:
    """The inputs of a receipt, those it goes back to included. Raises ``Invalid`` for an asset or take nobody knows."""
    resolved = [
        _seed_frame(item, ordinal, facts, segment_id)
        if item.role is InputRole.SEED_FRAME
        else _known(item, ordinal, facts)
        for item, ordinal in zip(claim.inputs, check_ordinals(claim.inputs), strict=True)
    ]
    taken = {(item.role, item.ordinal) for item in resolved}
    named = {(item.asset, item.digest) for item in resolved}
    for origin, via in _origins(resolved, facts):
        if (origin.asset, origin.digest) in named:
            continue
        named.add((origin.asset, origin.digest))
        ordinal = _next_free(origin.role, taken)
        taken.add((origin.role, ordinal))
        resolved.append(_arrived(origin, ordinal, via, facts))
    return tuple(resolved)


def _origins(resolved: Sequence[Input], facts: Facts) -> list[tuple[Input, Via]]:
    """What the pictures among the inputs go back to, each with what it came by; not yet numbered."""
    found: list[tuple[Input, Via]] = []
    for item in resolved:
        if item.role is InputRole.VARIANT and item.asset is not None and item.version is not None:
            found.extend((image, "variant") for image in facts.source_images.get((item.asset, item.version), ()))
    for item in resolved:
        if item.role is InputRole.SEED_FRAME and item.take is not None:
            found.extend((line, "seed_frame") for line in facts.frames[item.take].origins)
    return found


def _arrived(origin: Input, ordinal: int, via: Via, facts: Facts) -> Input:
    """``origin`` as a line of its own."""
    key = (origin, ordinal, via)
    line = facts.lines.get(key)
    if line is None:
        line = facts.lines[key] = Input.model_validate({**origin.written, "ordinal": ordinal, "via": via})
    return line


def _known(item: ClaimInput, ordinal: int, facts: Facts) -> Input:
    """``_plain``, worked out once for the same facts."""
    strengths = (item.strength_model, item.strength_clip)
    key = (item.role, ordinal, item.asset, item.version, item.digest, item.name, item.part, strengths)
    line = facts.lines.get(key)
    if line is None:
        line = facts.lines[key] = _plain(item, ordinal, facts)
    return line


def _plain(item: ClaimInput, ordinal: int, facts: Facts) -> Input:
    asset = _asset_of(item, facts)
    content = None
    if asset is not None and item.version is not None:
        content = facts.versions.get((asset.id, item.version))
        if content is None:
            raise Invalid(
                f"{asset.kind.value}:{asset.name} has no version {item.version}.",
                hint="Name a version it has, or send the digest of the file that was used.",
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
            "A seed_frame comes from a take, not from an asset.",
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


def _next_free(role: InputRole, taken: set[tuple[InputRole, int]]) -> int:
    ordinal = 0
    while (role, ordinal) in taken:
        ordinal += 1
    return ordinal
