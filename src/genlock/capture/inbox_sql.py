"""The rows of captures."""

from psycopg.types.json import Jsonb

from genlock.capture.inbox import Capture, CaptureDetails, CaptureState
from genlock.capture.run_record import RunPlace, RunRecord
from genlock.capture.sender import Sender
from genlock.db.connection import Conn, execute, many, maybe, rows, scalar, single
from genlock.db.pages import decode_key, page_of
from genlock.digest import Digest, to_raw
from genlock.errors import NotFound
from genlock.model import Actor, Page

_HINT = "`genlock inbox list --state all` shows every run that arrived."


async def by_run(conn: Conn, run: str) -> Capture | None:
    """Return the capture of a run; None if it has not arrived."""
    return await maybe(
        conn,
        Capture,
        """
        SELECT id, run, prompt_id, status, state, why, for_review, place, segment_id, receipt_id, video, graph,
               started_at, duration_s, received_at, received_by
          FROM capture_details
         WHERE run = %(run)s
        """,
        run=run,
    )


async def by_prompt(conn: Conn, prompt_id: str) -> tuple[tuple[Capture, Sender], ...]:
    """Return the captures of a prompt, newest first, each with its sender. A prompt has one run, rarely a few."""
    result = await rows(
        conn,
        """
        SELECT d.id, d.run, d.prompt_id, d.status, d.state, d.why, d.for_review, d.place, d.segment_id, d.receipt_id,
               d.video, d.graph, d.started_at, d.duration_s, d.received_at, d.received_by,
               c.token_id, k.revoked_at IS NOT NULL AS is_revoked
          FROM captures c
          JOIN capture_details d ON d.id = c.id
          LEFT JOIN tokens k ON k.id = c.token_id
         WHERE c.prompt_id = %(prompt_id)s
         ORDER BY c.id DESC
         LIMIT 100
        """,
        prompt_id=prompt_id,
    )
    return tuple(
        (
            Capture.model_validate({name: row[name] for name in Capture.model_fields}),
            Sender(row["token_id"], row["received_by"], row["is_revoked"]),
        )
        for row in result
    )


async def get_capture(conn: Conn, capture_id: int) -> CaptureDetails:
    """Return a capture with its record. Raises ``NotFound`` if there is none."""
    return await single(
        conn,
        CaptureDetails,
        NotFound(f"There is no capture {capture_id}.", hint=_HINT),
        """
        SELECT id, run, prompt_id, status, state, why, for_review, place, segment_id, receipt_id, video, graph,
               started_at, duration_s, received_at, received_by, record
          FROM capture_details
         WHERE id = %(capture_id)s
        """,
        capture_id=capture_id,
    )


async def lock_capture(conn: Conn, capture_id: int) -> CaptureDetails:
    """Return a capture, locked until the transaction ends."""
    await execute(conn, "SELECT 1 FROM captures WHERE id = %(capture_id)s FOR UPDATE", capture_id=capture_id)
    return await get_capture(conn, capture_id)


async def captures(
    conn: Conn,
    *,
    state: CaptureState | None,
    for_review: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> Page[Capture]:
    """Return a page of the captures in one state, or in any, newest first; ``for_review`` gives only those."""
    page = await many(
        conn,
        Capture,
        """
        SELECT id, run, prompt_id, status, state, why, for_review, place, segment_id, receipt_id, video, graph,
               started_at, duration_s, received_at, received_by
          FROM capture_details
         WHERE (%(state)s::text IS NULL OR state = %(state)s) AND (%(before)s::bigint IS NULL OR id < %(before)s)
           AND (NOT %(for_review)s OR for_review)
         ORDER BY id DESC
         LIMIT %(limit)s + 1
        """,
        state=state,
        for_review=for_review,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(page, limit, lambda last: (last.id,))


async def insert_capture(
    conn: Conn, record: RunRecord, graph: Digest, video: Digest | None, place: RunPlace | None, actor: Actor
) -> int | None:
    """Insert a run into the inbox; return None if it is there already, or another request inserts it now."""
    return await scalar(
        conn,
        """
        INSERT INTO captures (run, prompt_id, status, state, place, video, graph, record, started_at, duration_s,
                              received_by, token_id)
        VALUES (%(run)s, %(prompt_id)s, %(status)s, 'inbox', %(place)s, %(video)s, %(graph)s, %(record)s,
                %(started_at)s, %(duration_s)s, %(actor)s, %(token_id)s)
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
        token_id=actor.token_id,
    )


async def set_outcome(
    conn: Conn,
    capture_id: int,
    state: CaptureState,
    why: str | None = None,
    *,
    segment_id: int | None = None,
    receipt_id: int | None = None,
    for_review: bool = False,
) -> None:
    """Store the outcome of a capture."""
    await execute(
        conn,
        """
        UPDATE captures
           SET state = %(state)s, why = %(why)s, segment_id = %(segment_id)s, receipt_id = %(receipt_id)s,
               for_review = %(for_review)s
         WHERE id = %(capture_id)s
        """,
        capture_id=capture_id,
        state=state,
        why=why,
        segment_id=segment_id,
        receipt_id=receipt_id,
        for_review=for_review,
    )
