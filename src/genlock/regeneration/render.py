"""Renders asked for directly: started plans that make the first take of a segment, a whole chain, or a version."""

from genlock.db.connection import Conn
from genlock.errors import Unavailable
from genlock.model import Actor
from genlock.regeneration.model import NewRender, Plan

_SOON = Unavailable("Renders are being built.", hint="Pull again.")


async def render_segment(conn: Conn, segment_id: int, new: NewRender, actor: Actor) -> Plan:
    """A started plan that makes a take of one segment."""
    raise _SOON


async def render_scene(conn: Conn, scene_id: int, new: NewRender, actor: Actor) -> Plan:
    """A started plan that makes a take of every segment of a scene, in order; a chained one continues the one before."""
    raise _SOON


async def render_asset(conn: Conn, asset_id: int, new: NewRender, actor: Actor) -> Plan:
    """A started plan that makes a new version of an asset, with its receipt and derivation."""
    raise _SOON
