"""Which version of which asset a used file is: by its digest, else by its name where only one can be meant. Pure.

digest ── a version has it? ─────────────▶ that version
name   ── one version's filename? ───────▶ that version, matched by name
       ── one asset's name? ─────────────▶ that asset, in a version that nobody knows
"""

import re
from collections.abc import Iterable
from typing import Literal

from genlock.capture.seen import Used
from genlock.digest import PREFIX, Digest
from genlock.model import Kind, Model

WEIGHTS = (Kind.MODEL, Kind.LORA, Kind.VAE, Kind.TEXT_ENCODER, Kind.CONTROLNET, Kind.OTHER)
_KINDS: dict[str, tuple[Kind, ...]] = {
    "source_image": (Kind.VARIANT, Kind.SOURCE_IMAGE),
    "other": tuple(Kind),
}
_TRUSTED_PREFIX = 16
"""Hexadecimal digits that no two files share by chance: Genlock's own names for staged files have as many."""

_EXTENSIONS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_NUMBERED = re.compile(r"(?P<name>.+?)_v\d+")


class Candidate(Model):
    """A version that a file may be, or an asset without one."""

    asset_id: int
    kind: Kind
    name: str
    own: bool
    number: int | None = None
    digest: Digest | None = None
    effective_digest: Digest | None = None
    filename: str | None = None


class Match(Model):
    """What a file was found to be. ``number`` is None where the asset is known and the version is not."""

    asset_id: int
    kind: Kind
    number: int | None
    by: Literal["digest", "name"]


class Shelf(Model):
    """What the library and the takes have that a set of files may be; see ``shelf_sql``."""

    candidates: tuple[Candidate, ...] = ()
    frames: frozenset[Digest] = frozenset()
    workflow: Match | None = None

    def match(self, used: Used) -> Match | None:
        """The asset that a file is of, and the version if that can be said."""
        kinds = _KINDS.get(used.role, (Kind(used.role),))
        of_kind = [one for one in self.candidates if one.kind in kinds]
        found = _best([one for one in of_kind if _has_bytes(one, used)], kinds)
        if found is not None:
            return _match(found, "digest" if used.digest or _is_trusted(used.digest_prefix) else "name")
        if used.role == "other":
            of_kind = [one for one in of_kind if one.kind in WEIGHTS]
        return _by_name(of_kind, used)


def basename(name: str) -> str:
    """The last part of a path as any system writes it."""
    return name.replace("\\", "/").rpartition("/")[2]


def filenames(used: Used) -> tuple[str, ...]:
    """The filenames that a version of a file may have."""
    name = basename(used.name)
    return tuple(name + extension for extension in _EXTENSIONS) if used.is_stem else (name,)


def asset_names(name: str, *, is_stem: bool = False) -> tuple[str, ...]:
    """The names that an asset of a file may have: its stem, and its stem without a trailing ``_vN``."""
    stem = basename(name)
    if not is_stem:
        stem = stem.rpartition(".")[0] or stem
    numbered = _NUMBERED.fullmatch(stem)
    return (stem, numbered["name"]) if numbered else (stem,)


def _is_trusted(prefix: str | None) -> bool:
    return prefix is not None and len(prefix) >= _TRUSTED_PREFIX


def _has_bytes(one: Candidate, used: Used) -> bool:
    if one.digest is None:
        return False
    if used.digest is not None:
        return one.digest == used.digest
    return used.digest_prefix is not None and one.digest.startswith(PREFIX + used.digest_prefix)


def _best(found: list[Candidate], kinds: tuple[Kind, ...]) -> Candidate | None:
    """The project's own first, then by kind, then the oldest: the same bytes may be in several assets."""
    return min(found, key=lambda one: (not one.own, kinds.index(one.kind), one.asset_id), default=None)


def _by_name(candidates: list[Candidate], used: Used) -> Match | None:
    """The one version of that filename, or the one asset of that name; nothing where several could be meant.

    A version is never taken for bytes that are known to be others, nor for bytes that somebody failed to see.
    """
    named = [one for one in candidates if one.filename in filenames(used)]
    versions = _nearest(named)
    # A prefix too short to trust is of another kind of digest as often as not; it forbids nothing.
    guessable = used.digest is None and not _is_trusted(used.digest_prefix) and not used.as_loaded
    if versions and guessable and len({one.effective_digest for one in versions}) == 1:
        newest = max(versions, key=lambda one: one.number or 0)
        return _match(newest, "name")
    for name in asset_names(used.name, is_stem=used.is_stem):
        assets = _nearest([one for one in candidates if one.name == name])
        if assets:
            return _match(assets[0].model_copy(update={"number": None}), "name")
    return _match(versions[0].model_copy(update={"number": None}), "name") if versions else None


def _nearest(found: Iterable[Candidate]) -> list[Candidate]:
    """Candidates of one asset: the only one of the project itself, else the only shared one."""
    for own in (True, False):
        nearest = [one for one in found if one.own is own]
        if nearest:
            return nearest if len({one.asset_id for one in nearest}) == 1 else []
    return []


def _match(found: Candidate, by: Literal["digest", "name"]) -> Match:
    return Match(asset_id=found.asset_id, kind=found.kind, number=found.number, by=by)
