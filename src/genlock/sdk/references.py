"""Parses references, the names that users write. Pure.

rooftop              a project, by its slug
rooftop/night        a scene of it
rooftop/night/3      the third segment of that scene
rooftop/night/walk   the segment of that scene named walk
lora:rain            an asset, by kind and name
lora:rain@2          its version 2
"""

import difflib
import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from genlock.errors import Invalid
from genlock.model import Kind, Model
from genlock.names import check_name
from genlock.sdk.usage_codes import BAD_REFERENCE
from genlock.timeline.model import check_slug

_LARGEST_NUMBER = 2**31 - 1
_LIKE_A_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d*)?(?:[eE][+-]?\d+)?")
_PLACES = "Places are written project, project/scene, or project/scene/3 for its third segment, or its name."
_ASSETS = "Assets are written kind:name or kind:name@version, such as lora:rain@2."

Number = Annotated[int, Field(ge=1, le=_LARGEST_NUMBER)]


class Place(Model):
    """A project, a scene of it, or a segment of that scene by its position from 1 or by its name."""

    project: str
    scene: str | None = None
    segment: Number | str | None = None

    def __str__(self) -> str:
        parts = (self.project, self.scene, None if self.segment is None else str(self.segment))
        return "/".join(part for part in parts if part is not None)


class AssetReference(Model):
    """An asset by kind and name, or a version of it."""

    kind: Kind
    name: str
    version: Number | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (f"@{self.version}" if self.version is not None else "")


def parse_place(text: str) -> Place:
    """Parse a place. Raise ``Invalid`` if ``text`` is not one."""
    project, *rest = text.split("/")
    try:
        check_slug(project)
    except ValueError as error:
        raise _bad(text, f"the project is named by its slug, and {error}", _PLACES) from error
    if not rest:
        return Place(project=project)
    try:
        scene = check_name(rest[0])
    except ValueError as error:
        raise _bad(text, f"the scene's name is invalid: {error}", _PLACES) from error
    if len(rest) == 1:
        return Place(project=project, scene=scene)
    if len(rest) > 2:
        raise _bad(text, "it has too many parts", _PLACES)
    return Place(project=project, scene=scene, segment=_segment(text, rest[1]))


def parse_scene(text: str) -> Place:
    """Parse a scene. Raise ``Invalid`` for a project or segment."""
    place = parse_place(text)
    if place.scene is None or place.segment is not None:
        raise _bad(text, "it does not name a scene", "A scene is written project/scene.")
    return place


def parse_segment(text: str) -> Place:
    """Parse a segment. Raise ``Invalid`` for a project or scene."""
    place = parse_place(text)
    if place.segment is None:
        raise _bad(
            text,
            "it does not name a segment",
            "A segment is written project/scene/3, counted from 1, or with its name.",
        )
    return place


def parse_asset(text: str) -> AssetReference:
    """Parse an asset or version. Raise ``Invalid`` if ``text`` is not one."""
    kind, colon, rest = text.partition(":")
    if not colon:
        raise _bad(text, "it has no kind", _ASSETS)
    if kind not in set(Kind):
        raise _bad(text, f"there is no kind {kind!r}", did_you_mean(kind, Kind) or f"Kinds: {', '.join(Kind)}.")
    name, at, version = rest.partition("@")
    try:
        name = check_name(name)
    except ValueError as error:
        raise _bad(text, str(error), _ASSETS) from error
    number = _number(text, version, "a version", _ASSETS) if at else None
    return AssetReference(kind=Kind(kind), name=name, version=number)


def did_you_mean(wrong: str, candidates: Iterable[str]) -> str | None:
    """Return ``Did you mean …?`` with the candidates most similar to ``wrong``, or ``None``."""
    by_folded = {name.casefold(): name for name in candidates}
    matches = difflib.get_close_matches(wrong.casefold(), by_folded, n=3, cutoff=0.5)
    if not matches:
        return None
    *others, last = (by_folded[name] for name in matches)
    return f"Did you mean {', '.join(others)} or {last}?" if others else f"Did you mean {last}?"


def _segment(text: str, segment: str) -> int | str:
    if not segment or _LIKE_A_NUMBER.fullmatch(segment):
        return _number(text, segment, "a segment's position", _PLACES)
    try:
        return check_name(segment)
    except ValueError as error:
        raise _bad(text, f"the segment's name is invalid: {error}", _PLACES) from error


def _number(text: str, digits: str, what: str, hint: str) -> int:
    if not (digits.isascii() and digits.isdecimal()) or digits[0] == "0" or int(digits[:11]) > _LARGEST_NUMBER:
        raise _bad(text, f"{what} is a number from 1, not {digits!r}", hint)
    return int(digits)


def _bad(text: str, why: str, hint: str) -> Invalid:
    return Invalid(f"{text!r} is not a reference: {why}.", hint=hint, code=BAD_REFERENCE)
