"""Answers what used an asset or one of its versions: which takes are in the cut with it, or which ever used it.

Totals come from the roll-up and what was not folded into it yet; nothing is counted. Pages are read from where the last
one ended: of what is in the cut by project and segment, of all takes by project and receipt, newest first.
"""

from collections.abc import Sequence
from typing import Any, Literal

from genlock.db.connection import Conn, many, rows
from genlock.db.pages import decode_cursor, encode_cursor
from genlock.errors import Invalid, NotFound
from genlock.library.sql import get_asset
from genlock.model import Model
from genlock.takes.model import Usage, UsagePage, VersionUsage

Takes = Literal["selected", "all"]
_LAST = 2**63 - 1


class _Content(Model):
    """A content of the asset with its count; ``id`` is below zero for the correction of the asset's sum."""

    id: int
    version: int | None
    total: int


async def usage(
    conn: Conn,
    asset_id: int,
    version: int | None = None,
    *,
    takes: Takes = "selected",
    project_id: int | None = None,
    after: str | None = None,
    limit: int = 100,
) -> UsagePage:
    """One page of the takes that used an asset, or exactly one version of it, with the exact total.

    ``takes`` are those in the cut, or all there ever were; archived ones are only among the latter. One item per take,
    with every way in which it used the asset. ``NotFound`` for an asset or version that does not exist.
    """
    contents = await _contents(conn, asset_id, version, project_id, selected=takes == "selected")
    if not any(content.id > 0 for content in contents):
        asset = await get_asset(conn, asset_id)
        if version is not None:
            raise NotFound(
                f"{asset.kind.value}:{asset.name} has no version {version}.",
                hint=f"It has versions 1 to {asset.versions_total}.",
            )
    key = decode_cursor(after, str, int, int)
    if key and key[0] != takes:
        raise Invalid(
            "This cursor belongs to another list.", hint="Take `next` with the same `takes`.", code="bad_cursor"
        )
    used = [content.id for content in contents if content.id > 0 and content.total > 0]
    page = _selected_page if takes == "selected" else _history_page
    found = await page(conn, used, project_id, key[1:] if key else None, limit + 1)
    keys = found[:limit]
    items = await _items(conn, used, [receipt for _, _, receipt in keys])
    return UsagePage(
        items=items,
        next=encode_cursor(takes, *keys[-1][:2]) if len(found) > limit else None,
        total=sum(content.total for content in contents),
        versions=None if version is not None else _by_version(contents),
    )


def _by_version(contents: Sequence[_Content]) -> tuple[VersionUsage, ...]:
    numbered = {content.version: content.total for content in contents if content.version is not None}
    return tuple(VersionUsage(number=number, total=numbered[number]) for number in sorted(numbered))


async def _contents(
    conn: Conn, asset_id: int, version: int | None, project_id: int | None, *, selected: bool
) -> tuple[_Content, ...]:
    """The contents of an asset, or of one version, each with its number of takes; and what their sum is too high by."""
    return await many(
        conn,
        _Content,
        """
        SELECT c.id, c.version, coalesce(used.total, 0)::bigint AS total
          FROM (SELECT id, version FROM contents
                 WHERE asset_id = %(asset_id)s AND (%(version)s::int IS NULL OR version = %(version)s)
                 UNION ALL
                SELECT -%(asset_id)s::bigint, NULL WHERE %(version)s::int IS NULL) AS c
         CROSS JOIN LATERAL (
               SELECT sum(CASE WHEN %(selected)s THEN n.selected ELSE n.takes END) AS total
                 FROM (SELECT project_id, takes, selected FROM usage_counts WHERE content_id = c.id
                        UNION ALL
                       SELECT project_id, takes, selected FROM usage_deltas WHERE content_id = c.id) AS n
                WHERE %(project_id)s::bigint IS NULL OR n.project_id = %(project_id)s) AS used
        """,
        asset_id=asset_id,
        version=version,
        project_id=project_id,
        selected=selected,
    )


async def _selected_page(
    conn: Conn, contents: Sequence[int], project_id: int | None, key: Sequence[int] | None, limit: int
) -> list[tuple[int, int, int]]:
    """The next (project, segment, receipt) in the cut with one of some contents: a page of each, merged."""
    found = await rows(
        conn,
        """
        SELECT page.project_id, page.segment_id, t.receipt_id
          FROM (SELECT DISTINCT each.project_id, each.segment_id
                  FROM unnest(%(contents)s::bigint[]) AS content (id)
                 CROSS JOIN LATERAL (
                       SELECT project_id, segment_id
                         FROM current_inputs i
                        WHERE i.content_id = content.id
                          AND (i.project_id, i.segment_id) > (%(project)s::bigint, %(segment)s::bigint)
                          AND i.project_id <= %(last_project)s
                        ORDER BY i.project_id, i.segment_id
                        LIMIT %(limit)s) AS each
                 ORDER BY 1, 2
                 LIMIT %(limit)s) AS page
          JOIN selected_takes t ON t.segment_id = page.segment_id
         ORDER BY 1, 2
        """,
        contents=list(contents),
        project=key[0] if key else project_id or 0,
        segment=key[1] if key else 0,
        last_project=project_id or _LAST,
        limit=limit,
    )
    return [(row["project_id"], row["segment_id"], row["receipt_id"]) for row in found]


async def _history_page(
    conn: Conn, contents: Sequence[int], project_id: int | None, key: Sequence[int] | None, limit: int
) -> list[tuple[int, int, int]]:
    """The next (project, receipt, receipt) that ever used one of some contents, newest first: pages of each, merged."""
    found = await rows(
        conn,
        """
        SELECT DISTINCT each.project_id, each.receipt_id
          FROM unnest(%(contents)s::bigint[]) AS content (id)
         CROSS JOIN LATERAL (
               SELECT DISTINCT i.project_id, i.receipt_id
                 FROM receipt_inputs i
                WHERE i.content_id = content.id
                  AND (i.project_id, i.receipt_id) < (%(project)s::bigint, %(receipt)s::bigint)
                  AND i.project_id >= %(first_project)s
                ORDER BY i.project_id DESC, i.receipt_id DESC
                LIMIT %(limit)s) AS each
         ORDER BY 1 DESC, 2 DESC
         LIMIT %(limit)s
        """,
        contents=list(contents),
        project=key[0] if key else project_id or _LAST,
        receipt=key[1] if key else _LAST,
        first_project=project_id or 0,
        limit=limit,
    )
    return [(row["project_id"], row["receipt_id"], row["receipt_id"]) for row in found]


async def _items(conn: Conn, contents: Sequence[int], receipt_ids: Sequence[int]) -> tuple[Usage, ...]:
    """The takes of some receipts in their order, each with every way in which it used one of some contents."""
    found: list[dict[str, Any]] = await rows(
        conn,
        """
        SELECT g.id AS segment_id, g.name AS segment, s.name AS scene, r.project_id, r.take_id, k.number AS take,
               r.id AS receipt_id, t.take_id IS NOT NULL AS selected,
               coalesce(g.archived_at, s.archived_at, p.archived_at) IS NOT NULL AS archived,
               (SELECT json_agg(json_strip_nulls(json_build_object(
                           'role', i.role, 'ordinal', i.ordinal, 'via', i.via, 'strength_model', i.strength_model,
                           'strength_clip', i.strength_clip)) ORDER BY i.role, i.ordinal)
                  FROM receipt_inputs i
                 WHERE i.receipt_id = r.id AND i.content_id = ANY(%(contents)s)) AS uses
          FROM unnest(%(receipts)s::bigint[]) WITH ORDINALITY AS page (receipt_id, n)
          JOIN receipts r ON r.id = page.receipt_id
          JOIN takes k ON k.id = r.take_id
          JOIN segments g ON g.id = r.segment_id
          JOIN scenes s ON s.id = g.scene_id
          JOIN projects p ON p.id = g.project_id
          LEFT JOIN selected_takes t ON t.segment_id = g.id AND t.take_id = r.take_id
         ORDER BY page.n
        """,
        contents=list(contents),
        receipts=list(receipt_ids),
    )
    return tuple(Usage.model_validate(row) for row in found)
