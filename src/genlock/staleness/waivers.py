"""Waivers: a user accepts causes with a reason. A waiver is bound to digests, so the next change ends it."""

from datetime import UTC, datetime

import numpy as np

from genlock.db.connection import Conn, pipelined
from genlock.errors import Conflict, Invalid
from genlock.events import log
from genlock.model import Actor, Page
from genlock.staleness import waivers_sql
from genlock.staleness.arrays import Bools
from genlock.staleness.judge import Judged, judge, open_causes
from genlock.staleness.model import CHAIN, NewWaiver, RootKind, Waiver
from genlock.staleness.outdated_versions import NOTHING
from genlock.staleness.places_sql import members_at
from genlock.staleness.present_sql import ask_present, receive_present
from genlock.staleness.waivers_sql import Acceptable


async def waive(conn: Conn, new: NewWaiver, actor: Actor) -> Page[Waiver]:
    """Accept a cause for every segment that has it now, among those named; return the first 500 waivers and how many.

    A scene or project stands for its segments at this moment. Raise ``Invalid`` unless exactly one of
    ``segment_ids``, ``scene_id`` and ``project_id`` is given, ``Conflict`` when no segment has the cause.
    """
    if sum(value is not None for value in (new.segment_ids, new.scene_id, new.project_id)) != 1:
        raise Invalid(
            "Exactly one of segment_ids, scene_id and project_id is required.",
            hint="A scene or a project stands for its segments at this moment.",
            code="which_segments",
        )
    if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
        raise Invalid("expires_at is in the past.", hint="Omit it for a waiver that does not expire.")
    project_id = await waivers_sql.project_of(conn, new.segment_ids, new.scene_id, new.project_id)
    asset_id = None if new.asset_id == CHAIN else new.asset_id
    acceptable = await _acceptable(conn, project_id, new, asset_id)
    if not acceptable:
        raise Conflict(
            "None of these segments has a cause of that kind that is not waived already.",
            hint="`genlock status` shows what is out of date and why.",
            code="nothing_to_waive",
        )
    page = await waivers_sql.insert(conn, project_id, asset_id, acceptable, new.reason, new.expires_at, actor)
    await log.append(
        conn,
        "waiver.added",
        actor,
        project_id=project_id,
        subject="chain" if asset_id is None else f"asset/{asset_id}",
        data={"segments": len({row.segment_id for row in acceptable}), "waivers": page.total, "reason": new.reason},
    )
    return page


async def withdraw(conn: Conn, waiver_id: int, actor: Actor) -> Waiver:
    """End a waiver, so that what it accepted counts again. Withdrawing twice changes nothing."""
    waiver = await waivers_sql.get(conn, waiver_id)
    if waiver.withdrawn_at is not None:
        return waiver
    await waivers_sql.withdraw(conn, waiver_id, actor)
    await log.append(
        conn, "waiver.withdrawn", actor, project_id=waiver.project_id, subject=f"segment/{waiver.segment_id}"
    )
    return await waivers_sql.get(conn, waiver_id)


async def _acceptable(conn: Conn, project_id: int, new: NewWaiver, asset_id: int | None) -> list[Acceptable]:
    """Return the open causes with this asset (``None``: a chain link) as their root, of the named segments."""
    async with pipelined(conn):
        request = await ask_present(
            conn,
            projects=None if new.segment_ids is not None else [project_id],
            scenes=None if new.scene_id is None else [new.scene_id],
            segments=new.segment_ids,
        )
        judged = judge((await receive_present(request)).present)
    roots = [
        index
        for index, root in enumerate(judged.present.roots)
        if (root.asset == asset_id if asset_id is not None else root.kind == RootKind.CHAIN)
    ]
    stale = judged.stale_by(roots)
    members = await members_at(conn, judged, stale)
    named = None if new.segment_ids is None else set(new.segment_ids)
    marked = np.zeros(judged.size, np.bool_)
    marked[[place for place, member in members.items() if named is None or member.segment_id in named]] = True
    pairs = {(members[place].segment_id, *digests) for place, digests in _bindings(judged, roots, marked)}
    return [Acceptable(*pair) for pair in sorted(pairs) if pair[2] != NOTHING]


def _bindings(judged: Judged, roots: list[int], marked: Bools) -> list[tuple[int, tuple[bytes, bytes]]]:
    """Return the binding of a waiver of each marked place: the digests of the used and the expected content."""
    causes = open_causes(judged, roots, marked)
    sources = judged.own.source[causes.own].tolist()
    return [
        (place, judged.present.digests(source)) for place, source in zip(causes.place.tolist(), sources, strict=True)
    ]
