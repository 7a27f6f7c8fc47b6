"""Decisions about plans: made, started, cancelled, retried, accepted."""

from genlock.db.connection import Conn
from genlock.errors import Unavailable
from genlock.model import Actor
from genlock.regeneration.model import NewPlan, Plan

_SOON = Unavailable("Plans are being built.", hint="Pull again.")


async def create(conn: Conn, new: NewPlan, actor: Actor) -> Plan:
    """A plan in the state draft: shown before anything runs."""
    raise _SOON


async def start(conn: Conn, plan_id: int, actor: Actor, *, as_planned: bool = False) -> Plan:
    """Run a plan. ``Conflict`` when something moved since, unless ``as_planned``; or when another plan holds a segment."""
    raise _SOON


async def cancel(conn: Conn, plan_id: int, actor: Actor) -> Plan:
    """End a plan at once; what is finished stays."""
    raise _SOON


async def retry(conn: Conn, plan_id: int, actor: Actor) -> Plan:
    """Run again what failed or was cancelled, and what depends on it."""
    raise _SOON


async def accept(conn: Conn, plan_id: int, actor: Actor) -> Plan:
    """Put every take that a reviewed plan made into the cut."""
    raise _SOON
