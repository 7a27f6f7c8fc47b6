"""Finds takes in a folder of old work: which files form a take, and its segment. Reads only file names.

rooftop/night/walk_00003_.mp4 ┐
rooftop/night/walk_00003_.png ┴─▶ one take of rooftop/night/walk      {project}/{scene}/{segment}
rooftop/night_00003_.mp4 ───────▶ rooftop/night/00003                 {project}/{scene}_{counter}
"""

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from genlock.capture.import_model import CONTAINERS
from genlock.errors import Invalid
from genlock.sdk.usage_codes import BAD_PATTERN
from genlock.watching.walking import NOT_UTF8, escaped_if_not_utf8

DEFAULT_PATTERN = "{project}/{scene}/{segment}"
_FIELDS = {
    "project": "(?P<project>[^/]+?)",
    "scene": "(?P<scene>[^/]+?)",
    "segment": "(?P<segment>[^/]+?)",
    "counter": r"(?P<counter>\d+)_?",
}
_FIELD = re.compile(r"\{([^{}]*)\}")
_COUNTED = re.compile(r"(?P<stem>.+?)_(?P<counter>\d{3,})_?")

_SOUND = "-audio"
"""The suffix of VHS_VideoCombine's second file of a take, which has the sound."""


@dataclass(frozen=True)
class OldTake:
    """The files of one take, by container, and its segment. ``name`` is their path in the folder."""

    project: str
    scene: str
    segment: str
    counter: int | None
    name: str
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Skipped:
    """A file that is not imported, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class OldWork:
    """The content of a folder, in the order of its import."""

    takes: tuple[OldTake, ...]
    skipped: tuple[Skipped, ...]


class Pattern:
    """A pattern of file paths, without extension, that name a project, scene and segment."""

    def __init__(self, text: str, *, project: str | None = None, scene: str | None = None) -> None:
        """Parse a pattern; ``project`` and ``scene`` replace absent fields. Raise ``Invalid`` for an unusable one."""
        names = _FIELD.findall(text)
        unknown = [name for name in names if name not in _FIELDS]
        if unknown or len(set(names)) < len(names):
            raise _bad(text, f"{{{unknown[0]}}} is not a field" if unknown else "it has a field twice")
        given = {"project": project, "scene": scene}
        lacks = [name for name in given if name not in names and given[name] is None]
        if lacks:
            raise _bad(text, f"it has no {lacks[0]}", f"Name it with --{lacks[0]}.")
        if "segment" not in names and "counter" not in names:
            raise _bad(text, "it has no segment")
        self._given = {name: value for name, value in given.items() if name not in names and value is not None}
        self._counts = "counter" not in names
        parts = re.split(r"(\{[^{}]*\})", text.strip("/"))
        self._form = re.compile(
            "".join(_FIELDS[part[1:-1]] if _FIELD.fullmatch(part) else re.escape(part) for part in parts)
        )

    def take_of(self, stem: str) -> tuple[str, str, str, int | None] | None:
        """Return the project, scene, segment and counter of a path without extension; ``None`` if it does not match."""
        counter = None
        if self._counts and (counted := _COUNTED.fullmatch(stem)) is not None:
            stem, counter = counted["stem"], int(counted["counter"][:18])
        match = self._form.fullmatch(stem)
        if match is None:
            return None
        fields = {**self._given, **match.groupdict()}
        if not self._counts:
            fields["segment"] = f"{fields['segment']}_{fields['counter']}" if "segment" in fields else fields["counter"]
        return slug_of(fields["project"]), fields["scene"], fields["segment"], counter


def find_old_work(folder: Path, pattern: Pattern) -> OldWork:
    """Find the takes below ``folder``, except hidden files and linked folders. Raise ``Invalid`` if it is missing."""
    if not folder.is_dir():
        raise Invalid(f"There is no folder {folder}.", hint="Name the folder that holds the takes.", code="no_folder")
    skipped: list[Skipped] = []
    groups: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if (shown := escaped_if_not_utf8(name)) is not None:
            skipped.append(Skipped(shown, NOT_UTF8[0].lower() + NOT_UTF8[1:].rstrip(".")))
            continue
        container = path.suffix[1:].lower()
        if container not in CONTAINERS:
            skipped.append(Skipped(name, f"only {', '.join(CONTAINERS)} are read"))
            continue
        stem = str(PurePosixPath(name).with_suffix(""))
        group = groups[stem.removesuffix(_SOUND)]
        if container in group:
            silent = group[container] if stem.endswith(_SOUND) else path
            skipped.append(Skipped(silent.relative_to(folder).as_posix(), "the same take without its sound"))
            group[container] = path if silent is not path else group[container]
        else:
            group[container] = path
    takes: list[OldTake] = []
    for stem, files in groups.items():
        place = pattern.take_of(stem)
        name = next(files[container] for container in CONTAINERS if container in files).relative_to(folder).as_posix()
        if place is None:
            skipped.append(Skipped(name, "its path does not have the form of the pattern"))
        else:
            takes.append(OldTake(*place, name=name, files=files))
    return OldWork(tuple(sorted(takes, key=_place)), tuple(skipped))


def slug_of(name: str) -> str:
    """Return a folder's name as a slug: lower case, without accents, with hyphens for other characters.

    Non-Latin letters are lost: a few digits of a digest then distinguish the folders 夜 and 雨.
    """
    decomposed = unicodedata.normalize("NFKD", name.lower())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    slug = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:80].rstrip("-._")
    if slug and not any(character.isalnum() and not character.isascii() for character in plain):
        return slug
    digits = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{slug or 'imported'}-{digits}"


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(folder_name for folder_name in folders if not folder_name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and (Path(root) / name).is_file():
                yield Path(root) / name


def _place(take: OldTake) -> tuple[str, tuple[tuple[int, int, str], ...], tuple[tuple[int, int, str], ...], int, str]:
    """Return a sort key in natural order: 2 before 10."""
    return take.project, _natural(take.scene), _natural(take.segment), take.counter or 0, take.name


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = re.split(r"(\d{1,18})", text)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def _bad(text: str, why: str, hint: str | None = None) -> Invalid:
    fields = ", ".join(f"{{{name}}}" for name in _FIELDS)
    return Invalid(
        f"The pattern {text!r} cannot be used: {why}.", hint=hint or f"Its fields are {fields}.", code=BAD_PATTERN
    )
