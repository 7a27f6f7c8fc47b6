"""Queries of projects, scenes, and segments in a dense order."""

from collections.abc import Sequence

from genlock.db.connection import Conn, SentQueryFor, ask_many, execute, many, maybe, rows, scalar, single
from genlock.db.pages import decode_key, page_of
from genlock.errors import NotFound
from genlock.model import Actor, Page
from genlock.timeline.model import NewProject, Project, Scene, Segment

# projects ----------------------------------------------------------------------------------------


async def insert_project(conn: Conn, new: NewProject, actor: Actor) -> int:
    """Insert a project without scenes; return its id."""
    return await scalar(
        conn,
        "INSERT INTO projects (slug, name, created_by) VALUES (%(slug)s, %(name)s, %(actor)s) RETURNING id",
        slug=new.slug,
        name=new.name,
        actor=actor.name,
    )


async def get_project(conn: Conn, project_id: int) -> Project:
    """Return a project by id. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Project,
        NotFound(f"There is no project {project_id}.", hint="`genlock project list` shows all projects."),
        """
        SELECT id, slug, name, archived_at IS NOT NULL AS archived, created_at, created_by
          FROM projects
         WHERE id = %(id)s
        """,
        id=project_id,
    )


async def list_projects(
    conn: Conn, *, slug: str | None = None, archived: bool = False, after: str | None = None, limit: int = 100
) -> Page[Project]:
    """Return projects, oldest first; only the one with ``slug`` if it is given."""
    projects = await many(
        conn,
        Project,
        """
        SELECT id, slug, name, archived_at IS NOT NULL AS archived, created_at, created_by
          FROM projects
         WHERE (archived_at IS NOT NULL) = %(archived)s AND id > %(after)s
           AND (%(slug)s::text IS NULL OR slug = %(slug)s)
         ORDER BY id
         LIMIT %(limit)s + 1
        """,
        archived=archived,
        slug=slug,
        after=decode_key(after) or 0,
        limit=limit,
    )
    return page_of(projects, limit, lambda last: (last.id,))


async def lock_project(conn: Conn, project_id: int) -> None:
    """Lock a project against new scenes, archiving and restoring until the transaction ends."""
    await execute(conn, "SELECT 1 FROM projects WHERE id = %(id)s FOR NO KEY UPDATE", id=project_id)


async def rename_project(conn: Conn, project_id: int, name: str) -> None:
    """Rename a project."""
    await execute(conn, "UPDATE projects SET name = %(name)s WHERE id = %(id)s", name=name, id=project_id)


async def set_project_archived(conn: Conn, project_id: int, archived: bool) -> bool:
    """Archive or restore a project; return whether anything changed."""
    changed = await execute(
        conn,
        """
        UPDATE projects SET archived_at = CASE WHEN %(archived)s THEN now() END
         WHERE id = %(id)s AND (archived_at IS NOT NULL) <> %(archived)s
        """,
        archived=archived,
        id=project_id,
    )
    return changed > 0


# scenes ------------------------------------------------------------------------------------------


async def insert_scene(conn: Conn, project_id: int, name: str, actor: Actor) -> int:
    """Insert a scene at the end of a locked project; return its id."""
    return await scalar(
        conn,
        """
        INSERT INTO scenes (project_id, name, position, created_by)
        SELECT %(project_id)s, %(name)s, coalesce(max(position), 0) + 1, %(actor)s
          FROM scenes WHERE project_id = %(project_id)s
        RETURNING id
        """,
        project_id=project_id,
        name=name,
        actor=actor.name,
    )


async def get_scene(conn: Conn, scene_id: int) -> Scene:
    """Return a scene by id. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Scene,
        NotFound(f"There is no scene {scene_id}.", hint="`genlock project show` lists a project's scenes."),
        """
        SELECT id, project_id, name, position, archived_at IS NOT NULL AS archived, created_at, created_by
          FROM scenes
         WHERE id = %(id)s
        """,
        id=scene_id,
    )


async def lock_scene(conn: Conn, scene_id: int) -> Scene:
    """Return a scene, locked against changes of its order or its selected takes until the transaction ends."""
    await execute(conn, "SELECT 1 FROM scenes WHERE id = %(id)s FOR NO KEY UPDATE", id=scene_id)
    return await get_scene(conn, scene_id)


async def lock_scene_of(conn: Conn, segment_id: int) -> None:
    """Lock the scene of a segment as ``lock_scene`` does. A segment never changes its scene."""
    await execute(
        conn,
        "SELECT 1 FROM scenes WHERE id = (SELECT scene_id FROM segments WHERE id = %(id)s) FOR NO KEY UPDATE",
        id=segment_id,
    )


async def lock_scenes_of(conn: Conn, project_id: int) -> None:
    """Lock all scenes of a project as ``lock_scene`` does, lowest id first."""
    await execute(conn, "SELECT 1 FROM scenes WHERE project_id = %(id)s ORDER BY id FOR NO KEY UPDATE", id=project_id)


async def open_scenes_of(conn: Conn, project_id: int) -> tuple[int, ...]:
    """Return the ids of a project's scenes that are not archived."""
    scenes = await rows(
        conn,
        "SELECT id FROM scenes WHERE project_id = %(id)s AND archived_at IS NULL ORDER BY id",
        id=project_id,
    )
    return tuple(scene["id"] for scene in scenes)


async def scenes_of(
    conn: Conn,
    project_id: int,
    *,
    name: str | None = None,
    archived: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> Page[Scene]:
    """Return a project's scenes in order; only the one with ``name`` if it is given."""
    scenes = await many(
        conn,
        Scene,
        """
        SELECT id, project_id, name, position, archived_at IS NOT NULL AS archived, created_at, created_by
          FROM scenes
         WHERE project_id = %(project_id)s AND (archived_at IS NOT NULL) = %(archived)s
           AND (%(name)s::text IS NULL OR name = %(name)s)
           AND position > %(after)s
         ORDER BY position
         LIMIT %(limit)s + 1
        """,
        project_id=project_id,
        name=name,
        archived=archived,
        after=decode_key(after) or 0,
        limit=limit,
    )
    return page_of(scenes, limit, lambda last: (last.position,))


async def rename_scene(conn: Conn, scene_id: int, name: str) -> None:
    """Rename a scene."""
    await execute(conn, "UPDATE scenes SET name = %(name)s WHERE id = %(id)s", name=name, id=scene_id)


async def set_scene_archived(conn: Conn, scene_id: int, archived: bool) -> bool:
    """Archive or restore a scene; return whether anything changed."""
    changed = await execute(
        conn,
        """
        UPDATE scenes SET archived_at = CASE WHEN %(archived)s THEN now() END
         WHERE id = %(id)s AND (archived_at IS NOT NULL) <> %(archived)s
        """,
        archived=archived,
        id=scene_id,
    )
    return changed > 0


# segments ----------------------------------------------------------------------------------------


async def get_segment(conn: Conn, segment_id: int) -> Segment:
    """Return a segment by id. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Segment,
        no_segment(segment_id),
        """
        SELECT id, scene_id, project_id, position, name, chained, archived_at IS NOT NULL AS archived
          FROM segments
         WHERE id = %(id)s
        """,
        id=segment_id,
    )


def no_segment(segment_id: int) -> NotFound:
    """Return the error for a segment that does not exist."""
    return NotFound(f"There is no segment {segment_id}.", hint="`genlock project show` lists a project's segments.")


async def ask_segments(conn: Conn, segment_ids: Sequence[int]) -> SentQueryFor[Segment]:
    """Send the query for the segments with these ids, unordered; unknown ones are omitted."""
    return await ask_many(
        conn,
        Segment,
        """
        SELECT id, scene_id, project_id, position, name, chained, archived_at IS NOT NULL AS archived
          FROM segments
         WHERE id = ANY(%(ids)s)
        """,
        ids=list(segment_ids),
    )


async def segments_of(conn: Conn, scene_id: int) -> tuple[Segment, ...]:
    """Return the segments of a scene in order, except archived ones."""
    return await many(
        conn,
        Segment,
        """
        SELECT id, scene_id, project_id, position, name, chained, archived_at IS NOT NULL AS archived
          FROM segments
         WHERE scene_id = %(id)s AND position IS NOT NULL
         ORDER BY position
        """,
        id=scene_id,
    )


async def segment_at(conn: Conn, scene_id: int, position: int) -> Segment | None:
    """Return the segment at a position of a scene; ``None`` if there is none."""
    return await maybe(
        conn,
        Segment,
        """
        SELECT id, scene_id, project_id, position, name, chained, archived_at IS NOT NULL AS archived
          FROM segments
         WHERE scene_id = %(id)s AND position = %(position)s
        """,
        id=scene_id,
        position=position,
    )


async def shift_segments(conn: Conn, scene_id: int, position: int, count: int) -> None:
    """Shift the segments from ``position`` on by ``count``, which may be negative, and update the scene's total."""
    await execute(
        conn,
        """
        WITH counted AS (
            UPDATE scenes SET segments_total = segments_total + %(count)s WHERE id = %(scene_id)s
        )
        UPDATE segments SET position = position + %(count)s
         WHERE scene_id = %(scene_id)s AND position >= %(position)s
        """,
        scene_id=scene_id,
        position=position,
        count=count,
    )


async def insert_segments(
    conn: Conn, scene: Scene, position: int, count: int, name: str | None, chained: bool, actor: Actor
) -> tuple[Segment, ...]:
    """Insert segments from ``position`` on, after ``shift_segments``; unnamed ones are named after their position."""
    return await many(
        conn,
        Segment,
        """
        INSERT INTO segments (project_id, scene_id, position, name, chained, created_by)
        SELECT %(project_id)s, %(scene_id)s, n, coalesce(%(name)s, 'segment ' || n), %(chained)s, %(actor)s
          FROM generate_series(%(position)s::int, %(position)s::int + %(count)s::int - 1) AS n
        RETURNING id, scene_id, project_id, position, name, chained, false AS archived
        """,
        project_id=scene.project_id,
        scene_id=scene.id,
        position=position,
        count=count,
        name=name,
        chained=chained,
        actor=actor.name,
    )


async def move_segment(conn: Conn, segment: Segment, position: int) -> None:
    """Move a segment to another position of its scene; those in between shift by one."""
    await execute(
        conn,
        """
        UPDATE segments
           SET position = CASE WHEN id = %(id)s THEN %(to)s
                               WHEN %(to)s < %(from)s THEN position + 1 ELSE position - 1 END
         WHERE scene_id = %(scene_id)s
           AND position BETWEEN least(%(from)s, %(to)s) AND greatest(%(from)s, %(to)s)
        """,
        **{"id": segment.id, "scene_id": segment.scene_id, "from": segment.position, "to": position},
    )


async def change_segment(conn: Conn, segment_id: int, name: str | None, chained: bool | None) -> None:
    """Update the name and the chaining of a segment."""
    await execute(
        conn,
        """
        UPDATE segments SET name = coalesce(%(name)s, name), chained = coalesce(%(chained)s, chained)
         WHERE id = %(id)s
        """,
        id=segment_id,
        name=name,
        chained=chained,
    )


async def archive_segment(conn: Conn, segment: Segment) -> None:
    """Archive a segment: it leaves the order; its position is stored."""
    await execute(
        conn,
        """
        UPDATE segments SET archived_at = now(), archived_position = position, position = NULL WHERE id = %(id)s
        """,
        id=segment.id,
    )


async def restore_segment(conn: Conn, segment: Segment) -> int:
    """Restore a segment at its former position, or at the end of a shorter scene; return the position."""
    position: int = await scalar(
        conn,
        """
        SELECT least(g.archived_position, s.segments_total + 1)
          FROM segments g JOIN scenes s ON s.id = g.scene_id
         WHERE g.id = %(id)s
        """,
        id=segment.id,
    )
    await shift_segments(conn, segment.scene_id, position, 1)
    await execute(
        conn,
        """
        UPDATE segments SET archived_at = NULL, archived_position = NULL, position = %(position)s WHERE id = %(id)s
        """,
        id=segment.id,
        position=position,
    )
    return position


async def segments_total(conn: Conn, scene_id: int) -> int:
    """Return the number of segments in a scene, except archived ones."""
    return await scalar(conn, "SELECT segments_total FROM scenes WHERE id = %(id)s", id=scene_id)
