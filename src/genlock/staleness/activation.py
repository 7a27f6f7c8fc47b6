"""Changes which versions are expected: new versions, activations, pins. Each updates what is out of date.

    lock the library ─▶ change ─▶ recompute outdated contents ─▶ commit ─▶ publish (report and events, separately)

No segment is written, however many become stale.
"""

from collections.abc import Sequence

from genlock.db.connection import Conn
from genlock.errors import NotFound
from genlock.events import log
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.model import Added, NewVersion, Outcome
from genlock.model import Actor, Model
from genlock.staleness import activation_sql, outdated_versions_sql
from genlock.staleness.outdated_versions import outdated
from genlock.takes import input_links
from genlock.timeline import actions as timeline
from genlock.timeline import pin_sql
from genlock.timeline.model import NewPin, Pin


class ActiveChange(Model):
    """The active version of an asset before and after. ``activation_id`` is ``None`` if it did not change."""

    asset_id: int
    previous: int | None
    active: int
    activation_id: int | None


async def add_version(
    conn: Conn, asset_id: int, new: NewVersion, actor: Actor, *, activate: bool = True
) -> tuple[Added, ActiveChange | None]:
    """Register stored bytes as a version; make it active if requested or if it is the first."""
    await library_sql.lock(conn)
    await input_links.lock(conn, [new.digest])
    added = await library.add_version(conn, asset_id, new, actor)
    if added.outcome is not Outcome.EXISTS:
        await input_links.link(conn, asset_id, added.version.number)
    asset = await library_sql.get_asset(conn, asset_id)
    change = None
    if activate or asset.active_version is None:
        change = await _activate(conn, asset_id, added.version.number, actor, new.note)
        added = added.model_copy(
            update={"version": await library_sql.get_version(conn, asset_id, added.version.number)}
        )
    await recompute(conn, [asset_id])
    await log.append(
        conn,
        "version.added",
        actor,
        project_id=asset.project_id,
        subject=f"asset/{asset_id}",
        data={"version": added.version.number, "outcome": added.outcome.value},
    )
    await _log_activation(conn, change, asset.project_id, actor)
    return added, change


async def activate(conn: Conn, asset_id: int, number: int, actor: Actor, note: str = "") -> ActiveChange:
    """Make a version the active one."""
    await library_sql.lock(conn)
    change = await _activate(conn, asset_id, number, actor, note)
    if change.activation_id is not None:
        await recompute(conn, [asset_id])
        asset = await library_sql.get_asset(conn, asset_id)
        await _log_activation(conn, change, asset.project_id, actor)
    return change


async def pin(conn: Conn, project_id: int, scene_id: int | None, asset_id: int, new: NewPin, actor: Actor) -> Pin:
    """Pin a version of an asset for a project or for one of its scenes."""
    await library_sql.lock(conn)
    await timeline.open_project(conn, project_id)
    await library_sql.get_version(conn, asset_id, new.version)
    pin_id = await pin_sql.put_pin(conn, project_id, scene_id, asset_id, new, actor)
    await _recompute_scopes(conn, project_id, scene_id)
    await _log_pin(conn, "pin.set", project_id, scene_id, asset_id, actor, version=new.version, reason=new.reason)
    return await pin_sql.get_pin(conn, pin_id)


async def unpin(conn: Conn, project_id: int, scene_id: int | None, asset_id: int, actor: Actor) -> None:
    """Remove a pin, so that the active version is expected again. Raise ``NotFound`` if there is none."""
    await library_sql.lock(conn)
    if not await pin_sql.remove_pin(conn, project_id, scene_id, asset_id):
        raise NotFound("This asset is not pinned here.", hint="`genlock project show` lists the pins of a project.")
    closed = await pin_sql.close_scope(conn, project_id, scene_id)
    if closed is not None:
        await outdated_versions_sql.forget_scope(conn, closed)
    await _recompute_scopes(conn, project_id, scene_id)
    await _log_pin(conn, "pin.removed", project_id, scene_id, asset_id, actor)


async def recompute(conn: Conn, assets: Sequence[int] | None, scopes: Sequence[int] | None = None) -> None:
    """Compute what is out of date downstream of ``assets`` in ``scopes``. The library must be locked."""
    affected = await outdated_versions_sql.load_affected(conn, assets, scopes)
    rows = outdated(affected.lineage, affected.scopes, affected.assets)
    await outdated_versions_sql.replace_outdated(conn, affected, rows)


async def _recompute_scopes(conn: Conn, project_id: int, scene_id: int | None) -> None:
    # A new scope needs every asset; changing a pin within a scope is as rare and not more expensive.
    scopes = await outdated_versions_sql.scopes_of(conn, project_id, scene_id)
    if scopes:
        await recompute(conn, None, scopes)


async def _activate(conn: Conn, asset_id: int, number: int, actor: Actor, note: str) -> ActiveChange:
    previous, activation_id = await library.activate(conn, asset_id, number, actor, note)
    if activation_id is not None and previous is not None:
        await activation_sql.add_pending(conn, activation_id, asset_id, previous)
    return ActiveChange(asset_id=asset_id, previous=previous, active=number, activation_id=activation_id)


async def _log_activation(conn: Conn, change: ActiveChange | None, project_id: int | None, actor: Actor) -> None:
    if change is not None and change.activation_id is not None:
        await log.append(
            conn,
            "asset.activated",
            actor,
            project_id=project_id,
            subject=f"asset/{change.asset_id}",
            data={"from": change.previous, "to": change.active, "activation": change.activation_id},
        )


async def _log_pin(
    conn: Conn, verb: str, project_id: int, scene_id: int | None, asset_id: int, actor: Actor, **details: int | str
) -> None:
    where = {} if scene_id is None else {"scene_id": scene_id}
    await log.append(conn, verb, actor, project_id=project_id, subject=f"asset/{asset_id}", data={**where, **details})
