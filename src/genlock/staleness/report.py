"""The report of a project: what is out of date, why, what fixing it costs."""

from genlock.db.connection import Conn
from genlock.db.pages import decode_cursor, encode_cursor
from genlock.errors import Invalid, NotFound
from genlock.staleness import causes_sql, explain, report_sql, states_sql
from genlock.staleness.model import Cause, Group, Report
from genlock.staleness.states_sql import SegmentPage
from genlock.timeline import sql as timeline_sql


async def report(conn: Conn, project_id: int, *, after: str | None = None, limit: int = 100) -> Report:
    """A project's report now; groups come in pages, most segments first, and every page carries the totals."""
    key = decode_cursor(after, int, str)
    await timeline_sql.get_project(conn, project_id)
    found = await report_sql.page_of_groups(conn, project_id, key, limit + 1)
    page = found.groups[:limit]
    more = len(found.groups) > limit
    return Report(
        project_id=project_id,
        as_of=found.as_of,
        totals=found.totals,
        groups=page,
        next=encode_cursor(page[-1].segments, page[-1].id) if more else None,
        total=found.total,
    )


def parse_group(group: str) -> tuple[int, int, int, int]:
    """The root that a group's id stands for: (kind, asset, used, expected), 0 where there is none."""
    kind, _, rest = group.partition("-")
    numbers = rest.split("-") if rest else []
    if all(number.isascii() and number.isdigit() and len(number) < 19 for number in numbers):
        match kind, [int(number) for number in numbers]:
            case "chain", []:
                return causes_sql.CHAIN, 0, 0, 0
            case "unmatched", [asset]:
                return causes_sql.UNMATCHED, asset, 0, 0
            case "asset", [asset, used, expected] if max(used, expected) < 2**31:
                return causes_sql.ASSET, asset, used, expected
            case _:
                pass
    raise Invalid(f"{group!r} is not the id of a group.", hint="Take `id` from a group of the staleness report.")


async def segments_of_group(
    conn: Conn, project_id: int, group: str, *, after: str | None = None, limit: int = 100
) -> tuple[SegmentPage, dict[int, tuple[Cause, ...]]]:
    """A page of a group's segments, and the causes of each. ``NotFound`` when nothing is stale for this reason."""
    await timeline_sql.get_project(conn, project_id)
    page = await states_sql.group_segments(conn, project_id, parse_group(group), after=after, limit=limit)
    if not page.segment_ids and after is None:
        raise NotFound(f"The report has no group {group!r} now.", hint="Read the report again: something moved.")
    return page, await explain.causes_of(conn, page.segment_ids)


async def all_groups(conn: Conn, project_id: int) -> tuple[Group, ...]:
    """Every group of a project's report."""
    return (await report_sql.reports(conn, [project_id]))[project_id].groups
