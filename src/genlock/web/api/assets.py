"""Assets: named things that go into a generation, and which of their versions is active."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from genlock.digest import Digest
from genlock.library import actions, sql
from genlock.library.model import Activation, Asset, NewAsset
from genlock.model import Kind, Page, Role
from genlock.staleness import impact, moves
from genlock.staleness.bodies import Activated, ActivationRequest
from genlock.staleness.model import Impact
from genlock.staleness.used_sql import used_by
from genlock.timeline.model import NewName
from genlock.web.answers import answer
from genlock.web.door import Cursor, Door, Home, Id, IdFilter, Limit, Transaction, Who, may, writes
from genlock.web.keys import keyed
from genlock.web.told import told

router = APIRouter(tags=["assets"], route_class=Door)


@router.post("/assets", status_code=201, response_model=Asset, **writes(Role.CREATOR, 404))
async def create_asset(new: NewAsset, conn: Transaction, actor: Who) -> Response:
    """A new asset, without versions. Its kind and name are unique in its project, or among the shared ones."""
    return answer(await actions.create_asset(conn, new, actor), 201)


@router.get("/assets", response_model=Page[Asset], **may(Role.VIEWER))
async def list_assets(
    conn: Transaction,
    kind: Kind | None = None,
    project_id: IdFilter = None,
    q: Annotated[str | None, Query(max_length=200, description="What the name begins with.")] = None,
    digest: Annotated[Digest | None, Query(description="Bytes, or effective digest, that a version has.")] = None,
    archived: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Assets by name. ``project_id`` keeps those a project can use: its own and the shared ones."""
    found = await sql.list_assets(
        conn, kind=kind, project_id=project_id, q=q, digest=digest, archived=archived, after=cursor, limit=limit
    )
    return answer(found)


@router.get("/assets/{asset_id}", response_model=Asset, **may(Role.VIEWER, 404))
async def get_asset(asset_id: Id, conn: Transaction) -> Response:
    """One asset, with how many segments use it and how many of those are stale."""
    asset = await sql.get_asset(conn, asset_id)
    return answer(asset.model_copy(update={"used_by": await used_by(conn, asset_id)}))


@router.patch("/assets/{asset_id}", response_model=Asset, **writes(Role.CREATOR, 404))
async def rename_asset(asset_id: Id, new: NewName, conn: Transaction, actor: Who) -> Response:
    """Give an asset another name. Receipts keep the one they were written with."""
    return answer(await actions.rename_asset(conn, asset_id, new.name, actor))


@router.post("/assets/{asset_id}/archive", response_model=Asset, **writes(Role.CREATOR, 404))
async def archive_asset(asset_id: Id, conn: Transaction, actor: Who) -> Response:
    """Hide an asset from new work. Nothing of it is deleted, and what was made with it is still judged."""
    return answer(await actions.archive_asset(conn, asset_id, actor))


@router.post("/assets/{asset_id}/restore", response_model=Asset, **writes(Role.CREATOR, 404))
async def restore_asset(asset_id: Id, conn: Transaction, actor: Who) -> Response:
    """Bring an archived asset back."""
    return answer(await actions.restore_asset(conn, asset_id, actor))


@router.post("/assets/{asset_id}/activate", response_model=Activated, **writes(Role.CREATOR, 404))
async def activate(asset_id: Id, wanted: ActivationRequest, request: Request, home: Home, actor: Who) -> Response:
    """Make a version the active one. ``report`` says what that made stale, and what fresh again."""
    async with keyed(request) as conn:
        moved = await moves.activate(conn, asset_id, wanted.version, actor, wanted.note)
    return await told(
        request,
        lambda conn: impact.tell_moved(conn, moved),
        lambda report: answer(Activated(previous=moved.previous, active=moved.active, report=report)),
    )


@router.get("/assets/{asset_id}/activations", response_model=Page[Activation], **may(Role.VIEWER, 404))
async def list_activations(asset_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Who moved the active version, when, from where to where; newest first."""
    await sql.get_asset(conn, asset_id)
    return answer(await sql.activations_of(conn, asset_id, after=cursor, limit=limit))


@router.get("/assets/{asset_id}/impact", response_model=Impact, **may(Role.VIEWER, 404))
async def get_impact(asset_id: Id, version: Annotated[int, Query(ge=1, le=2**31 - 1)], conn: Transaction) -> Response:
    """What making a version active would make stale, and what fresh again. Changes nothing."""
    return answer(await impact.impact(conn, asset_id, version))
