"""Looks up projects, scenes and segments by the names that runs and imports give them."""

from collections.abc import Sequence

from genlock.db.connection import Conn, scalar


async def project_of_slug(conn: Conn, slug: str) -> int | None:
    """Return the id of the project with this slug, archived or not."""
    return await scalar(conn, "SELECT id FROM projects WHERE slug = %(slug)s", slug=slug)


async def scene_of_name(conn: Conn, project_id: int, name: str) -> int | None:
    """Return the id of a project's scene of this name, archived or not."""
    return await scalar(
        conn,
        "SELECT id FROM scenes WHERE project_id = %(project_id)s AND name = %(name)s",
        project_id=project_id,
        name=name,
    )


async def open_scene_at(conn: Conn, project: str, scene: str) -> int | None:
    """Return the id of a scene by its project's slug and its name, where neither is archived."""
    return await scalar(
        conn,
        """
        SELECT s.id
          FROM projects p JOIN scenes s ON s.project_id = p.id
         WHERE p.slug = %(project)s AND s.name = %(scene)s AND p.archived_at IS NULL AND s.archived_at IS NULL
        """,
        project=project,
        scene=scene,
    )


async def segment_in(
    conn: Conn, scene_id: int, names: Sequence[str], number: int | None, *, archived: bool
) -> int | None:
    """Return the id of a scene's segment with one of these names, the earlier name first, else at this position.

    A segment that has a number for a name is not meant by its position. ``archived`` includes archived segments.
    """
    return await scalar(
        conn,
        """
        SELECT id
          FROM segments
         WHERE scene_id = %(scene_id)s AND (%(archived)s OR archived_at IS NULL)
           AND (name = ANY(%(names)s) OR (position = %(number)s AND name !~ '^[0-9]+$'))
         ORDER BY array_position(%(names)s, name) NULLS LAST, archived_at IS NOT NULL, position, id
         LIMIT 1
        """,
        scene_id=scene_id,
        names=list(names),
        number=number,
        archived=archived,
    )
