"""Searches receipts by digest, output, seed and prompt, newest first, by index lookups only.

Each criterion is a list of receipts in an index. A page walks all lists at once, from the newest receipt downwards:
each list returns its newest receipt at or before a point. A receipt that all of them return is a hit; otherwise the
walk continues from the lowest. So the cost grows with the shortest list and the page, not with the number of receipts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from genlock.db.connection import Conn, execute, many, rows
from genlock.db.pages import decode_key, page_of
from genlock.digest import Digest, to_raw
from genlock.model import Page, Seed
from genlock.takes.model import ReceiptLine

_FEW = 1000
_RECENT = 1000


@dataclass(frozen=True, slots=True)
class _Uses:
    """The contents that have a digest or are equal to it, each with every project that used it, and with none."""

    contents: list[int] = field(default_factory=list[int])
    projects: list[int | None] = field(default_factory=list[int | None])


@dataclass(frozen=True, slots=True)
class _Criteria:
    """The criteria of a search; a null criterion is not applied."""

    output: bytes | None
    seed: Seed | None
    digest: bytes | None
    uses: _Uses

    @property
    def count(self) -> int:
        return sum(criterion is not None for criterion in (self.output, self.seed, self.digest))


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
    """Return receipts that meet all given criteria, newest first.

    ``digest`` is any digest: of an input or a version equal to it, of an output, the graph, the claim, the inputs or
    the document itself. ``prompt`` is a text search, with quotes for phrases and ``-`` for words to exclude.
    """
    key = decode_key(after)
    before: int = 2**63 - 1 if key is None else key
    criteria = _Criteria(
        output=None if output is None else to_raw(output),
        seed=seed,
        digest=None if digest is None else to_raw(digest),
        uses=_Uses() if digest is None else await _uses_of(conn, digest),
    )
    if prompt is not None:
        ids = await _with_prompt(conn, criteria, prompt, before, limit + 1)
    elif digest is not None and criteria.count == 1:
        ids = await _with_digest(conn, criteria, before, limit + 1)
    elif criteria.count:
        ids = await _walk(conn, criteria, None, before, limit + 1)
    else:
        ids = await _newest(conn, before, limit + 1)
    return page_of(await _lines(conn, ids), limit, lambda last: (last.id,))


async def _uses_of(conn: Conn, digest: Digest) -> _Uses:
    uses = await rows(
        conn,
        """
        WITH RECURSIVE content (id) AS (
            SELECT id FROM contents WHERE digest = %(digest)s
             UNION
            SELECT id FROM contents WHERE effective_digest = %(digest)s
        ), used (content_id, project_id) AS (
            SELECT c.id, (SELECT min(project_id) FROM content_uses i WHERE i.content_id = c.id) FROM content c
             UNION ALL
            SELECT u.content_id, (SELECT min(project_id) FROM content_uses i
                                   WHERE i.content_id = u.content_id AND i.project_id > u.project_id)
              FROM used u
             WHERE u.project_id IS NOT NULL
        )
        SELECT content_id, project_id FROM used
        """,
        digest=to_raw(digest),
    )
    return _Uses([row["content_id"] for row in uses], [row["project_id"] for row in uses])


async def _with_digest(conn: Conn, criteria: _Criteria, before: int, limit: int) -> list[int]:
    """Return the newest receipts before ``before`` that have a digest in any place: a page of each place, merged.

    A content that is used everywhere is used in many projects, and a walk would probe each of them per receipt.
    """
    hits = await rows(
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
                   (SELECT DISTINCT receipt_id AS id FROM content_uses i
                     WHERE i.content_id = used.content_id AND i.project_id = used.project_id
                       AND i.receipt_id < %(before)s
                     ORDER BY 1 DESC LIMIT %(limit)s)
                    UNION ALL
                   (SELECT DISTINCT receipt_id FROM content_uses i
                     WHERE i.content_id = used.content_id AND i.project_id IS NULL AND used.project_id IS NULL
                       AND i.receipt_id < %(before)s
                     ORDER BY 1 DESC LIMIT %(limit)s)) AS page) AS of_any_kind
         ORDER BY id DESC
         LIMIT %(limit)s
        """,
        digest=criteria.digest,
        contents=criteria.uses.contents,
        projects=criteria.uses.projects,
        before=before,
        limit=limit,
    )
    return [row["id"] for row in hits]


async def _walk(conn: Conn, criteria: _Criteria, prompt: str | None, before: int, limit: int) -> list[int]:
    """Return the newest receipts before ``before`` that meet all criteria and whose prompt, if given, matches."""
    if criteria.digest is None:
        return await _walk_without_digest(conn, criteria, prompt, before, limit)
    hits = await rows(
        conn,
        """
        WITH RECURSIVE walk (at, hit) AS (
            SELECT %(before)s::bigint - 1, NULL::bigint
             UNION ALL
            SELECT CASE WHEN lowest = highest THEN lowest - 1 ELSE lowest END,
                   CASE WHEN lowest = highest THEN lowest END
              FROM walk
             CROSS JOIN LATERAL (
                   SELECT min(id) AS lowest, max(id) AS highest, count(id) AS lists FROM (
                       SELECT max(receipt_id) AS id FROM receipt_outputs
                        WHERE digest = %(output)s AND receipt_id <= at
                        UNION ALL
                       SELECT max(id) FROM receipts WHERE seed = %(seed)s::numeric AND id <= at
                        UNION ALL
                       SELECT max(id) FROM (
                           SELECT max(receipt_id) AS id FROM receipt_outputs
                            WHERE digest = %(digest)s AND receipt_id <= at
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
                             FROM unnest(%(contents)s::bigint[], %(projects)s::bigint[])
                                  AS used (content_id, project_id)
                            CROSS JOIN LATERAL (
                                  SELECT max(receipt_id) AS id FROM content_uses i
                                   WHERE i.content_id = used.content_id AND i.project_id = used.project_id
                                     AND i.receipt_id <= at
                                   UNION ALL
                                  SELECT max(receipt_id) FROM content_uses i
                                   WHERE i.content_id = used.content_id AND i.project_id IS NULL
                                     AND used.project_id IS NULL AND i.receipt_id <= at) AS newest) AS of_any_kind
                       ) AS newest) AS ends
             WHERE ends.lists = %(count)s
        )
        SELECT hit AS id
          FROM walk
         WHERE hit IS NOT NULL
           -- A scalar subquery, because a join could be planned to end the whole walk first.
           AND (%(prompt)s::text IS NULL
                OR (SELECT prompt_matches(r.prompt, %(prompt)s) FROM receipts r WHERE r.id = hit))
         LIMIT %(limit)s
        """,
        output=criteria.output,
        seed=criteria.seed,
        digest=criteria.digest,
        contents=criteria.uses.contents,
        projects=criteria.uses.projects,
        count=criteria.count,
        prompt=prompt,
        before=before,
        limit=limit,
    )
    return [row["id"] for row in hits]


async def _walk_without_digest(
    conn: Conn, criteria: _Criteria, prompt: str | None, before: int, limit: int
) -> list[int]:
    """Return the same for criteria without a digest, with a statement that is much faster to plan."""
    hits = await rows(
        conn,
        """
        WITH RECURSIVE walk (at, hit) AS (
            SELECT %(before)s::bigint - 1, NULL::bigint
             UNION ALL
            SELECT CASE WHEN lowest = highest THEN lowest - 1 ELSE lowest END,
                   CASE WHEN lowest = highest THEN lowest END
              FROM walk
             CROSS JOIN LATERAL (
                   SELECT min(id) AS lowest, max(id) AS highest, count(id) AS lists FROM (
                       SELECT max(receipt_id) AS id FROM receipt_outputs
                        WHERE digest = %(output)s AND receipt_id <= at
                        UNION ALL
                       SELECT max(id) FROM receipts WHERE seed = %(seed)s::numeric AND id <= at) AS newest) AS ends
             WHERE ends.lists = %(count)s
        )
        SELECT hit AS id
          FROM walk
         WHERE hit IS NOT NULL
           AND (%(prompt)s::text IS NULL
                OR (SELECT prompt_matches(r.prompt, %(prompt)s) FROM receipts r WHERE r.id = hit))
         LIMIT %(limit)s
        """,
        output=criteria.output,
        seed=criteria.seed,
        count=criteria.count,
        prompt=prompt,
        before=before,
        limit=limit,
    )
    return [row["id"] for row in hits]


async def _with_prompt(conn: Conn, criteria: _Criteria, prompt: str, before: int, limit: int) -> list[int]:
    """Return the newest receipts before ``before`` that meet all criteria and whose prompt matches.

    A text index has no order. Common words fill a page from the newest receipts. Few hits are all read; many are read
    within the lists of the other criteria; only words that were once common but are not recently are read completely.
    """
    if not criteria.count:
        recent = await _recent(conn, prompt, before, limit)
        if len(recent) == limit:
            return recent
    # The planner assumes independent words; if it overestimates the hits it would scan every receipt.
    await execute(conn, "SELECT set_config('enable_seqscan', 'off', true)")
    hits = await rows(
        conn,
        "SELECT r.id FROM receipts r WHERE prompt_matches(r.prompt, %(prompt)s) LIMIT %(few)s + 1",
        prompt=prompt,
        few=_FEW,
    )
    if len(hits) <= _FEW:
        ids = sorted((row["id"] for row in hits if row["id"] < before), reverse=True)
        return (await _meeting(conn, criteria, ids))[:limit] if criteria.count else ids[:limit]
    if criteria.count:
        return await _walk(conn, criteria, prompt, before, limit)
    newest = await rows(
        conn,
        """
        WITH hits AS MATERIALIZED (SELECT r.id FROM receipts r WHERE prompt_matches(r.prompt, %(prompt)s))
        SELECT id FROM hits WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s
        """,
        prompt=prompt,
        before=before,
        limit=limit,
    )
    return [row["id"] for row in newest]


async def _recent(conn: Conn, prompt: str, before: int, limit: int) -> list[int]:
    """Return those of the newest receipts before ``before`` whose prompt matches."""
    hits = await rows(
        conn,
        """
        SELECT r.id
          FROM (SELECT id, prompt FROM receipts WHERE id < %(before)s ORDER BY id DESC LIMIT %(recent)s) AS r
         WHERE prompt_matches(r.prompt, %(prompt)s)
         LIMIT %(limit)s
        """,
        before=before,
        recent=_RECENT,
        prompt=prompt,
        limit=limit,
    )
    return [row["id"] for row in hits]


async def _meeting(conn: Conn, criteria: _Criteria, ids: Sequence[int]) -> list[int]:
    """Return those of the given receipts that meet all criteria, in their order."""
    hits = await rows(
        conn,
        """
        SELECT r.id
          FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS hit (id, n)
          JOIN receipts r ON r.id = hit.id
         WHERE (%(seed)s::numeric IS NULL OR r.seed = %(seed)s::numeric)
           AND (%(output)s::bytea IS NULL
                OR EXISTS (SELECT FROM receipt_outputs o WHERE o.receipt_id = r.id AND o.digest = %(output)s))
           AND (%(digest)s::bytea IS NULL
                OR %(digest)s IN (r.receipt_digest, r.inputs_digest, r.claim_digest, r.graph_digest)
                OR EXISTS (SELECT FROM receipt_outputs o WHERE o.receipt_id = r.id AND o.digest = %(digest)s)
                OR EXISTS (SELECT FROM resolved_inputs i
                            WHERE i.receipt_id = r.id
                              AND (i.digest = %(digest)s OR i.content_id = ANY(%(contents)s::bigint[]))))
         ORDER BY hit.n
        """,
        ids=list(ids),
        output=criteria.output,
        seed=criteria.seed,
        digest=criteria.digest,
        contents=sorted(set(criteria.uses.contents)),
    )
    return [row["id"] for row in hits]


async def _newest(conn: Conn, before: int, limit: int) -> list[int]:
    newest = await rows(
        conn,
        "SELECT id FROM receipts WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s",
        before=before,
        limit=limit,
    )
    return [row["id"] for row in newest]


async def _lines(conn: Conn, ids: Sequence[int]) -> tuple[ReceiptLine, ...]:
    return await many(
        conn,
        ReceiptLine,
        """
        SELECT r.id, r.project_id, r.segment_id, r.take_id, t.number AS take, r.asset_id, r.version,
               digest_text(r.receipt_digest) AS receipt_digest, r.engine, r.seed::text AS seed, r.prompt, r.evidence,
               r.recorded_at
          FROM unnest(%(ids)s::bigint[]) AS hit (id)
          JOIN receipts r ON r.id = hit.id
          LEFT JOIN takes t ON t.id = r.take_id
         ORDER BY r.id DESC
        """,
        ids=list(ids),
    )
