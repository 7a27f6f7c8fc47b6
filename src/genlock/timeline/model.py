"""What we want: projects, scenes, segments in their order, and the versions that a project or scene is pinned to."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from genlock.model import Kind, Model, Name, Note

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")


def check_slug(slug: str) -> str:
    """Return ``slug`` if it is fit for a URL; else raise ``ValueError`` with the characters allowed."""
    if _SLUG.fullmatch(slug) is None:
        raise ValueError(
            "a slug has 1 to 100 characters of a-z, 0-9, '.', '_' and '-', and begins and ends with a letter or digit"
        )
    return slug


Slug = Annotated[
    str,
    AfterValidator(check_slug),
    WithJsonSchema({"type": "string", "pattern": f"^{_SLUG.pattern}$", "maxLength": 100}),
]


class Counts(Model):
    """How many segments are in which state; the five states add up to ``segments``."""

    segments: int
    fresh: int
    stale: int
    waived: int
    unknown: int
    empty: int


class Project(Model):
    """A production: its scenes in order, and its assets."""

    id: int
    slug: str
    name: str
    archived: bool
    created_at: datetime
    created_by: str
    counts: Counts | None = None


class NewProject(Model):
    """What a caller says of a project that does not exist yet."""

    slug: Slug
    name: Name


class Scene(Model):
    """An ordered part of a project; its segments form chains."""

    id: int
    project_id: int
    name: str
    position: int
    archived: bool
    created_at: datetime
    created_by: str
    counts: Counts | None = None


class NewScene(Model):
    """What a caller says of a scene that does not exist yet."""

    name: Name


class Segment(Model):
    """An ordered slot of a scene. A chained one continues the segment before it.

    ``position`` counts from 1 among the segments that are not archived; null when this one is.
    """

    id: int
    scene_id: int
    project_id: int
    position: int | None
    name: str
    chained: bool
    archived: bool


class NewSegments(Model):
    """A request for segments: ``count`` of them, from ``position`` on (at the end when left out)."""

    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    name: Name | None = None
    position: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    chained: bool = True


class SegmentChange(Model):
    """What may be changed about a segment; what is left out stays."""

    name: Name | None = None
    position: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    chained: bool | None = None


class NewName(Model):
    """Another name for something."""

    name: Name


class Pin(Model):
    """A project, or one scene of it, follows a fixed version of an asset instead of the active one."""

    id: int
    project_id: int
    scene_id: int | None
    asset_id: int
    kind: Kind
    name: str
    version: int
    active_version: int
    reason: str
    created_by: str
    created_at: datetime

    @property
    def behind(self) -> int:
        """How many versions the pinned one is behind the active one; negative when it is ahead."""
        return self.active_version - self.version


class NewPin(Model):
    """The version to follow, and why."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    reason: Annotated[Note, Field(min_length=1)]
