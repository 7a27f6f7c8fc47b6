"""Explains causes as data: where each comes from, which digest decided, on which path it came, who moved it.

Which segment has which root is read from the ranges of ``causes_sql``; here it is only told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genlock.db.connection import Conn, plan_once
from genlock.digest import from_raw
from genlock.staleness import causes_sql, explain_sql
from genlock.staleness.model import Cause, CauseKind, GroupKind, PathStep, Root, Side

Key = tuple[int, int, int, int]
"""(root kind, asset, used, expected); 0 where there is none."""

_KINDS = {
    causes_sql.ASSET: GroupKind.ASSET,
    causes_sql.UNMATCHED: GroupKind.UNMATCHED,
    causes_sql.CHAIN: GroupKind.CHAIN,
}


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything that was loaded to explain some segments."""

    own: Mapping[tuple[int, Key], Sequence[dict[str, Any]]]  # by (segment, root)
    runs: Mapping[int, Sequence[dict[str, Any]]]
    versions: Mapping[tuple[int, int], dict[str, Any]]
    waivers: Mapping[tuple[int, int, bytes, bytes], int]
    since: Mapping[tuple[int, int], dict[str, Any]]
    links: Mapping[int, dict[str, Any]]
    recorded: Mapping[int, dict[str, Any]]


async def causes_of(conn: Conn, segment_ids: Sequence[int]) -> dict[int, tuple[Cause, ...]]:
    """Every cause of each segment, waived ones included; direct ones first."""
    await plan_once(conn)  # they take longer to plan than to answer
    async with conn.pipeline():
        asked = [
            await question(conn, segment_ids)
            for question in (explain_sql.spread_causes, explain_sql.own_causes, explain_sql.members)
        ]
        spread, own, members = [await one.fetchall() for one in asked]
    found: dict[int, list[Cause]] = {segment_id: [] for segment_id in segment_ids}
    if spread:
        known = await _load(conn, own, members)
        for row in spread:
            found[row["segment_id"]] += _causes(row, known)
    return {segment_id: tuple(sorted(causes, key=_order)) for segment_id, causes in found.items()}


async def _load(conn: Conn, rows: Sequence[dict[str, Any]], members: Sequence[dict[str, Any]]) -> _Known:
    """What else it takes to explain the own causes ``rows`` in the runs of ``members``."""
    own: dict[tuple[int, Key], list[dict[str, Any]]] = {}
    for row in rows:
        own.setdefault((row["segment_id"], _key(row)), []).append(row)
    runs: dict[int, list[dict[str, Any]]] = {}
    for row in members:
        runs.setdefault(row["run_id"], []).append(row)
    refs = {(row["root_asset"], row[side]) for row in rows for side in ("root_used", "root_expected")}
    refs |= {(asset, number) for row in rows for asset, number in row["path"] or ()}
    scenes = sorted({row["scene_id"] for row in rows})
    assets = sorted({row["root_asset"] for row in rows if row["root_kind"] != causes_sql.CHAIN})
    origins = sorted({row["segment_id"] for row in rows})
    async with conn.pipeline():
        asked = (
            await explain_sql.version_names(conn, sorted(ref for ref in refs if ref[1])),
            await explain_sql.waivers_of(conn, [member["segment_id"] for member in members]),
            await explain_sql.expectations_since(conn, scenes, assets),
            await explain_sql.link_moves(conn, origins),
            await explain_sql.recorded(conn, origins),
        )
        versions, waivers, since, links, recorded = [await one.fetchall() for one in asked]
    return _Known(
        own=own,
        runs=runs,
        versions={(row["asset_id"], row["number"]): row for row in versions},
        waivers={(row["segment_id"], row["root_asset"], row["used"], row["expected"]): row["id"] for row in waivers},
        since={(row["scene_id"], row["asset_id"]): row for row in since},
        links={row["segment_id"]: row for row in links},
        recorded={row["segment_id"]: row for row in recorded},
    )


def _key(row: Mapping[str, Any]) -> Key:
    return row["root_kind"], row["root_asset"], row["root_used"], row["root_expected"]


def _order(cause: Cause) -> tuple[bool, str, str, int]:
    return cause.kind is CauseKind.DERIVED, cause.root.kind.value, cause.role, cause.ordinal


def _causes(at: Mapping[str, Any], known: _Known) -> Iterable[Cause]:
    """The causes of one segment with one root: its direct ones, else the one on the shortest path."""
    direct = [row for row in known.own.get((at["segment_id"], _key(at)), ()) if row["direct"]]
    origin = None if direct else _origin(at, known)
    # Without an origin the cause went away between two statements of a transaction that writes: it is not told.
    told = direct if origin is None else [origin]
    return [_cause(row, at["segment_id"], known) for row in told]


def _origin(at: Mapping[str, Any], known: _Known) -> Mapping[str, Any] | None:
    """The own cause that a place in a run has a root from, on the shortest path, then the one with the lowest ids.

    Walks from the run's start: a direct cause begins anew, a waived one is not passed on.
    """
    best: Mapping[str, Any] | None = None
    before: int | None = None
    for member in known.runs.get(at["run_id"], ()):
        segment_id = member["segment_id"]
        if best is not None and (before, *_bound(best)) in known.waivers:
            best = None
        rows = known.own.get((segment_id, _key(at)), ())
        direct = [row for row in rows if row["direct"]]
        if direct:
            unwaived = [row for row in direct if (segment_id, *_bound(row)) not in known.waivers]
            best = min(unwaived or direct, key=lambda row: row["used"])
        elif rows:
            candidates = [*rows, best] if best is not None else rows
            best = min(candidates, key=lambda row: _length_then_ids(row, segment_id, known))
        before = segment_id
        if segment_id == at["segment_id"]:
            break
    return best


def _length_then_ids(row: Mapping[str, Any], segment_id: int, known: _Known) -> tuple[int, list[tuple[int, int]]]:
    path = _path(row, segment_id, known)
    return len(path), [(step.id, step.number) for step in path]


def _bound(row: Mapping[str, Any]) -> tuple[int, bytes, bytes]:
    return row["root_asset"], row["used"], row["expected"]


def _cause(origin: Mapping[str, Any], segment_id: int, known: _Known) -> Cause:
    """One cause of a segment: ``origin`` is the own cause it goes back to, the segment's or one before it."""
    own = origin if origin["segment_id"] == segment_id else None
    group = _KINDS[origin["root_kind"]]
    asset_id = origin["root_asset"] or None
    moved = _moved(origin, known)
    used, expected = origin["root_used"] or None, origin["root_expected"] or None
    was = known.versions.get((origin["root_asset"], used or 0))
    should_be = known.versions.get((origin["root_asset"], expected or 0))
    return Cause(
        kind=_kind(group, own),
        role="seed_frame" if own is None or group is GroupKind.CHAIN else own["role"],
        ordinal=0 if own is None else own["ordinal"] or 0,
        asset_id=asset_id,
        **{"from": Side(version=used, digest=was["digest"] if was else from_raw(origin["used"]))},
        to=Side(version=expected, digest=should_be["digest"] if should_be else _text(origin["expected"])),
        decided_by="effective_digest" if group is GroupKind.ASSET else "digest",
        root=Root(kind=group, asset_id=asset_id, used=used, expected=expected),
        path=_path(origin, segment_id, known),
        since=moved.get("since"),
        moved_by=moved.get("moved_by"),
        waiver_id=known.waivers.get((segment_id, *_bound(origin))),
    )


def _kind(group: GroupKind, own: Mapping[str, Any] | None) -> CauseKind:
    if own is None or not own["direct"]:
        return CauseKind.DERIVED
    return {
        GroupKind.ASSET: CauseKind.SUPERSEDED,
        GroupKind.UNMATCHED: CauseKind.UNMATCHED,
        GroupKind.CHAIN: CauseKind.CHAIN,
    }[group]


def _moved(origin: Mapping[str, Any], known: _Known) -> Mapping[str, Any]:
    """Since when a cause holds, and who moved it."""
    if origin["root_kind"] == causes_sql.CHAIN:
        return known.links.get(origin["segment_id"], {})
    if origin["root_kind"] == causes_sql.UNMATCHED:
        return known.recorded.get(origin["segment_id"], {})
    return known.since.get((origin["scene_id"], origin["root_asset"]), {})


def _path(origin: Mapping[str, Any], segment_id: int, known: _Known) -> tuple[PathStep, ...]:
    versions: list[tuple[int, int]] = [tuple(ref) for ref in origin["path"] or ()]
    steps = [
        PathStep(type="version", id=asset, number=number, name=known.versions[asset, number]["name"])
        for asset, number in versions
    ]
    run = known.runs[origin["run_id"]]
    end = next(member["run_position"] for member in run if member["segment_id"] == segment_id)
    steps += [
        PathStep(type="segment", id=member["segment_id"], number=member["position"], name=member["name"])
        for member in run
        if origin["run_position"] <= member["run_position"] <= end
    ]
    return tuple(steps)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else from_raw(raw)
