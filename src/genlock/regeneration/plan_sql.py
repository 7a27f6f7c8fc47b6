"""The rows of plans: read."""

from genlock.db.connection import Conn
from genlock.errors import Unavailable
from genlock.model import Page
from genlock.regeneration.model import LeftOut, Plan, PlanState, Step

_SOON = Unavailable("Plans are being built.", hint="Pull again.")


async def get_plan(conn: Conn, plan_id: int) -> Plan:
    """A plan by id; ``NotFound`` when there is none."""
    raise _SOON


async def list_plans(
    conn: Conn,
    *,
    project_id: int | None = None,
    state: PlanState | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Page[Plan]:
    """Plans, newest first."""
    raise _SOON


async def steps_of(conn: Conn, plan_id: int, *, after: str | None = None, limit: int = 100) -> Page[Step]:
    """A plan's steps in dependency order, with the exact total."""
    raise _SOON


async def left_out_of(conn: Conn, plan_id: int, *, after: str | None = None, limit: int = 100) -> Page[LeftOut]:
    """The segments that a plan leaves out, with the exact total."""
    raise _SOON
