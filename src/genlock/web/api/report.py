"""The report: what is out of date in a project, why, and the cost of fixing it."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from genlock.model import Role
from genlock.regeneration.planning.restorable import with_restorable
from genlock.staleness.model import Report
from genlock.staleness.report import report
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Cursor, Id, Limit, Transaction, readable_by

router = APIRouter(tags=["staleness"], route_class=ApiRoute)
GROUP_ID = "^(chain|unmatched-[0-9]+|asset-[0-9]+-[0-9]+-[0-9]+)$"
GroupId = Annotated[str, Path(max_length=100, pattern=GROUP_ID)]


@router.get("/projects/{project_id}/staleness-report", response_model=Report, **readable_by(Role.VIEWER, 404))
async def get_report(project_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Return what is out of date, grouped by cause, most segments first."""
    page, judged = await report(conn, project_id, after=cursor, limit=limit)
    groups = await with_restorable(conn, project_id, page.groups, judged)
    return json_response(page.model_copy(update={"groups": groups}))
