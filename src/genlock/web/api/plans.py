"""Plans and renders, with their progress."""

from fastapi import APIRouter, Response

from genlock.model import Page, Role
from genlock.regeneration import actions, render
from genlock.regeneration.model import LeftOut, NewPlan, NewRender, Plan, PlanState, Start, Step
from genlock.regeneration.plans import plan_sql
from genlock.web.responses import json_response
from genlock.web.route import (
    ApiRoute,
    Context,
    CurrentActor,
    Cursor,
    Id,
    IdFilter,
    Limit,
    Transaction,
    readable_by,
    writable_by,
)

router = APIRouter(tags=["plans"], route_class=ApiRoute)


@router.post("/plans", status_code=201, response_model=Plan, **writable_by(Role.CREATOR, 404))
async def create_plan(new: NewPlan, conn: Transaction, actor: CurrentActor) -> Response:
    """Create a draft plan: what would be rendered, in order, and what is left out. Nothing runs yet."""
    return json_response(await actions.create(conn, new, actor), 201)


@router.get("/plans", response_model=Page[Plan], **readable_by(Role.VIEWER))
async def list_plans(
    conn: Transaction,
    project_id: IdFilter = None,
    state: PlanState | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List plans, newest first."""
    return json_response(await plan_sql.list_plans(conn, project_id=project_id, state=state, after=cursor, limit=limit))


@router.get("/plans/{plan_id}", response_model=Plan, **readable_by(Role.VIEWER, 404))
async def get_plan(plan_id: Id, conn: Transaction) -> Response:
    """Return the current state of a plan."""
    return json_response(await plan_sql.get_plan(conn, plan_id))


@router.get("/plans/{plan_id}/steps", response_model=Page[Step], **readable_by(Role.VIEWER, 404))
async def list_steps(plan_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List a plan's steps, in the order in which they can run."""
    await plan_sql.get_plan(conn, plan_id)
    return json_response(await plan_sql.steps_of(conn, plan_id, after=cursor, limit=limit))


@router.get("/plans/{plan_id}/left-out", response_model=Page[LeftOut], **readable_by(Role.VIEWER, 404))
async def list_left_out(plan_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List the segments that a plan leaves out, and why."""
    await plan_sql.get_plan(conn, plan_id)
    return json_response(await plan_sql.left_out_of(conn, plan_id, after=cursor, limit=limit))


@router.post("/plans/{plan_id}/start", response_model=Plan, **writable_by(Role.CREATOR, 404))
async def start_plan(plan_id: Id, conn: Transaction, actor: CurrentActor, start: Start | None = None) -> Response:
    """Start a plan. 409 if its expected versions or takes have changed, unless ``as_planned``."""
    as_planned = start is not None and start.as_planned
    return json_response(await actions.start(conn, plan_id, actor, as_planned=as_planned))


@router.post("/plans/{plan_id}/cancel", response_model=Plan, **writable_by(Role.CREATOR, 404))
async def cancel_plan(plan_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Cancel a plan at once; finished steps are kept."""
    return json_response(await actions.cancel(conn, plan_id, actor))


@router.post("/plans/{plan_id}/retry", response_model=Plan, **writable_by(Role.CREATOR, 404))
async def retry_plan(plan_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Retry the steps that failed or were cancelled, and those that depend on them."""
    return json_response(await actions.retry(conn, plan_id, actor))


@router.post("/plans/{plan_id}/accept", response_model=Plan, **writable_by(Role.CREATOR, 404))
async def accept_plan(plan_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Select every take made by a plan in review."""
    return json_response(await actions.accept(conn, plan_id, actor))


@router.post("/segments/{segment_id}/render", status_code=201, response_model=Plan, **writable_by(Role.CREATOR, 404))
async def render_segment(
    segment_id: Id, new: NewRender, conn: Transaction, actor: CurrentActor, services: Context
) -> Response:
    """Start a plan that renders a take of a segment."""
    return json_response(await render.render_segment(conn, segment_id, new, actor, services.store), 201)


@router.post("/scenes/{scene_id}/render", status_code=201, response_model=Plan, **writable_by(Role.CREATOR, 404))
async def render_scene(
    scene_id: Id, new: NewRender, conn: Transaction, actor: CurrentActor, services: Context
) -> Response:
    """Start a plan that renders a take of every segment of a scene, in order."""
    return json_response(await render.render_scene(conn, scene_id, new, actor, services.store), 201)


@router.post("/assets/{asset_id}/render", status_code=201, response_model=Plan, **writable_by(Role.CREATOR, 404))
async def render_asset(
    asset_id: Id, new: NewRender, conn: Transaction, actor: CurrentActor, services: Context
) -> Response:
    """Start a plan that renders a new version of an asset, such as a variant, with its receipt and derivation."""
    return json_response(await render.render_asset(conn, asset_id, new, actor, services.store), 201)
