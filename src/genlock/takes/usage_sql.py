"""The usage of an asset or of one of its versions: the selected takes that use it, or all takes that ever used it.

Totals are the rolled-up counts plus the deltas not yet folded in; rows are never counted. Pages are ordered by project
and segment (selected takes) or by project and receipt, newest first (all takes).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from genlock.db.connection import Conn, SentQuery, SentQueryFor, ask, ask_many, scalar
from genlock.db.pages import decode_cursor, encode_cursor
from genlock.errors import Invalid, NotFound
from genlock.library.sql import get_asset
from genlock.model import Model
from genlock.takes.model import UsagePage, VersionUsage

Takes = Literal["selected", "all"]
_LAST = 2**63 - 1
_FOLD_LOCK = 0x636F756E74  # "count": one process folds at a time


class Content(Model):
    """A content of the asset with its count. A negative ``id`` is the correction of the asset's sum."""

    id: int
    version: int | None
    total: int


class OnPage(Model):
    """A take on the page, and whether it is selected."""

    project_id: int
    segment_id: int
    take_id: int
    receipt_id: int
    selected: bool


class UsageRows(Model):
    """The takes on a page, and the contents that it counts."""

    contents: tuple[Content, ...]
    one_version: bool
    uses: tuple[OnPage, ...]
    next: str | None

    @property
    def used(self) -> list[int]:
        """The contents that are counted."""
        return [content.id for content in self.contents if content.id > 0]


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
    """Return a page of the takes that used an asset, or one version of it, with the exact total; without states.

    ``takes`` are the selected ones, or all that were ever recorded, archived ones included. Each take is one item, with
    every way in which it used the asset. Raise ``NotFound`` for an unknown asset or version.
    """
    page = await find(conn, asset_id, version, takes=takes, project_id=project_id, after=after, limit=limit)
    return usage_page(page, await (await ask_items(conn, page)).fetchall(), {})


async def find(
    conn: Conn,
    asset_id: int,
    version: int | None,
    *,
    takes: Takes,
    project_id: int | None,
    after: str | None,
    limit: int,
) -> UsageRows:
    """Return the takes on a page and their total; for ``ask_items`` and ``usage_page``."""
    key = decode_cursor(after, str, int, int)
    if key and key[0] != takes:
        raise Invalid(
            "This cursor belongs to another list.", hint="Take `next` with the same `takes`.", code="bad_cursor"
        )
    ask_page = _ask_selected if takes == "selected" else _ask_history
    async with conn.pipeline():
        asked_contents = await _ask_contents(conn, asset_id, version, project_id, selected=takes == "selected")
        asked_page = await ask_page(conn, asset_id, version, project_id, key[1:] if key else None, limit + 1)
        contents = tuple(await asked_contents.fetchall())
        uses = await asked_page.fetchall()
    if not any(content.id > 0 for content in contents):
        asset = await get_asset(conn, asset_id)
        if version is not None:
            raise NotFound(
                f"{asset.kind.value}:{asset.name} has no version {version}.",
                hint=f"It has versions 1 to {asset.versions_total}.",
            )
    last = uses[limit - 1] if len(uses) > limit else None
    where = None if last is None else last.segment_id if takes == "selected" else last.receipt_id
    return UsageRows(
        contents=contents,
        one_version=version is not None,
        uses=tuple(uses[:limit]),
        next=None if last is None else encode_cursor(takes, last.project_id, where),
    )


def usage_page(page: UsageRows, items: Sequence[dict[str, Any]], states: Mapping[int, str]) -> UsagePage:
    """Return the page; ``states`` are those of the segments with a selected take."""
    return UsagePage.model_validate(
        {
            "items": [
                item | {"state": states.get(item["segment_id"]) if item["selected"] and not item["archived"] else None}
                for item in items
            ],
            "next": page.next,
            "total": sum(content.total for content in page.contents),
            "versions": None if page.one_version else _by_version(page.contents),
        }
    )


def _by_version(contents: Sequence[Content]) -> tuple[VersionUsage, ...]:
    numbered = {content.version: content.total for content in contents if content.version is not None}
    return tuple(VersionUsage(number=number, total=numbered[number]) for number in sorted(numbered))


async def _ask_contents(
    conn: Conn, asset_id: int, version: int | None, project_id: int | None, *, selected: bool
) -> SentQueryFor[Content]:
    """Send the query for the contents of an asset or version, each with its number of takes, and the correction."""
    return await ask_many(
        conn,
        Content,
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


async def _ask_selected(
    conn: Conn,
    asset_id: int,
    version: int | None,
    project_id: int | None,
    key: Sequence[int] | None,
    limit: int,
) -> SentQueryFor[OnPage]:
    """Send the query for the next selected takes by project and segment: a page of each content, merged."""
    return await ask_many(
        conn,
        OnPage,
        """
        SELECT page.project_id, page.segment_id, t.take_id, t.receipt_id, true AS selected
          FROM (SELECT DISTINCT each.project_id, each.segment_id
                  FROM (SELECT id FROM contents
                         WHERE asset_id = %(asset_id)s AND (%(version)s::int IS NULL OR version = %(version)s)
                       ) AS content
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
        asset_id=asset_id,
        version=version,
        project=key[0] if key else project_id or 0,
        segment=key[1] if key else 0,
        last_project=project_id or _LAST,
        limit=limit,
    )


async def _ask_history(
    conn: Conn,
    asset_id: int,
    version: int | None,
    project_id: int | None,
    key: Sequence[int] | None,
    limit: int,
) -> SentQueryFor[OnPage]:
    """Send the query for the next takes ever recorded by project and receipt, newest first: pages of each content,
    merged.
    """
    return await ask_many(
        conn,
        OnPage,
        """
        SELECT page.project_id, r.segment_id, r.take_id, page.receipt_id, t.take_id IS NOT NULL AS selected
          FROM (SELECT DISTINCT each.project_id, each.receipt_id
                  FROM (SELECT id FROM contents
                         WHERE asset_id = %(asset_id)s AND (%(version)s::int IS NULL OR version = %(version)s)
                       ) AS content
                 CROSS JOIN LATERAL (
                       SELECT DISTINCT i.project_id, i.receipt_id
                         FROM content_uses i
                        WHERE i.content_id = content.id
                          AND (i.project_id, i.receipt_id) < (%(project)s::bigint, %(receipt)s::bigint)
                          AND i.project_id >= %(first_project)s
                        ORDER BY i.project_id DESC, i.receipt_id DESC
                        LIMIT %(limit)s) AS each
                 ORDER BY 1 DESC, 2 DESC
                 LIMIT %(limit)s) AS page
          JOIN receipts r ON r.id = page.receipt_id
          LEFT JOIN selected_takes t ON t.segment_id = r.segment_id AND t.take_id = r.take_id
         ORDER BY 1 DESC, page.receipt_id DESC
        """,
        asset_id=asset_id,
        version=version,
        project=key[0] if key else project_id or _LAST,
        receipt=key[1] if key else _LAST,
        first_project=project_id or 0,
        limit=limit,
    )


async def ask_items(conn: Conn, page: UsageRows) -> SentQuery:
    """Send the query for the takes of a page in order, each with every way in which it used one of the contents."""
    return await ask(
        conn,
        """
        SELECT g.id AS segment_id, g.name AS segment, s.name AS scene, k.project_id, k.id AS take_id, k.number AS take,
               page.receipt_id, page.selected,
               coalesce(g.archived_at, s.archived_at, p.archived_at) IS NOT NULL AS archived,
               (SELECT json_agg(json_strip_nulls(json_build_object(
                           'role', i.role, 'ordinal', i.ordinal, 'via', i.via, 'strength_model', i.strength_model,
                           'strength_clip', i.strength_clip)) ORDER BY i.role, i.ordinal)
                  FROM resolved_inputs i
                 WHERE i.receipt_id = page.receipt_id AND i.content_id = ANY(%(contents)s)) AS uses
          FROM unnest(%(takes)s::bigint[], %(receipts)s::bigint[], %(selected)s::bool[])
               WITH ORDINALITY AS page (take_id, receipt_id, selected, n)
          JOIN takes k ON k.id = page.take_id
          JOIN segments g ON g.id = k.segment_id
          JOIN scenes s ON s.id = g.scene_id
          JOIN projects p ON p.id = g.project_id
         ORDER BY page.n
        """,
        contents=page.used,
        takes=[use.take_id for use in page.uses],
        receipts=[use.receipt_id for use in page.uses],
        selected=[use.selected for use in page.uses],
    )


async def fold(conn: Conn, limit: int = 100_000) -> int:
    """Fold up to ``limit`` deltas into the counts; return their number, 0 while another process folds.

    One statement removes and adds them, so a reader sees every delta once, folded or not. Writers only append and never
    wait.
    """
    if not await scalar(conn, "SELECT pg_try_advisory_xact_lock(%(lock)s)", lock=_FOLD_LOCK):
        return 0
    return await scalar(
        conn,
        """
        WITH taken AS (
            DELETE FROM usage_deltas
             WHERE ctid = ANY (ARRAY(SELECT ctid FROM usage_deltas LIMIT %(limit)s))
            RETURNING content_id, project_id, takes, selected
        ), folded AS (
            INSERT INTO usage_counts AS c (content_id, project_id, takes, selected)
            SELECT content_id, project_id, sum(takes), sum(selected)
              FROM taken
             GROUP BY content_id, project_id
             ORDER BY content_id, project_id
            ON CONFLICT (content_id, project_id) DO UPDATE
               SET takes = c.takes + excluded.takes, selected = c.selected + excluded.selected
        )
        SELECT count(*) FROM taken
        """,
        limit=limit,
    )
