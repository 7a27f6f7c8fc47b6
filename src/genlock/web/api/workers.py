"""Workers: the processes that do the steps of plans."""

from fastapi import APIRouter, Response

from genlock.model import Page, Role
from genlock.regeneration import worker_sql
from genlock.regeneration.model import WorkerView
from genlock.web.answers import answer
from genlock.web.door import Door, Transaction, may

router = APIRouter(tags=["workers"], route_class=Door)


@router.get("/workers", response_model=Page[WorkerView], **may(Role.ADMIN))
async def list_workers(conn: Transaction) -> Response:
    """The worker processes: which engines they have, and when they were heard of last."""
    workers = await worker_sql.list_workers(conn)
    return answer(Page[WorkerView](items=workers, total=len(workers)))
