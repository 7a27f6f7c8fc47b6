"""The rows of captures, and where a run says it belongs."""

from psycopg.types.json import Jsonb

from genlock.capture.inbox import Capture, CaptureDetails, CaptureState
from genlock.capture.runs import RunPlace, RunRecord
from genlock.db.connection import Conn, execute, many, maybe, one, scalar
from genlock.db.pages import decode_key, page_of
from genlock.digest import Digest, to_raw
from genlock.errors import NotFound
from genlock.model import Actor, Page
from genlock.names import normalise_name

_COLUMNS = """
        SELECT id, run, prompt_id, status, state, why, place, segment_id, receipt_id, digest_text(video) AS video,
               digest_text(graph) AS graph, started_at, duration_s, received_at, received_by
"""
_HINT = "`genlock inbox list --state all` shows every run that arrived."


async def by_run(conn: Conn, run: str) -> Capture | None:
    """The capture of a run, if it arrived before."""
    return await maybe(conn, Capture, _COLUMNS + " FROM captures WHERE run = %(run)s", run=run)


async def get_capture(conn: Conn, capture_id: int) -> CaptureDetails:
    """A capture with its record; ``NotFound`` when there is none."""
    return await one(
        conn,
        CaptureDetails,
        NotFound(f"There is no capture {capture_id}.", hint=_HINT),
        _COLUMNS + ", record FROM captures WHERE id = %(capture_id)s",
        capture_id=capture_id,
    )


async def lock_capture(conn: Conn, capture_id: int) -> CaptureDetails:
    """A capture, held against others who would assign it until the transaction ends."""
    await execute(conn, "SELECT 1 FROM captures WHERE id = %(capture_id)s FOR UPDATE", capture_id=capture_id)
    return await get_capture(conn, capture_id)


async def captures(
    conn: Conn, *, state: CaptureState | None, after: str | None = None, limit: int = 100
) -> Page[Capture]:
    """Captures in one state, or in any, newest first."""
    found = await many(
        conn,
        Capture,
        _COLUMNS
        + """
          FROM captures
         WHERE (%(state)s::text IS NULL OR state = %(state)s) AND (%(before)s::bigint IS NULL OR id < %(before)s)
         ORDER BY id DESC
         LIMIT %(limit)s + 1
        """,
        state=state,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(found, limit, lambda last: (last.id,))


async def insert_capture(
    conn: Conn, record: RunRecord, graph: Digest, video: Digest | None, place: RunPlace | None, actor: Actor
) -> int | None:
    """A run that arrived, in the inbox for now; None if it is there already, or is just arriving elsewhere."""
    return await scalar(
        conn,
        """
        INSERT INTO captures (run, prompt_id, status, state, place, video, graph, record, started_at, duration_s,
                              received_by)
        VALUES (%(run)s, %(prompt_id)s, %(status)s, 'inbox', %(place)s, %(video)s, %(graph)s, %(record)s,
                %(started_at)s, %(duration_s)s, %(actor)s)
        ON CONFLICT ON CONSTRAINT captures_run_once DO NOTHING
        RETURNING id
        """,
        run=record.run,
        prompt_id=record.prompt_id,
        status=record.status,
        place=None if place is None else Jsonb(place.model_dump()),
        video=None if video is None else to_raw(video),
        graph=to_raw(graph),
        record=Jsonb(record.model_dump(mode="json")),
        started_at=record.started_at,
        duration_s=record.duration_s,
        actor=actor.name,
    )


async def settle(
    conn: Conn,
    capture_id: int,
    state: CaptureState,
    why: str | None = None,
    *,
    segment_id: int | None = None,
    receipt_id: int | None = None,
) -> None:
    """Say what became of a capture."""
    await execute(
        conn,
        """
        UPDATE captures
           SET state = %(state)s, why = %(why)s, segment_id = %(segment_id)s, receipt_id = %(receipt_id)s
         WHERE id = %(capture_id)s
        """,
        capture_id=capture_id,
        state=state,
        why=why,
        segment_id=segment_id,
        receipt_id=receipt_id,
    )


async def segment_at_place(conn: Conn, place: RunPlace) -> int | None:
    """The open segment that a place names: by its name, else by its position."""
    return await scalar(
        conn,
        """
        SELECT g.id
          FROM projects p
          JOIN scenes s ON s.project_id = p.id
          JOIN segments g ON g.scene_id = s.id
         WHERE p.slug = %(project)s AND s.name = %(scene)s
           AND (g.name = %(segment)s OR g.position::text = %(segment)s)
           AND p.archived_at IS NULL AND s.archived_at IS NULL AND g.archived_at IS NULL
         ORDER BY (g.position::text = %(segment)s) DESC, g.id
         LIMIT 1
        """,
        project=place.project,
        scene=normalise_name(place.scene),
        segment=normalise_name(place.segment),
    )


async def receipt_of_repeated(conn: Conn, graph: Digest, outputs: list[Digest]) -> int | None:
    """The receipt of what a run showed again: of its files, else of the newest run of the same graph."""
    return await scalar(
        conn,
        """
        SELECT coalesce(
            (SELECT max(receipt_id) FROM receipt_outputs WHERE digest = ANY(%(outputs)s) AND part = 'video'),
            (SELECT receipt_id FROM captures
              WHERE graph = %(graph)s AND receipt_id IS NOT NULL ORDER BY id DESC LIMIT 1))
        """,
        graph=to_raw(graph),
        outputs=[to_raw(output) for output in outputs],
    )
