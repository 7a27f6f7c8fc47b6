"""The assets of a benchmark: a few that everything uses, five hundred LoRAs that few use, and each project's pictures.

    portrait v1 … vN ──made──▶ clothed v1 … vN        one image for five variants, a variant for a few scenes

Everything is drawn from a seeded generator: the same scale gives the same library.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

FEW = {"workflow": (6, 3), "model": (4, 2), "vae": (2, 1), "text_encoder": (2, 1)}
"""Kinds that everything uses: how many assets, how many versions of each."""
LORAS = 500
MOST_VERSIONS = 6
VARIANTS_OF_IMAGE = 5
MOVED_IMAGES = 0.05
"""How many source images were replaced after their variants had been made."""


@dataclass(frozen=True, slots=True)
class Used:
    """A content that receipts name. ``number`` is none where no version has it: overwritten in place."""

    content_id: int
    asset_id: int
    kind: str
    name: str
    number: int | None
    digest: str  # hexadecimal
    effective: str


@dataclass(slots=True)
class Asset:
    """An asset with its contents, oldest first; by default the last is active."""

    id: int
    project_id: int | None
    kind: str
    name: str
    contents: list[Used]
    active: int

    @property
    def expected(self) -> Used:
        """What new work should use."""
        return self.contents[self.active - 1]


@dataclass
class Library:
    """All assets, and who was made from what."""

    random: random.Random
    assets: list[Asset] = field(default_factory=list[Asset])
    derivations: list[tuple[Used, Used]] = field(default_factory=list[tuple[Used, Used]])
    unmatched: list[Used] = field(default_factory=list[Used])
    _contents: int = 0

    def add(self, kind: str, name: str, versions: int, project_id: int | None = None, active: int = 0) -> Asset:
        """Add an asset with ``versions`` versions, by default with the last one active."""
        asset = Asset(len(self.assets) + 1, project_id, kind, name, [], active or versions)
        self.assets.append(asset)
        for number in range(1, versions + 1):
            asset.contents.append(self._content(asset, number))
        return asset

    def _content(self, asset: Asset, number: int | None) -> Used:
        self._contents += 1
        label = f"{asset.id}/{self._contents}"
        return Used(
            self._contents, asset.id, asset.kind, asset.name, number, hex_of(label), hex_of(f"effective {label}")
        )

    def overwrite(self, asset: Asset) -> Used:
        """Add a digest to an asset that no version has."""
        content = self._content(asset, None)
        self.unmatched.append(content)
        return content

    def picture(self, project_id: int, number: int) -> list[Asset]:
        """Add a source image and its variants; return the variants. Some images have a newer version since."""
        draw = self.random
        versions = draw.randint(1, 3)
        is_outdated = draw.random() < MOVED_IMAGES
        image = self.add("source_image", f"portrait {number}", versions + is_outdated, project_id)
        variants: list[Asset] = []
        for each in range(VARIANTS_OF_IMAGE):
            variant = self.add("variant", f"clothed {number}-{each}", draw.randint(1, 3), project_id)
            source = image.contents[versions - 1]
            self.derivations += [(content, source) for content in variant.contents]
            variants.append(variant)
        return variants


@dataclass(frozen=True)
class Shared:
    """The assets that all projects share. ``wide`` is the LoRA whose next version makes the most stale."""

    few: dict[str, list[Asset]]
    loras: list[Asset]
    wide: Asset
    overwritten: list[Used]
    zipf: list[int]  # of 4096 draws, which LoRA each is

    def lora(self, draw: random.Random) -> Asset:
        """Return a LoRA: the first is used by every seventh take, the last by almost none."""
        return self.loras[self.zipf[draw.getrandbits(12)]]


def shared_of(library: Library) -> Shared:
    """Make what all projects share."""
    few = {
        kind: [library.add(kind, f"{kind} {number}", versions) for number in range(1, many + 1)]
        for kind, (many, versions) in FEW.items()
    }
    draw = library.random
    loras = [library.add("lora", f"lora {number}", draw.randint(1, MOST_VERSIONS)) for number in range(1, LORAS + 1)]
    wide = library.add("lora", "wide", 2, active=1)
    weights = list(accumulate(1 / (rank + 1) for rank in range(LORAS)))
    zipf = draw.choices(range(LORAS), cum_weights=weights, k=4096)
    return Shared(few, loras, wide, [library.overwrite(lora) for lora in loras[3:8]], zipf)


def mostly(draw: random.Random, asset: Asset, share: float) -> Used:
    """Return the expected content with this probability, else an earlier one if there is any."""
    if asset.active == 1 or draw.random() < share:
        return asset.expected
    return asset.contents[draw.randrange(asset.active - 1)]


def hex_of(label: str) -> str:
    """Return a SHA-256 in place of that of real bytes."""
    return hashlib.sha256(label.encode()).hexdigest()


def rows_of(library: Library) -> dict[str, Sequence[tuple[object, ...]]]:
    """Return the rows of the library's tables, by table and columns."""
    contents = [content for asset in library.assets for content in asset.contents]
    owner = {asset.id: asset for asset in library.assets}
    return {
        "assets (id, project_id, kind, name, active_version, versions_total, created_by)": [
            (asset.id, asset.project_id, asset.kind, asset.name, asset.active, len(asset.contents), "bench")
            for asset in library.assets
        ],
        "contents (id, asset_id, digest, effective_digest, version)": [
            (content.content_id, content.asset_id, raw(content.digest), raw(content.effective), content.number)
            for content in contents
        ]
        + [(content.content_id, content.asset_id, raw(content.digest), None, None) for content in library.unmatched],
        "asset_versions (asset_id, number, content_id, digest, effective_digest, size_bytes, media_type, filename,"
        " created_by)": [
            (
                content.asset_id,
                content.number,
                content.content_id,
                raw(content.digest),
                raw(content.effective),
                1_000_000,
                "application/octet-stream",
                f"{content.name}_v{content.number}.bin",
                "bench",
            )
            for content in contents
        ],
        "activations (asset_id, from_version, to_version, actor)": [
            (content.asset_id, content.number - 1 or None, content.number, "bench")
            for content in contents
            if content.number is not None and content.number <= owner[content.asset_id].active
        ],
        "derivations (id, asset_id, number, created_by)": [
            (number, derived.asset_id, derived.number, "bench")
            for number, (derived, _) in enumerate(library.derivations, 1)
        ],
        "derivation_sources (derivation_id, asset_id, number)": [
            (number, source.asset_id, source.number) for number, (_, source) in enumerate(library.derivations, 1)
        ],
    }


def raw(digest: str) -> bytes:
    """Return a digest as the database stores it."""
    return bytes.fromhex(digest)
