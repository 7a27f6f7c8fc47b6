"""Finds the asset and version of a used file: by its digest, else by its name if it is unambiguous. Pure.

digest ── a version has it? ─────────────▶ that version
name   ── one version's filename? ───────▶ that version, matched by name
       ── one asset's name? ─────────────▶ that asset, version unknown
"""

import re
from collections.abc import Iterable
from typing import Literal

from genlock.capture.run_record import UsedFile
from genlock.digest import PREFIX, Digest
from genlock.kinds import WEIGHTS, WEIGHTS_EXTENSIONS
from genlock.model import Kind, Model

_KINDS: dict[str, tuple[Kind, ...]] = {
    "source_image": (Kind.VARIANT, Kind.SOURCE_IMAGE),
    "other": tuple(Kind),
}
_TRUSTED_PREFIX = 16
"""Hexadecimal digits that no two files share by chance: Genlock names the files that it stages with as many."""

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
    """The asset that a file is of. ``number`` is None where the version is unknown."""

    asset_id: int
    kind: Kind
    number: int | None
    by: Literal["digest", "name"]


class Candidates(Model):
    """The versions, frames and workflow that a set of files may be; ``asset_matching_sql`` loads them."""

    versions: tuple[Candidate, ...] = ()
    frames: frozenset[Digest] = frozenset()
    workflow: Match | None = None

    def match(self, used: UsedFile) -> Match | None:
        """Return the asset that a file is of, and its version if that is certain."""
        kinds = _KINDS.get(used.role, (Kind(used.role),))
        of_kind = [candidate for candidate in self.versions if candidate.kind in kinds]
        best = _best([candidate for candidate in of_kind if _has_bytes(candidate, used)], kinds)
        if best is not None:
            return _match(best, "digest" if used.digest or _is_trusted(used.digest_prefix) else "name")
        if used.role == "other":
            of_kind = [candidate for candidate in of_kind if candidate.kind in WEIGHTS]
        return _by_name(of_kind, used)


def basename(name: str) -> str:
    """Return the last part of a path in the notation of any operating system."""
    return name.replace("\\", "/").rpartition("/")[2]


def filenames(used: UsedFile) -> tuple[str, ...]:
    """Return the filenames that a version of a file may have."""
    name = basename(used.name)
    return tuple(name + extension for extension in WEIGHTS_EXTENSIONS) if used.is_stem else (name,)


def asset_names(name: str, *, is_stem: bool = False) -> tuple[str, ...]:
    """Return the names that an asset of a file may have: its stem, and its stem without a trailing ``_vN``."""
    stem = basename(name)
    if not is_stem:
        stem = stem.rpartition(".")[0] or stem
    numbered = _NUMBERED.fullmatch(stem)
    return (stem, numbered["name"]) if numbered else (stem,)


def _is_trusted(prefix: str | None) -> bool:
    return prefix is not None and len(prefix) >= _TRUSTED_PREFIX


def _has_bytes(candidate: Candidate, used: UsedFile) -> bool:
    if candidate.digest is None:
        return False
    if used.digest is not None:
        return candidate.digest == used.digest
    return used.digest_prefix is not None and candidate.digest.startswith(PREFIX + used.digest_prefix)


def _best(candidates: list[Candidate], kinds: tuple[Kind, ...]) -> Candidate | None:
    """Return the project's own first, then by kind, then the oldest: several assets may have the same bytes."""
    return min(
        candidates,
        key=lambda candidate: (not candidate.own, kinds.index(candidate.kind), candidate.asset_id),
        default=None,
    )


def _by_name(candidates: list[Candidate], used: UsedFile) -> Match | None:
    """Return the only version of that filename, or the only asset of that name; None if it is ambiguous.

    A version is never assumed for bytes whose digest is another, nor for bytes that the recorder failed to hash.
    """
    versions = _nearest([candidate for candidate in candidates if candidate.filename in filenames(used)])
    # A prefix too short to trust is often of another kind of digest; it rules nothing out.
    guessable = used.digest is None and not _is_trusted(used.digest_prefix) and not used.as_loaded
    if versions and guessable and len({version.effective_digest for version in versions}) == 1:
        newest = max(versions, key=lambda version: version.number or 0)
        return _match(newest, "name")
    for name in asset_names(used.name, is_stem=used.is_stem):
        assets = _nearest([candidate for candidate in candidates if candidate.name == name])
        if assets:
            return _match(assets[0].model_copy(update={"number": None}), "name")
    return _match(versions[0].model_copy(update={"number": None}), "name") if versions else None


def _nearest(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates of one asset: the only one of the project itself, else the only shared one."""
    candidates = list(candidates)
    for own in (True, False):
        nearest = [candidate for candidate in candidates if candidate.own is own]
        if nearest:
            return nearest if len({candidate.asset_id for candidate in nearest}) == 1 else []
    return []


def _match(candidate: Candidate, by: Literal["digest", "name"]) -> Match:
    return Match(asset_id=candidate.asset_id, kind=candidate.kind, number=candidate.number, by=by)
