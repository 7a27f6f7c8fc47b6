"""Looks up places by their names, archived ones included: a name that is taken is not made again."""

from collections.abc import Sequence

from genlock.db.connection import Conn, scalar


async def project_of_slug(conn: Conn, slug: str) -> int | None:
    """The id of the project with this slug."""
    return await scalar(conn, "SELECT id FROM projects WHERE slug = %(slug)s", slug=slug)


async def scene_of_name(conn: Conn, project_id: int, name: str) -> int | None:
    """The id of a project's scene of this name."""
    return await scalar(
        conn,
        "SELECT id FROM scenes WHERE project_id = %(project_id)s AND name = %(name)s",
        project_id=project_id,
        name=name,
    )


async def segment_of_name(conn: Conn, scene_id: int, names: Sequence[str]) -> int | None:
    """The id of a scene's segment with one of these names, the earlier name first, then the one in the cut."""
    return await scalar(
        conn,
        """
        SELECT id FROM segments
         WHERE scene_id = %(scene_id)s AND name = ANY(%(names)s)
         ORDER BY array_position(%(names)s, name), archived_at IS NOT NULL, position, id
         LIMIT 1
        """,
        scene_id=scene_id,
        names=list(names),
    )
