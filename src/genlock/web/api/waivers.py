"""Waivers: a person accepts a cause, with a reason."""

from fastapi import APIRouter, Response

from genlock.model import Page, Role
from genlock.staleness import waive, waiver_sql
from genlock.staleness.model import NewWaiver, Waiver
from genlock.timeline import sql as timeline
from genlock.web.answers import answer
from genlock.web.door import Cursor, Door, Id, Limit, Transaction, Who, may, writes

router = APIRouter(tags=["waivers"], route_class=Door)


@router.post("/waivers", status_code=201, response_model=Page[Waiver], **writes(Role.CREATOR, 404))
async def waive_cause(new: NewWaiver, conn: Transaction, actor: Who) -> Response:
    """Accept a cause for segments, for a scene's or for a project's: one waiver for each segment that has it now."""
    made = await waive.waive(conn, new, actor)
    return answer(Page[Waiver](items=made, total=len(made)), 201)


@router.delete("/waivers/{waiver_id}", response_model=Waiver, **writes(Role.CREATOR, 404))
async def withdraw_waiver(waiver_id: Id, conn: Transaction, actor: Who) -> Response:
    """Withdraw a waiver: what it accepted counts again."""
    return answer(await waive.withdraw(conn, waiver_id, actor))


@router.get("/projects/{project_id}/waivers", response_model=Page[Waiver], **may(Role.VIEWER, 404))
async def list_waivers(project_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """A project's waivers, newest first, withdrawn and expired ones too."""
    await timeline.get_project(conn, project_id)
    return answer(await waiver_sql.waivers_of(conn, project_id, after=cursor, limit=limit))
