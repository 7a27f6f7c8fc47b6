"""Projects, with their segments by state."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from genlock.db.connection import Conn
from genlock.model import Page, Role
from genlock.staleness import segment_list
from genlock.takes import editing
from genlock.timeline import actions, sql
from genlock.timeline.model import NewName, NewProject, Project, Slug
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, CurrentActor, Cursor, Id, Limit, Transaction, readable_by, writable_by

router = APIRouter(tags=["projects"], route_class=ApiRoute)


@router.post("/projects", status_code=201, response_model=Project, **writable_by(Role.CREATOR))
async def create_project(new: NewProject, conn: Transaction, actor: CurrentActor) -> Response:
    """Create a project. Its slug is unique and never changes."""
    return json_response(await _counted(conn, await actions.create_project(conn, new, actor)), 201)


@router.get("/projects", response_model=Page[Project], **readable_by(Role.VIEWER))
async def list_projects(
    conn: Transaction,
    slug: Annotated[Slug | None, Query()] = None,
    archived: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List projects, oldest first; ``slug`` limits them to the one with that slug."""
    page = await sql.list_projects(conn, slug=slug, archived=archived, after=cursor, limit=limit)
    counts = await segment_list.project_counts(conn, [project.id for project in page.items])
    items = tuple(project.model_copy(update={"counts": counts[project.id]}) for project in page.items)
    return json_response(page.model_copy(update={"items": items}))


@router.get("/projects/{project_id}", response_model=Project, **readable_by(Role.VIEWER, 404))
async def get_project(project_id: Id, conn: Transaction) -> Response:
    """Return a project."""
    return json_response(await _counted(conn, await sql.get_project(conn, project_id)))


@router.patch("/projects/{project_id}", response_model=Project, **writable_by(Role.CREATOR, 404))
async def rename_project(project_id: Id, new: NewName, conn: Transaction, actor: CurrentActor) -> Response:
    """Rename a project; its slug does not change."""
    return json_response(await _counted(conn, await actions.rename_project(conn, project_id, new.name, actor)))


@router.post("/projects/{project_id}/archive", response_model=Project, **writable_by(Role.CREATOR, 404))
async def archive_project(project_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Archive a project: it leaves counts and reports. Nothing is deleted."""
    return json_response(await _counted(conn, await editing.archive_project(conn, project_id, actor)))


@router.post("/projects/{project_id}/restore", response_model=Project, **writable_by(Role.CREATOR, 404))
async def restore_project(project_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Restore an archived project."""
    return json_response(await _counted(conn, await editing.restore_project(conn, project_id, actor)))


async def _counted(conn: Conn, project: Project) -> Project:
    counts = await segment_list.project_counts(conn, [project.id])
    return project.model_copy(update={"counts": counts[project.id]})
