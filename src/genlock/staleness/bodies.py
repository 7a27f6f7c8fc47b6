"""Bodies and answers of calls that add versions and move the active one; the SDK uses these classes too."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from genlock.digest import Digest
from genlock.library.model import Outcome, Version, VersionRef
from genlock.model import Model, Note
from genlock.staleness.model import Impact


def _reference(value: Any) -> Any:
    """Parse ``12@3`` as version 3 of asset 12."""
    asset, at, number = value.partition("@") if isinstance(value, str) else ("", "", "")
    if not at:
        return value
    if not (asset.isdecimal() and number.isdecimal() and len(asset) < 19 and 0 < int(number) < 2**31):
        raise ValueError("a version is written asset_id@number, such as 12@3")
    return {"asset_id": int(asset), "number": int(number)}


Source = Annotated[VersionRef, BeforeValidator(_reference)]
VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ActivationRequest(Model):
    """The version to activate, and why."""

    version: VersionNumber
    note: Note = ""


class Activated(Model):
    """The previous and the new active version, and what became stale or fresh."""

    previous: int | None
    active: int
    report: Impact


class VersionAdded(Model):
    """The outcome of an upload: a new version, an equivalent one, or one that already had these bytes."""

    outcome: Outcome
    version: Version
    report: Impact


class VersionForm(Model):
    """The fields of a new version in addition to its bytes. ``derived_from`` names its sources: one derivation.

    With ``digest`` it is refused if its bytes differ, for example because the file was overwritten while it was sent.
    """

    note: Note = ""
    activate: bool = True
    derived_from: Annotated[tuple[Source, ...], Field(max_length=1000)] = ()
    bindings: dict[str, Any] | None = None
    digest: Digest | None = None


class InPlaceVersion(VersionForm):
    """A file registered in place, below one of the configured roots."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]
