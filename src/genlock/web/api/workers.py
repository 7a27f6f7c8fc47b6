"""Workers: the processes that execute the steps of plans."""

from fastapi import APIRouter, Response

from genlock.model import Page, Role
from genlock.regeneration import worker_sql
from genlock.regeneration.model import WorkerView
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Transaction, readable_by

router = APIRouter(tags=["workers"], route_class=ApiRoute)


@router.get("/workers", response_model=Page[WorkerView], **readable_by(Role.ADMIN))
async def list_workers(conn: Transaction) -> Response:
    """List the workers, with their engines and last contact."""
    workers = await worker_sql.list_workers(conn)
    return json_response(Page[WorkerView](items=workers, total=len(workers)))
