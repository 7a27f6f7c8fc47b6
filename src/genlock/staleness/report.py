"""The report of a project: what is out of date, why, and the cost of fixing it.

present ─▶ judge ─▶ tally: totals, groups with most segments first ─▶ a page of them ─▶ names, medians ─▶ sentences
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from genlock.db.connection import Conn, pipelined
from genlock.db.pages import decode_cursor, encode_cursor
from genlock.errors import Invalid, NotFound
from genlock.staleness import report_sql
from genlock.staleness.judge import Judged, judge
from genlock.staleness.model import Group, Report, RootKey, RootKind, Totals
from genlock.staleness.present_sql import ask_takes_of, load_projects, receive_arrays
from genlock.staleness.segment_list import SegmentPage, group_segments
from genlock.staleness.sentence import sentence
from genlock.staleness.tally import NO_TOTALS, Sums, Takes, groups, mixed_runs, totals
from genlock.timeline import sql as timeline_sql

_GROUPS = TypeAdapter[tuple[Group, ...]](tuple[Group, ...])


class Counted(NamedTuple):
    """A project's totals and some of its groups, most segments first. ``total`` counts all groups."""

    totals: Totals
    groups: tuple[Group, ...]
    next: str | None
    total: int


class Reported(NamedTuple):
    """A report and its judgement."""

    report: Report
    judged: Judged


async def report(conn: Conn, project_id: int, *, after: str | None = None, limit: int = 100) -> Reported:
    """Return a page of a project's report; every page carries the totals. Raise ``NotFound``."""
    await timeline_sql.get_project(conn, project_id)
    loaded = await load_projects(conn, [project_id])
    judged = judge(loaded.present)
    counted = (await count_groups(conn, [project_id], judged, after=after, limit=limit))[project_id]
    return Reported(_report(project_id, loaded.as_of, counted), judged)


async def reports(conn: Conn, project_ids: Sequence[int]) -> dict[int, Report]:
    """Return the reports of some projects with all their groups."""
    loaded = await load_projects(conn, project_ids)
    counted = await count_groups(conn, project_ids, judge(loaded.present))
    return {project_id: _report(project_id, loaded.as_of, counted[project_id]) for project_id in project_ids}


def _report(project_id: int, as_of: datetime, counted: Counted) -> Report:
    return Report(
        project_id=project_id,
        as_of=as_of,
        totals=counted.totals,
        groups=counted.groups,
        next=counted.next,
        total=counted.total,
    )


async def count_groups(
    conn: Conn, project_ids: Sequence[int], judged: Judged, *, after: str | None = None, limit: int | None = None
) -> dict[int, Counted]:
    """Return the totals of some projects and a page of the groups of each; without ``limit`` all groups."""
    key = decode_cursor(after, int, str)
    takes = Takes(*await receive_arrays(await ask_takes_of(conn, mixed_runs(judged))))
    ordered: dict[int, list[tuple[int, str, Sums]]] = {project_id: [] for project_id in project_ids}
    for sums in groups(judged, takes):
        ordered[sums.project_id].append((-sums.segments, group_id(sums.root), sums))
    pages: dict[int, list[tuple[int, str, Sums]]] = {}
    more: set[int] = set()
    for project_id, rows in ordered.items():
        rows.sort(key=lambda row: row[:2])
        rest = rows if key is None else [row for row in rows if row[:2] > (-key[0], key[1])]
        pages[project_id] = rest[:limit]
        if len(pages[project_id]) < len(rest):
            more.add(project_id)
    shown = [sums for page in pages.values() for _, _, sums in page]
    async with pipelined(conn):
        asked_names = await report_sql.ask_names(
            conn, sorted({(sums.root.asset, sums.root.used) for sums in shown if sums.root.asset})
        )
        asked_medians = await report_sql.ask_medians(conn, sorted({load for sums in shown for load in sums.shares}))
        names = {(row["asset_id"], row["number"]): row for row in await asked_names.fetchall()}
        medians = {row["id"]: (row["median"], row["samples"]) for row in await asked_medians.fetchall()}
    by_project = totals(judged)
    return {
        project_id: Counted(
            by_project.get(project_id, NO_TOTALS),
            # All at once: a what-if can have thousands, and one at a time they take twice as long.
            _GROUPS.validate_python([_group(group, sums, names, medians) for _, group, sums in page]),
            encode_cursor(-page[-1][0], page[-1][1]) if project_id in more and page else None,
            len(ordered[project_id]),
        )
        for project_id, page in pages.items()
    }


def group_id(root: RootKey) -> str:
    """Return the id of the group with this root."""
    if root.kind == RootKind.ASSET:
        return f"asset-{root.asset}-{root.used}-{root.expected}"
    return f"unmatched-{root.asset}" if root.kind == RootKind.UNMATCHED else "chain"


def parse_group(group: str) -> RootKey:
    """Return the root of the group with this id. Raise ``Invalid`` if the id is malformed."""
    kind, _, rest = group.partition("-")
    numbers = rest.split("-") if rest else []
    if all(number.isascii() and number.isdigit() and len(number) < 19 for number in numbers):
        match kind, [int(number) for number in numbers]:
            case "chain", []:
                return RootKey(RootKind.CHAIN, 0, 0, 0)
            case "unmatched", [asset]:
                return RootKey(RootKind.UNMATCHED, asset, 0, 0)
            case "asset", [asset, used, expected] if max(used, expected) < 2**31:
                return RootKey(RootKind.ASSET, asset, used, expected)
            case _:
                pass
    raise Invalid(f"{group!r} is not the id of a group.", hint="Take `id` from a group of the staleness report.")


async def segments_of_group(
    conn: Conn, project_id: int, group: str, *, after: str | None = None, limit: int = 100
) -> SegmentPage:
    """Return a page of a group's segments. Raise ``NotFound`` when nothing is stale because of its root."""
    await timeline_sql.get_project(conn, project_id)
    page = await group_segments(conn, project_id, parse_group(group), after=after, limit=limit)
    if not page.segment_ids and after is None:
        raise NotFound(f"The report has no group {group!r} now.", hint="`genlock status` shows the current groups.")
    return page


def _group(
    group: str,
    sums: Sums,
    names: Mapping[tuple[int, int], Mapping[str, Any]],
    medians: Mapping[int, tuple[float, int]],
) -> dict[str, Any]:
    root = sums.root
    named = names.get((root.asset, root.used))
    used = root.used if root.kind == RootKind.ASSET else None
    words: dict[str, Any] = {field: named[field] for field in ("kind", "name", "filename")} if named else {}
    return {
        "id": group,
        "kind": RootKind(root.kind).group,
        "asset": {"id": named["asset_id"], "kind": named["kind"], "name": named["name"]} if named else None,
        "used": used,
        "expected": sums.expected,
        "sentence": sentence(
            segments=sums.segments, scenes=sums.scenes, used=used, expected=sums.expected, pinned=sums.pinned, **words
        ),
        "segments": sums.segments,
        "scenes": sums.scenes,
        "direct": sums.direct,
        "derived": sums.segments - sums.direct,
        "estimate": _estimate(sums, medians),
    }


def _estimate(sums: Sums, medians: Mapping[int, tuple[float, int]]) -> dict[str, float] | None:
    measured = [(segments, *medians[load]) for load, segments in sums.shares.items() if load in medians]
    if not measured:
        return None
    return {
        "gpu_seconds": round(sum(segments * median for segments, median, _ in measured), 3),
        "samples": sum(samples for _, _, samples in measured),
    }
