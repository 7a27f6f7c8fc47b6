"""The report: groups and totals of projects, now or as they would be.

packed arrays ─▶ tally ─▶ groups with most segments first ─▶ a page of them ─▶ names, files, medians ─▶ sentences
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from genlock.db.connection import Asked, Conn, ask, pipelined
from genlock.staleness import causes_sql, world_sql
from genlock.staleness.model import Group, GroupKind, Totals
from genlock.staleness.sentence import sentence
from genlock.staleness.tally import Sums, Tally, tally

_KINDS = {
    causes_sql.ASSET: GroupKind.ASSET,
    causes_sql.UNMATCHED: GroupKind.UNMATCHED,
    causes_sql.CHAIN: GroupKind.CHAIN,
}
_SAMPLES = 1000
"""Medians are of the newest so many measurements of a workload."""
_GROUPS = TypeAdapter[tuple[Group, ...]](tuple[Group, ...])
_NOTHING = Totals(**dict.fromkeys(("segments", "scenes", "superseded", "chain", "derived", "unmatched", "waived"), 0))


class Counted(NamedTuple):
    """A project's totals and groups at a time, with how many groups there are when not all are there."""

    as_of: datetime
    totals: Totals
    groups: tuple[Group, ...]
    total: int


async def reports(conn: Conn, project_ids: Sequence[int]) -> dict[int, Counted]:
    """For each project its totals and all groups, most segments first."""
    loaded, added = await world_sql.load(conn, project_ids, tally)
    return await counted(conn, project_ids, loaded, added)


async def page_of_groups(conn: Conn, project_id: int, after: tuple[int, str] | None, limit: int) -> Counted:
    """A project's totals and a page of its groups; ``after`` are the segments and the id of the last one before."""
    loaded, added = await world_sql.load(conn, [project_id], tally)
    return (await counted(conn, [project_id], loaded, added, after=after, limit=limit))[project_id]


async def counted(
    conn: Conn,
    project_ids: Sequence[int],
    loaded: world_sql.Loaded,
    added: Tally,
    *,
    after: tuple[int, str] | None = None,
    limit: int | None = None,
) -> dict[int, Counted]:
    """What the reports of projects say: what is ``added`` up of the arrays, with what was walked."""
    added = replace(added, walked=loaded.walked, parts=loaded.parts)
    totals = added.totals()
    sums: dict[int, list[tuple[int, str, Sums]]] = {project_id: [] for project_id in project_ids}
    for one in added.groups(await world_sql.takes_of(conn, added.mixed)):
        sums[one.root.project_id].append((-one.segments, _id(one), one))
    pages: dict[int, list[tuple[int, str, Sums]]] = {}
    for project_id, found in sums.items():
        found.sort(key=lambda row: row[:2])
        rest = found if after is None else [row for row in found if row[:2] > (-after[0], after[1])]
        pages[project_id] = rest[:limit]
    told = [one for page in pages.values() for _, _, one in page]
    async with pipelined(conn):
        asked_names = await _ask_names(conn, told)
        asked_medians = await _ask_medians(conn, {workload for one in told for workload in one.shares})
        names = _named(await asked_names.fetchall())
        medians = {row["id"]: (row["median"], row["samples"]) for row in await asked_medians.fetchall()}
    return {
        project_id: Counted(
            loaded.as_of,
            totals.get(project_id, _NOTHING),
            # All at once: a what-if may have thousands, and one by one they take twice as long.
            _GROUPS.validate_python([_group(group, one, names, medians) for _, group, one in page]),
            len(sums[project_id]),
        )
        for project_id, page in pages.items()
    }


def _id(one: Sums) -> str:
    _, kind, asset, used, expected = one.root
    if kind == causes_sql.ASSET:
        return f"asset-{asset}-{used}-{expected}"
    return f"unmatched-{asset}" if kind == causes_sql.UNMATCHED else "chain"


class _Named(NamedTuple):
    asset: dict[str, Any]
    kind: str
    name: str
    filename: str | None


async def _ask_names(conn: Conn, told: Sequence[Sums]) -> Asked:
    """Ask for assets by id and version, with the version's filename; a version of 0 has none."""
    refs = sorted({(one.root.asset, one.root.used) for one in told if one.root.asset})
    return await ask(
        conn,
        """
        SELECT w.asset_id, w.number, a.kind, a.name, v.filename
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS w (asset_id, number)
          JOIN assets a ON a.id = w.asset_id
          LEFT JOIN asset_versions v ON v.asset_id = w.asset_id AND v.number = w.number
        """,
        assets=[asset for asset, _ in refs],
        numbers=[number for _, number in refs],
    )


def _named(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[int, int], _Named]:
    return {
        (row["asset_id"], row["number"]): _Named(
            {"id": row["asset_id"], "kind": row["kind"], "name": row["name"]},
            row["kind"],
            row["name"],
            row["filename"],
        )
        for row in rows
    }


async def _ask_medians(conn: Conn, workloads: set[int]) -> Asked:
    """Ask for the median of the durations in seconds of each workload that was measured, and of how many."""
    return await ask(
        conn,
        """
        SELECT w.id, m.median, m.samples
          FROM unnest(%(workloads)s::int[]) AS w (id)
         CROSS JOIN LATERAL (
               SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d.duration_s) AS median, count(*) AS samples
                 FROM (SELECT r.duration_s FROM receipts r
                        WHERE r.workload_id = w.id AND r.duration_s IS NOT NULL
                        ORDER BY r.id DESC LIMIT %(samples)s) d) m
         WHERE m.samples > 0
        """,
        workloads=sorted(workloads),
        samples=_SAMPLES,
    )


def _group(
    group: str,
    one: Sums,
    names: Mapping[tuple[int, int], _Named],
    medians: Mapping[int, tuple[float, int]],
) -> dict[str, Any]:
    root = one.root
    named = names.get((root.asset, root.used))
    used = root.used if root.kind == causes_sql.ASSET else None
    said: dict[str, Any] = {"kind": named.kind, "name": named.name, "filename": named.filename} if named else {}
    return {
        "id": group,
        "kind": _KINDS[root.kind],
        "asset": named.asset if named else None,
        "used": used,
        "expected": one.expected,
        "sentence": sentence(
            segments=one.segments, scenes=one.scenes, used=used, expected=one.expected, pinned=one.pinned, **said
        ),
        "segments": one.segments,
        "scenes": one.scenes,
        "direct": one.direct,
        "derived": one.segments - one.direct,
        "estimate": _estimate(one, medians),
    }


def _estimate(one: Sums, medians: Mapping[int, tuple[float, int]]) -> dict[str, float] | None:
    known = [(many, *medians[workload]) for workload, many in one.shares.items() if workload in medians]
    if not known:
        return None
    return {
        "gpu_seconds": round(sum(many * median for many, median, _ in known), 3),
        "samples": sum(samples for _, _, samples in known),
    }
