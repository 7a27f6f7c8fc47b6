"""Projects, scenes, ordered segments, and the versions that a project or scene is pinned to."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from genlock.model import Kind, Model, Name, Note

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")


def check_slug(slug: str) -> str:
    """Return ``slug``. Raise ``ValueError`` with the allowed characters if it does not fit into a URL."""
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
    """The number of segments in each state; the five states add up to ``segments``."""

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
    """A project to create."""

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
    """A scene to create."""

    name: Name


class Segment(Model):
    """An ordered slot of a scene. A chained segment continues the previous one.

    ``position`` counts from 1 among the segments that are not archived; null if this one is.
    """

    id: int
    scene_id: int
    project_id: int
    position: int | None
    name: str
    chained: bool
    archived: bool


class NewSegments(Model):
    """Segments to create: ``count`` of them from ``position`` on, by default at the end."""

    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    name: Name | None = None
    position: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    chained: bool = True


class SegmentChange(Model):
    """Changes of a segment; absent fields are unchanged."""

    name: Name | None = None
    position: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    chained: bool | None = None


class NewName(Model):
    """A new name."""

    name: Name


class Pin(Model):
    """A project, or one of its scenes, uses a fixed version of an asset instead of the active one."""

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
        """Number of versions between the pinned and the active one; negative if the pinned one is newer."""
        return self.active_version - self.version


class NewPin(Model):
    """The version to use, and the reason."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    reason: Annotated[Note, Field(min_length=1)]
