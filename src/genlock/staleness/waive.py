"""Accepting causes with a reason: a waiver is bound to the digests it accepted, so the next real change ends it."""

from datetime import UTC, datetime

from genlock.db.connection import Conn
from genlock.errors import Conflict, Invalid
from genlock.events import log
from genlock.model import Actor
from genlock.staleness import waiver_sql
from genlock.staleness.model import CHAIN, NewWaiver, Waiver


async def waive(conn: Conn, new: NewWaiver, actor: Actor) -> tuple[Waiver, ...]:
    """Accept a cause for every segment that has it, now, among those named.

    A scene or project expands to its segments at this moment. Raises ``Invalid`` when not exactly one of
    ``segment_ids``, ``scene_id`` and ``project_id`` is given, ``Conflict`` when no segment has the cause.
    """
    if sum(value is not None for value in (new.segment_ids, new.scene_id, new.project_id)) != 1:
        raise Invalid(
            "Say which segments: exactly one of segment_ids, scene_id and project_id.",
            hint="A scene or a project stands for its segments at this moment.",
            code="which_segments",
        )
    expires_at = new.expires_at
    if expires_at is not None and expires_at.tzinfo is None:
        expires_at = expires_at.replace(tzinfo=UTC)
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Invalid("expires_at is in the past.", hint="Leave it out for a waiver that does not expire.")
    project_id = await waiver_sql.project_of(conn, new.segment_ids, new.scene_id, new.project_id)
    asset_id = None if new.asset_id == CHAIN else new.asset_id
    found = await waiver_sql.waivable(conn, project_id, new.segment_ids, new.scene_id, asset_id)
    if not found:
        raise Conflict(
            "None of these segments has a cause of that kind that is not waived already.",
            hint="`genlock status` shows what is out of date and why.",
            code="nothing_to_waive",
        )
    made = await waiver_sql.insert(conn, project_id, asset_id, found, new.reason, expires_at, actor)
    await log.append(
        conn,
        "waiver.added",
        actor,
        project_id=project_id,
        subject="chain" if asset_id is None else f"asset/{asset_id}",
        data={"segments": sorted({one.segment_id for one in made}), "reason": new.reason},
    )
    return made


async def withdraw(conn: Conn, waiver_id: int, actor: Actor) -> Waiver:
    """End a waiver; what it accepted counts again. Withdrawing twice changes nothing."""
    waiver = await waiver_sql.get(conn, waiver_id)
    if waiver.withdrawn_at is not None:
        return waiver
    await waiver_sql.withdraw(conn, waiver_id, actor)
    await log.append(
        conn, "waiver.withdrawn", actor, project_id=waiver.project_id, subject=f"segment/{waiver.segment_id}"
    )
    return await waiver_sql.get(conn, waiver_id)
