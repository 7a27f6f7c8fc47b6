"""Assets, their versions and derivations."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from genlock.digest import Digest
from genlock.model import Kind, Model, Name, Note


class UsedBy(Model):
    """Number of segments that use an asset or version now, and how many of them are stale."""

    segments: int
    stale: int


UsedByOrNot = Annotated[
    UsedBy | None,
    Field(
        description="Counted for a single asset or version; null in lists and in responses to writes, because stale"
        " segments are counted project by project."
    ),
]


class Asset(Model):
    """A named input of generation. ``project_id`` is null if all projects share it."""

    id: int
    project_id: int | None
    kind: Kind
    name: str
    active_version: int | None
    versions_total: int
    archived: bool
    created_at: datetime
    created_by: str
    used_by: UsedByOrNot = None


class NewAsset(Model):
    """An asset to create."""

    kind: Kind
    name: Name
    project_id: int | None = None


class VersionRef(Model):
    """A version of an asset."""

    asset_id: int
    number: int


class Derivation(Model):
    """A derivation: the version was made from these sources, by a receipt or as declared at upload."""

    id: int
    sources: tuple[VersionRef, ...]
    receipt_id: int | None = None
    created_at: datetime


class Version(Model):
    """The immutable content of an asset, numbered from 1.

    ``digest`` is of the bytes; ``effective_digest`` decides equality. ``equivalent_to`` is the earlier version that is
    equal to this one although its bytes differ. ``gone_since`` is when its bytes were first missing, as when a file
    registered in place was overwritten; null while they exist.
    """

    asset_id: int
    number: int
    digest: Digest
    effective_digest: Digest
    size_bytes: int
    media_type: str
    filename: str
    note: str
    equivalent_to: int | None
    in_place: bool
    gone_since: datetime | None = None
    active: bool
    created_by: str
    created_at: datetime
    derivations: tuple[Derivation, ...] = ()
    used_by: UsedByOrNot = None
    details: dict[str, Any] = Field(default_factory=dict)
    bindings: dict[str, Any] | None = None


class Identity(Model):
    """The identity of a file. ``details`` are JSON; the effective digest is the digest for kinds without a rule."""

    digest: Digest
    effective_digest: Digest
    size_bytes: int
    media_type: str
    details: dict[str, Any]


class NewVersion(Model):
    """A version to register: the identity of its bytes, and its note, sources and bindings."""

    digest: Digest
    effective_digest: Digest
    size_bytes: int
    media_type: str
    filename: str
    note: str = ""
    details: dict[str, Any] = Field(default_factory=dict)
    bindings: dict[str, Any] | None = None
    in_place: str | None = None
    derived_from: tuple[VersionRef, ...] = ()


class EditorForm(Model):
    """A workflow as ComfyUI's page saved it, kept with the version whose graph was made of it.

    ``definitions`` is the digest of the stored definitions of its nodes' classes; null if the page itself made the
    graph and sent none.
    """

    digest: Digest
    definitions: Digest | None
    size_bytes: int
    filename: str
    created_by: str
    created_at: datetime


class Outcome(StrEnum):
    """The outcome of an upload."""

    CREATED = "created"
    EQUIVALENT = "equivalent"
    EXISTS = "exists"


class Added(Model):
    """The outcome of an upload, and the version that has its bytes."""

    outcome: Outcome
    version: Version
    derivation_id: int | None = None


class Activation(Model):
    """An entry of the activation log: the change of the active version, its time and its author."""

    id: int
    asset_id: int
    from_version: int | None
    to_version: int
    actor: str
    at: datetime
    note: str


class NewBindings(Model):
    """Fields of bindings to set; null removes a field, so that its places are detected again."""

    bindings: dict[str, Any]
    note: Note = ""


class BindingsChange(Model):
    """One line of the history: all the fields that are declared from then on."""

    id: int
    asset_id: int
    number: int
    bindings: dict[str, Any]
    note: str
    created_by: str
    created_at: datetime
