"""Converts database errors to Genlock's errors, by constraint name: the only place that does."""

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from genlock.database_url import redact
from genlock.errors import Conflict, GenlockError, Invalid, NotFound, Unavailable

DriverError = psycopg.Error
"""The base of the driver's errors, for code that uses a library with its own queries."""

_CONFLICTS = {
    "projects_slug_unique": ("A project with this slug already exists.", "Choose another slug, or use that project."),
    "scenes_name_unique": ("A scene of this name exists in the project.", "Choose another name, or use that scene."),
    "assets_name_unique": (
        "An asset of this kind and name exists here.",
        "Add a version to it, or choose another name.",
    ),
    "asset_versions_digest_unique": ("A version of this asset already has these bytes.", "Use that version."),
    "receipts_claim_once": ("This claim is being recorded by another request.", "Send it again to get its ids."),
    "receipts_step_once": (
        "This step is already recorded.",
        "Nothing is lost: `genlock plans show` lists the plan's steps.",
    ),
    "plan_holds_segment_once": (
        "A segment of this plan is in another running plan.",
        "Wait for that plan, or cancel it.",
    ),
    "plan_holds_asset_once": (
        "An asset of this plan is being made by another running plan.",
        "Wait for it, or cancel it.",
    ),
    "reproductions_one_at_a_time": (
        "This receipt is already being run again.",
        "Wait for its verdict: `genlock reproductions`.",
    ),
    "pins_unique": ("This asset is already pinned here.", "Remove the pin first with `genlock unpin`."),
    "written_once": ("This record is written once and cannot be changed.", "Record something new instead."),
}
_MISSING = {
    "assets_project_exists": "The project does not exist.",
    "scenes_project_exists": "The project does not exist.",
    "segments_scene_exists": "The scene does not exist.",
    "takes_segment_exists": "The segment does not exist.",
    "derivation_source_exists": "A version named in derived_from does not exist.",
    "pins_version_exists": "The version to pin does not exist.",
    "waivers_segment_exists": "A segment to waive does not exist.",
}


def as_genlock_error(error: psycopg.Error) -> GenlockError:
    """Return the Genlock error for a database error."""
    name = error.diag.constraint_name or ""
    if isinstance(error, errors.IntegrityError):
        if name in _MISSING:
            return NotFound(_MISSING[name], hint="Check the id, or list what exists.")
        message, hint = _CONFLICTS.get(name, (f"The database refuses this: {error.diag.message_primary}.", None))
        return Conflict(message, hint=hint, code=name or None)
    if isinstance(error, (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)):
        return Conflict("Another request changed the same data at the same time.", hint="Try again.", code="contention")
    if isinstance(error, errors.DataError):
        return Invalid(
            f"The database cannot store this value: {error.diag.message_primary or error}.",
            hint="Text must not contain NUL characters, and numbers must be within their range.",
        )
    return Unavailable(
        f"The database could not complete the request: {redact(str(error).strip()) or type(error).__name__}.",
        hint="Nothing of this request was stored. Try again; `genlock up` starts the embedded server if it is down.",
    )


def is_lost_connection(error: GenlockError) -> bool:
    """Return whether an error means that the database could not be reached or the connection was lost."""
    return isinstance(error.__cause__, (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout))
