"""Explains causes as data: where each begins, which digest decided, its path, who changed what and when.

Which segment has which root is read from the judgement; ``origins`` finds where each begins. Here it is put in words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from genlock.db.connection import Conn, pipelined
from genlock.db.pages import decode_key, encode_cursor
from genlock.digest import from_raw
from genlock.errors import NotFound
from genlock.model import Page
from genlock.staleness import explanation_sql
from genlock.staleness.arrays import Ints, integers
from genlock.staleness.judge import Judged, Reason
from genlock.staleness.model import Cause, CauseKind, PathStep, Root, RootKey, RootKind, Side
from genlock.staleness.origins import OwnCause, origins
from genlock.staleness.outdated_versions import NOTHING
from genlock.staleness.places_sql import JudgedSegments, judge_segments
from genlock.staleness.report import group_id, parse_group

PATH_STEPS = 6
"""Number of steps of a path returned with a cause."""

_REST = encode_cursor(PATH_STEPS)

_DIRECT = {
    RootKind.ASSET: CauseKind.SUPERSEDED,
    RootKind.UNMATCHED: CauseKind.UNMATCHED,
    RootKind.CHAIN: CauseKind.CHAIN,
}


@dataclass(frozen=True, slots=True)
class _At:
    """A cause of a segment: the segment's place, and the own cause that it derives from."""

    run: int
    position: int
    root: int
    origin: OwnCause


@dataclass(frozen=True)
class _Facts:
    """Everything that was loaded to explain some causes."""

    judged: Judged
    members: Mapping[tuple[int, int], PathStep]  # segments by run index and position
    inputs: Mapping[int, Sequence[Mapping[str, Any]]]  # by segment
    versions: Mapping[tuple[int, int], Mapping[str, Any]]
    version_steps: Mapping[tuple[int, int], PathStep]
    expectations: Mapping[tuple[int, int], Mapping[str, Any]]  # by scene and asset
    links: Mapping[int, Mapping[str, Any]]
    recordings: Mapping[int, Mapping[str, Any]]
    waivers: Mapping[tuple[int, int, int], int]  # by run index, position and binding
    changes: dict[tuple[int, int], "_Change"] = field(default_factory=dict[tuple[int, int], "_Change"])

    def change(self, at: _At) -> "_Change":
        """Return what changed at the root of a cause. Many segments have causes with the same root and source."""
        key = (at.root, at.origin.source)
        if key not in self.changes:
            self.changes[key] = _changed(at, self)
        return self.changes[key]


class _Change(NamedTuple):
    """What changed at a root."""

    root: Root
    used: Side
    expected: Side


async def causes_of(conn: Conn, segments: JudgedSegments, segment_ids: Sequence[int]) -> dict[int, tuple[Cause, ...]]:
    """Return every cause of each segment, waived ones included; direct ones first."""
    causes: dict[int, list[Cause]] = {segment_id: [] for segment_id in segment_ids}
    reasons = _reasons(segments, segment_ids)
    if reasons:
        facts, begun = await _load(conn, segments.judged, reasons)
        for at in begun:
            segment_id = facts.members[at.run, at.position].id
            causes[segment_id] += _causes(at, segment_id, facts, PATH_STEPS)
    return {segment_id: tuple(sorted(values, key=_order)) for segment_id, values in causes.items()}


async def path_of(
    conn: Conn, segment_id: int, group: str, *, after: str | None = None, limit: int = 100
) -> Page[PathStep]:
    """Return a page of the path from a root to a segment. Raise ``NotFound`` if the root does not concern it."""
    root = parse_group(group)
    segments = await judge_segments(conn, [segment_id])
    roots = segments.judged.present.roots
    reasons = [reason for reason in _reasons(segments, [segment_id]) if roots[reason.root] == root]
    facts, begun = await _load(conn, segments.judged, reasons) if reasons else (None, [])
    causes = [cause for at in begun if facts for cause in _causes(at, segment_id, facts, None)]
    if not causes:
        raise NotFound(
            f"Segment {segment_id} has no cause {group!r} now.",
            hint="`genlock provenance` shows the causes of a segment.",
        )
    start = decode_key(after) or 0
    path = min(causes, key=_order).path
    end = start + limit
    return Page(items=path[start:end], next=encode_cursor(end) if end < len(path) else None, total=len(path))


def _reasons(segments: JudgedSegments, segment_ids: Sequence[int]) -> list[Reason]:
    places = [segments.places[segment_id] for segment_id in segment_ids if segment_id in segments.places]
    run, position = integers([place.run for place in places]), integers([place.position for place in places])
    return segments.judged.reasons(segments.judged.places(run, position))


async def _load(conn: Conn, judged: Judged, reasons: Sequence[Reason]) -> tuple[_Facts, list[_At]]:
    """Find where the causes begin, and load what it takes to put them in words."""
    runs, sources = judged.present.runs, judged.present.sources
    pairs = {(reason.run, reason.root) for reason in reasons}
    requested_pairs = integers([run * len(judged.present.roots) + root for run, root in pairs])
    # Nothing after the last requested segment of a run leads to it.
    last = np.zeros(len(runs.id), np.int64)
    np.maximum.at(last, integers([reason.run for reason in reasons]), integers([each.position for each in reasons]))
    of_pairs = np.isin(judged.own.run * len(judged.present.roots) + judged.own.root, requested_pairs)
    own = np.flatnonzero(of_pairs & (judged.own.position <= last[judged.own.run]))
    used = np.unique(judged.own.source[own])
    used = used[used >= 0]
    contents, scopes = np.unique(sources.content[used]).tolist(), np.unique(sources.scope[used]).tolist()
    concerned = np.flatnonzero(last)
    async with pipelined(conn):
        asked_paths = await explanation_sql.ask_paths(conn, contents, scopes)
        asked_members = await explanation_sql.ask_members(conn, runs.id[concerned].tolist(), last[concerned].tolist())
        paths, member_rows = await asked_paths.fetchall(), await asked_members.fetchall()
    index = judged.present.run_index(integers([row["run_id"] for row in member_rows])).tolist()
    members = {
        (run, row["run_position"]): PathStep(
            type="segment", id=row["segment_id"], number=row["position"], name=row["name"]
        )
        for run, row in zip(index, member_rows, strict=True)
    }
    waivers = _waivers(judged, last)
    begun = _origins(judged, reasons, _own_causes(judged, own, paths, waivers), members, waivers)
    # A segment that changed between two statements is not explained now.
    begun = [at for at in begun if (at.run, at.position) in members and (at.run, at.origin.position) in members]
    begins = {kind: _begins(judged, begun, members, kind) for kind in RootKind}
    refs = {ref for at in begun for ref in at.origin.versions}
    for at in begun:
        root = judged.present.roots[at.root]
        refs |= {(root.asset, root.used), (root.asset, _expected(judged, at.origin))}
    assets = sorted({judged.present.roots[at.root].asset for at in begun} - {0})
    async with pipelined(conn):
        requests = (
            await explanation_sql.ask_inputs(
                conn, [number for numbers in begins.values() for number in numbers], contents
            ),
            await explanation_sql.ask_versions(conn, sorted(ref for ref in refs if ref[0] and ref[1])),
            await explanation_sql.ask_expectations(conn, np.unique(runs.scene[concerned]).tolist(), assets),
            await explanation_sql.ask_link_changes(conn, begins[RootKind.CHAIN]),
            await explanation_sql.ask_recordings(conn, begins[RootKind.UNMATCHED]),
        )
        input_rows, versions, expectations, links, recordings = [await answer.fetchall() for answer in requests]
    inputs: dict[int, list[Mapping[str, Any]]] = {}
    for row in input_rows:
        inputs.setdefault(row["segment_id"], []).append(row)
    facts = _Facts(
        judged=judged,
        members=members,
        inputs=inputs,
        versions={(row["asset_id"], row["number"]): row for row in versions},
        version_steps={
            (row["asset_id"], row["number"]): PathStep(
                type="version", id=row["asset_id"], number=row["number"], name=row["name"]
            )
            for row in versions
        },
        expectations={(row["scene_id"], row["asset_id"]): row for row in expectations},
        links={row["segment_id"]: row for row in links},
        recordings={row["segment_id"]: row for row in recordings},
        waivers=waivers,
    )
    return facts, begun


def _begins(
    judged: Judged, begun: Sequence[_At], members: Mapping[tuple[int, int], PathStep], kind: RootKind
) -> list[int]:
    """Return the segments where causes with a kind of root begin."""
    roots = judged.present.roots
    return sorted({members[at.run, at.origin.position].id for at in begun if roots[at.root].kind == kind})


def _waivers(judged: Judged, last: Ints) -> dict[tuple[int, int, int], int]:
    """Return the first waiver of each run index, position and binding, up to the ``last`` position of each run."""
    waivers = judged.present.waivers
    run = judged.present.run_index(waivers.run)
    rows = np.flatnonzero(waivers.position <= last[run])
    columns = (run, waivers.position, judged.present.bindings[2], waivers.id)
    first: dict[tuple[int, int, int], int] = {}
    for *key, waiver_id in zip(*(column[rows].tolist() for column in columns), strict=True):  # by ascending id
        first.setdefault((key[0], key[1], key[2]), waiver_id)
    return first


def _own_causes(
    judged: Judged, own: Ints, paths: Iterable[Mapping[str, Any]], waivers: Mapping[tuple[int, int, int], int]
) -> dict[tuple[int, int], list[OwnCause]]:
    """Return the own causes with the given indices, by run and root."""
    versions: dict[tuple[int, ...], tuple[tuple[int, int], ...]] = {
        (row["content_id"], row["scope_id"], row["root_kind"], row["root_asset_id"], row["root_used"]): tuple(
            (asset, number) for asset, number in row["path"]
        )
        for row in paths
    }
    causes: dict[tuple[int, int], list[OwnCause]] = {}
    columns = (judged.own.run, judged.own.root, judged.own.position, judged.own.direct, judged.own.binding)
    rows = zip(*(column[own].tolist() for column in (*columns, judged.own.source)), strict=True)
    for run, root, position, direct, binding, source in rows:
        key: tuple[int, ...] = () if source < 0 else _source_key(judged, source)
        causes.setdefault((run, root), []).append(
            OwnCause(
                position=position,
                source=source,
                direct=direct,
                waived=(run, position, binding) in waivers,
                digest=judged.present.digests(source)[0],
                versions=versions.get(key, ()),
                binding=binding,
            )
        )
    return causes


def _source_key(judged: Judged, source: int) -> tuple[int, ...]:
    sources = judged.present.sources
    columns = (sources.content, sources.scope, sources.kind, sources.asset, sources.used)
    return tuple(int(column[source]) for column in columns)


def _origins(
    judged: Judged,
    reasons: Sequence[Reason],
    own: Mapping[tuple[int, int], Sequence[OwnCause]],
    members: Mapping[tuple[int, int], PathStep],
    waivers: Mapping[tuple[int, int, int], int],
) -> list[_At]:
    waived: dict[int, dict[int, frozenset[int]]] = {}
    for run, position, binding in waivers:
        accepted = waived.setdefault(run, {})
        accepted[position] = accepted.get(position, frozenset()) | {binding}
    positions: dict[tuple[int, int], list[int]] = {}
    for reason in reasons:
        positions.setdefault((reason.run, reason.root), []).append(reason.position)
    begun: list[_At] = []
    for (run, root), requested in positions.items():
        shown = set(requested)

        def segment_at(position: int, run: int = run) -> tuple[int, int]:
            member = members[run, position]
            return member.id, member.number

        causes = own.get((run, root), ())
        direct = {cause.position for cause in causes if cause.direct}
        begun += [_At(run, cause.position, root, cause) for cause in causes if cause.direct and cause.position in shown]
        begins = origins(causes, waived.get(run, {}), [at for at in requested if at not in direct], segment_at)
        begun += [_At(run, position, root, origin) for position, origin in begins.items()]
    return begun


def _expected(judged: Judged, origin: OwnCause) -> int:
    return 0 if origin.source < 0 else int(judged.present.sources.expected[origin.source])


def _order(cause: Cause) -> tuple[bool, str, str, int]:
    return cause.kind is CauseKind.DERIVED, cause.root.kind.value, cause.role, cause.ordinal


def _causes(at: _At, segment_id: int, facts: _Facts, steps: int | None) -> Iterable[Cause]:
    """Yield a direct cause once per input that has it, any other once; paths with at most ``steps`` steps."""
    own = at.origin.position == at.position
    if not own or at.origin.source < 0:
        frames = [line for line in facts.inputs.get(segment_id, ()) if line["role"] == "seed_frame"]
        lines = [("seed_frame", frames[0]["ordinal"] if own and frames else 0)]
    else:
        content = int(facts.judged.present.sources.content[at.origin.source])
        lines = [
            (line["role"], line["ordinal"])
            for line in facts.inputs.get(segment_id, ())
            if line["content_id"] == content
        ]
        lines = lines if at.origin.direct else lines[:1]
    return [_cause(at, segment_id, role, ordinal, facts, steps) for role, ordinal in lines]


def _cause(at: _At, segment_id: int, role: str, ordinal: int, facts: _Facts, steps: int | None) -> Cause:
    root = facts.judged.present.roots[at.root]
    kind = RootKind(root.kind)
    change = facts.change(at)
    begins = facts.members[at.run, at.origin.position].id
    direct = at.origin.direct and at.origin.position == at.position
    path, total = _path(at, facts, steps)
    decision = _decision(root, at.run, begins, facts)
    return Cause(
        kind=_DIRECT[kind] if direct else CauseKind.DERIVED,
        role=role,
        ordinal=ordinal,
        asset_id=root.asset or None,
        **{"from": change.used},
        to=change.expected,
        decided_by="effective_digest" if kind is RootKind.ASSET else "digest",
        root=change.root,
        path=path,
        path_total=total,
        path_rest=_rest(segment_id, root) if len(path) < total else None,
        since=decision.get("since"),
        moved_by=decision.get("moved_by"),
        waiver_id=facts.waivers.get((at.run, at.position, at.origin.binding)),
    )


def _rest(segment_id: int, root: RootKey) -> str:
    return f"/api/v1/segments/{segment_id}/path?root={group_id(root)}&cursor={_REST}"


def _changed(at: _At, facts: _Facts) -> _Change:
    root = facts.judged.present.roots[at.root]
    used, expected = root.used or None, _expected(facts.judged, at.origin) or None
    return _Change(
        Root(kind=RootKind(root.kind).group, asset_id=root.asset or None, used=used, expected=expected),
        _side(root.asset, used, at.origin.digest, facts),
        _side(root.asset, expected, facts.judged.present.digests(at.origin.source)[1], facts),
    )


def _side(asset: int, number: int | None, digest: bytes, facts: _Facts) -> Side:
    version = facts.versions.get((asset, number or 0))
    if version is not None:
        return Side(version=number, digest=version["digest"])
    return Side(version=number, digest=None if digest == NOTHING else from_raw(digest))


def _decision(root: RootKey, run: int, begins: int, facts: _Facts) -> Mapping[str, Any]:
    """Return since when a cause holds, and who changed what."""
    if root.kind == RootKind.CHAIN:
        return facts.links.get(begins, {})
    if root.kind == RootKind.UNMATCHED:
        return facts.recordings.get(begins, {})
    return facts.expectations.get((int(facts.judged.present.runs.scene[run]), root.asset), {})


def _path(at: _At, facts: _Facts, steps: int | None) -> tuple[tuple[PathStep, ...], int]:
    """Return the first steps of a path, and its total number of steps."""
    segments = at.position - at.origin.position + 1
    total = len(at.origin.versions) + segments
    versions = at.origin.versions[:steps]
    room = segments if steps is None else min(max(steps - len(versions), 0), segments)
    path = [facts.version_steps[ref] for ref in versions]
    begins = at.origin.position
    path += [facts.members[at.run, position] for position in range(begins, begins + room)]
    return tuple(path), total
