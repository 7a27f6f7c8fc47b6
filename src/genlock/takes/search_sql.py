"""Finds receipts by digest, output, seed and prompt: newest first, by index probes alone.

Each thing that is asked for is a list of receipts in an index. A page walks all lists at once, from the newest receipt
downwards: every list is asked for its newest receipt at or before a point; where all name the same one it is found, and
else the walk goes on from the lowest. So the cost grows with the shortest list and the page, never with all receipts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from genlock.db.connection import Conn, execute, many, rows
from genlock.db.pages import decode_key, page_of
from genlock.digest import Digest, to_raw
from genlock.model import Page, Seed
from genlock.takes.model import ReceiptLine


@dataclass(frozen=True, slots=True)
class _List:
    """A query for the newest receipt at or before ``at`` for which something holds, and its parameters."""

    query: LiteralString
    params: dict[str, Any]


async def search(
    conn: Conn,
    *,
    digest: Digest | None = None,
    output: Digest | None = None,
    seed: Seed | None = None,
    prompt: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Page[ReceiptLine]:
    """Receipts for which everything given holds, newest first.

    ``digest`` is any digest: of an input or of what is equal to it, of an output, of the graph, the claim, the wish or
    the document itself. ``prompt`` is text to look for, in quotes for phrases, with ``-`` for what must not be there.
    """
    key = decode_key(after)
    before: int = 2**63 - 1 if key is None else key
    lists: list[_List] = []
    if output is not None:
        lists.append(_List(_OF_OUTPUT, {"output": to_raw(output)}))
    if seed is not None:
        lists.append(_List(_OF_SEED, {"seed": seed}))
    if digest is not None:
        lists.append(_List(_OF_DIGEST, {"digest": to_raw(digest), **await _uses_of(conn, digest)}))
    if prompt is not None:
        ids = await _with_prompt(conn, lists, prompt, before, limit + 1)
    elif lists and digest is not None and len(lists) == 1:
        ids = await _of_digest(conn, lists[0], before, limit + 1)
    elif lists:
        ids = await _in_all(conn, lists, before, limit + 1)
    else:
        ids = await _newest(conn, before, limit + 1)
    return page_of(await _lines(conn, ids), limit, lambda last: (last.id,))


_OF_OUTPUT: LiteralString = """
        SELECT max(receipt_id) AS id FROM receipt_outputs WHERE digest = %(output)s AND receipt_id <= at
"""
_OF_SEED: LiteralString = """
        SELECT max(id) AS id FROM receipts WHERE seed = %(seed)s::numeric AND id <= at
"""
_OF_DIGEST: LiteralString = """
        SELECT max(id) AS id FROM (
            SELECT max(receipt_id) AS id FROM receipt_outputs WHERE digest = %(digest)s AND receipt_id <= at
             UNION ALL
            SELECT max(receipt_id) FROM receipt_inputs WHERE digest = %(digest)s AND receipt_id <= at
             UNION ALL
            SELECT max(id) FROM receipts WHERE receipt_digest = %(digest)s AND id <= at
             UNION ALL
            SELECT max(id) FROM receipts WHERE inputs_digest = %(digest)s AND id <= at
             UNION ALL
            SELECT max(id) FROM receipts WHERE claim_digest = %(digest)s AND id <= at
             UNION ALL
            SELECT max(id) FROM receipts WHERE graph_digest = %(digest)s AND id <= at
             UNION ALL
            SELECT newest.id
              FROM unnest(%(contents)s::bigint[], %(projects)s::bigint[]) AS used (content_id, project_id)
             CROSS JOIN LATERAL (
                   SELECT max(receipt_id) AS id FROM resolved_inputs i
                    WHERE i.content_id = used.content_id AND i.project_id = used.project_id AND i.receipt_id <= at
                    UNION ALL
                   SELECT max(receipt_id) FROM resolved_inputs i
                    WHERE i.content_id = used.content_id AND i.project_id IS NULL AND i.receipt_id <= at
                      AND used.project_id IS NULL) AS newest) AS of_any_kind
"""
_SAYS: LiteralString = "to_tsvector('simple', coalesce(r.prompt, '')) @@ websearch_to_tsquery('simple', %(prompt)s)"
_FEW = 1000
_RECENT = 1000


async def _uses_of(conn: Conn, digest: Digest) -> dict[str, list[Any]]:
    """The contents that have this digest or are equal to it, each with every project that used it, and with none."""
    found = await rows(
        conn,
        """
        WITH RECURSIVE content (id) AS (
            SELECT id FROM contents WHERE digest = %(digest)s
             UNION
            SELECT id FROM contents WHERE effective_digest = %(digest)s
        ), used (content_id, project_id) AS (
            SELECT c.id, (SELECT min(project_id) FROM resolved_inputs i WHERE i.content_id = c.id) FROM content c
             UNION ALL
            SELECT u.content_id, (SELECT min(project_id) FROM resolved_inputs i
                                   WHERE i.content_id = u.content_id AND i.project_id > u.project_id)
              FROM used u
             WHERE u.project_id IS NOT NULL
        )
        SELECT content_id, project_id FROM used
        """,
        digest=to_raw(digest),
    )
    return {"contents": [row["content_id"] for row in found], "projects": [row["project_id"] for row in found]}


async def _of_digest(conn: Conn, uses: _List, before: int, limit: int) -> list[int]:
    """The newest receipts before one that have a digest in any place: a page of each place, merged.

    What everything uses is used in many projects, and a walk would ask each of them again for every receipt.
    """
    found = await rows(
        conn,
        """
        SELECT DISTINCT id FROM (
            (SELECT DISTINCT receipt_id AS id FROM receipt_outputs
              WHERE digest = %(digest)s AND receipt_id < %(before)s ORDER BY 1 DESC LIMIT %(limit)s)
             UNION ALL
            (SELECT DISTINCT receipt_id FROM receipt_inputs
              WHERE digest = %(digest)s AND receipt_id < %(before)s ORDER BY 1 DESC LIMIT %(limit)s)
             UNION ALL
            (SELECT id FROM receipts WHERE receipt_digest = %(digest)s AND id < %(before)s
              ORDER BY 1 DESC LIMIT %(limit)s)
             UNION ALL
            (SELECT id FROM receipts WHERE inputs_digest = %(digest)s AND id < %(before)s
              ORDER BY 1 DESC LIMIT %(limit)s)
             UNION ALL
            (SELECT id FROM receipts WHERE claim_digest = %(digest)s AND id < %(before)s
              ORDER BY 1 DESC LIMIT %(limit)s)
             UNION ALL
            (SELECT id FROM receipts WHERE graph_digest = %(digest)s AND id < %(before)s
              ORDER BY 1 DESC LIMIT %(limit)s)
             UNION ALL
            SELECT page.id
              FROM unnest(%(contents)s::bigint[], %(projects)s::bigint[]) AS used (content_id, project_id)
             CROSS JOIN LATERAL (
                   (SELECT DISTINCT receipt_id AS id FROM resolved_inputs i
                     WHERE i.content_id = used.content_id AND i.project_id = used.project_id
                       AND i.receipt_id < %(before)s
                     ORDER BY 1 DESC LIMIT %(limit)s)
                    UNION ALL
                   (SELECT DISTINCT receipt_id FROM resolved_inputs i
                     WHERE i.content_id = used.content_id AND i.project_id IS NULL AND used.project_id IS NULL
                       AND i.receipt_id < %(before)s
                     ORDER BY 1 DESC LIMIT %(limit)s)) AS page) AS of_any_kind
         ORDER BY id DESC
         LIMIT %(limit)s
        """,
        before=before,
        limit=limit,
        **uses.params,
    )
    return [row["id"] for row in found]


async def _in_all(conn: Conn, lists: Sequence[_List], before: int, limit: int, says: str | None = None) -> list[int]:
    """The newest receipts before one that are in every list; with ``says``, those whose prompt has that text."""
    # A scalar subquery, because a join could be planned to end the whole walk first.
    also: LiteralString = "" if says is None else f" AND (SELECT {_SAYS} FROM receipts r WHERE r.id = hit)"
    found = await rows(
        conn,
        f"""
        WITH RECURSIVE walk (at, hit) AS (
            SELECT %(before)s::bigint - 1, NULL::bigint
             UNION ALL
            SELECT CASE WHEN lowest = highest THEN lowest - 1 ELSE lowest END,
                   CASE WHEN lowest = highest THEN lowest END
              FROM walk
             CROSS JOIN LATERAL ({_ends(lists)}) AS ends
             WHERE ends.lists = %(lists)s
        )
        SELECT hit AS id FROM walk WHERE hit IS NOT NULL{also} LIMIT %(limit)s
        """,
        before=before,
        lists=len(lists),
        limit=limit,
        prompt=says,
        **_params(lists),
    )
    return [row["id"] for row in found]


async def _with_prompt(conn: Conn, lists: Sequence[_List], prompt: str, before: int, limit: int) -> list[int]:
    """The newest receipts before one whose prompt has some text and that are in every list.

    An index of words has no order. Words that are common fill a page from the newest receipts; few hits are all looked
    at; many, within the lists; and only what was said often, but not lately, is looked at as a whole.
    """
    if not lists:
        recent = await _recent(conn, prompt, before, limit)
        if len(recent) == limit:
            return recent
    # The planner guesses words to be independent; where it guessed too many it would read every receipt instead.
    await execute(conn, "SELECT set_config('enable_seqscan', 'off', true)")
    hits = await rows(conn, f"SELECT r.id FROM receipts r WHERE {_SAYS} LIMIT %(few)s", prompt=prompt, few=_FEW + 1)
    if len(hits) <= _FEW:
        ids = sorted((row["id"] for row in hits if row["id"] < before), reverse=True)
        return (await _keep(conn, lists, ids))[:limit] if lists else ids[:limit]
    if lists:
        return await _in_all(conn, lists, before, limit, says=prompt)
    found = await rows(
        conn,
        f"""
        WITH hits AS MATERIALIZED (SELECT r.id FROM receipts r WHERE {_SAYS})
        SELECT id FROM hits WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s
        """,
        prompt=prompt,
        before=before,
        limit=limit,
    )
    return [row["id"] for row in found]


async def _recent(conn: Conn, prompt: str, before: int, limit: int) -> list[int]:
    """Those of the newest receipts before one whose prompt has some text."""
    found = await rows(
        conn,
        f"""
        SELECT r.id
          FROM (SELECT id, prompt FROM receipts WHERE id < %(before)s ORDER BY id DESC LIMIT %(recent)s) AS r
         WHERE {_SAYS}
         LIMIT %(limit)s
        """,
        before=before,
        recent=_RECENT,
        prompt=prompt,
        limit=limit,
    )
    return [row["id"] for row in found]


async def _keep(conn: Conn, lists: Sequence[_List], ids: Sequence[int]) -> list[int]:
    """Those of some receipts that are in every list, in their order."""
    found = await rows(
        conn,
        f"""
        SELECT hit.at AS id
          FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS hit (at, n)
         CROSS JOIN LATERAL ({_ends(lists)}) AS ends
         WHERE ends.lists = %(lists)s AND ends.lowest = hit.at
         ORDER BY hit.n
        """,
        ids=list(ids),
        lists=len(lists),
        **_params(lists),
    )
    return [row["id"] for row in found]


def _ends(lists: Sequence[_List]) -> LiteralString:
    """A query for the lowest and the highest of what lists name at or before ``at``, and how many lists go on."""
    every: LiteralString = " UNION ALL ".join(one.query for one in lists)
    return f"SELECT min(id) AS lowest, max(id) AS highest, count(id) AS lists FROM ({every}) AS newest"


def _params(lists: Sequence[_List]) -> dict[str, Any]:
    return {name: value for one in lists for name, value in one.params.items()}


async def _newest(conn: Conn, before: int, limit: int) -> list[int]:
    found = await rows(
        conn,
        "SELECT id FROM receipts WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s",
        before=before,
        limit=limit,
    )
    return [row["id"] for row in found]


async def _lines(conn: Conn, ids: Sequence[int]) -> tuple[ReceiptLine, ...]:
    return await many(
        conn,
        ReceiptLine,
        """
        SELECT r.id, r.project_id, r.segment_id, r.take_id, t.number AS take, r.asset_id, r.version,
               digest_text(r.receipt_digest) AS receipt_digest, r.engine, r.seed::text AS seed, r.prompt, r.evidence,
               r.recorded_at
          FROM unnest(%(ids)s::bigint[]) AS found (id)
          JOIN receipts r ON r.id = found.id
          LEFT JOIN takes t ON t.id = r.take_id
         ORDER BY r.id DESC
        """,
        ids=list(ids),
    )
