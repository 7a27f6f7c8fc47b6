"""Waivers: a user accepts a cause, with a reason."""

from fastapi import APIRouter, Response

from genlock.model import Page, Role
from genlock.staleness import waivers, waivers_sql
from genlock.staleness.model import NewWaiver, Waiver
from genlock.timeline import sql as timeline
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, CurrentActor, Cursor, Id, Limit, Transaction, readable_by, writable_by

router = APIRouter(tags=["waivers"], route_class=ApiRoute)


@router.post("/waivers", status_code=201, response_model=Page[Waiver], **writable_by(Role.CREATOR, 404))
async def waive_cause(new: NewWaiver, conn: Transaction, actor: CurrentActor) -> Response:
    """Accept a cause for segments, a scene or a project: one waiver for each segment that has it now.

    The response has the first 500 waivers, and `total`.
    """
    return json_response(await waivers.waive(conn, new, actor), 201)


@router.delete("/waivers/{waiver_id}", response_model=Waiver, **writable_by(Role.CREATOR, 404))
async def withdraw_waiver(waiver_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Withdraw a waiver, so that its cause counts again."""
    return json_response(await waivers.withdraw(conn, waiver_id, actor))


@router.get("/projects/{project_id}/waivers", response_model=Page[Waiver], **readable_by(Role.VIEWER, 404))
async def list_waivers(project_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List a project's waivers, newest first, including withdrawn and expired ones."""
    await timeline.get_project(conn, project_id)
    return json_response(await waivers_sql.waivers_of(conn, project_id, after=cursor, limit=limit))
