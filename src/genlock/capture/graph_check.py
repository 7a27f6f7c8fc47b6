"""Which files of an open graph are out of date: the versions it names, compared with those that should be used now.

    graph ─▶ files, by node and input ─▶ candidates ─▶ version used ─▶ version expected where the graph belongs

Nothing is recorded. A graph belongs to the segment that it names by its node or its output prefix; elsewhere, and in
projects where the actor may not record, the active versions are expected.
"""

import re
from collections.abc import Sequence

from genlock.capture import graph_check_sql as sql
from genlock.capture.asset_matching import Candidates, Match
from genlock.capture.asset_matching_sql import load_candidates
from genlock.capture.checked_graph import CheckedFile, CheckedGraph, FileState, GraphToCheck
from genlock.capture.claims import read_run, used_files
from genlock.capture.run_record import RunPlace, UsedFile, without_places
from genlock.capture.segment_resolution import segment_for
from genlock.db.connection import Conn
from genlock.graphs.uses import FileUse, Reading
from genlock.library.skeleton import skeleton_digest
from genlock.model import Actor
from genlock.timeline import sql as timeline

_PREFIX = re.compile(r"genlock[/\\]([^/\\]+)[/\\]([^/\\]+)[/\\]([^/\\]+)")


async def check_graph(conn: Conn, new: GraphToCheck, actor: Actor) -> CheckedGraph:
    """Return the files of a graph with their states. Raises ``Invalid`` for what is not a graph in API format."""
    graph = without_places(new.graph)
    reading = read_run(graph, {})
    used = used_files(reading, graph, new.files)[: len(reading.files)]
    place = new.place or _place_by_prefix(reading)
    segment_id = None if place is None else (await segment_for(conn, place, actor)).segment_id
    segment = None if segment_id is None else await timeline.get_segment(conn, segment_id)
    project_id, scene_id = (None, None) if segment is None else (segment.project_id, segment.scene_id)
    candidates = await load_candidates(conn, used, skeleton_digest(graph), project_id)
    matches = [candidates.match(file) for file in used]
    expected = await sql.expected(conn, scene_id, [(match.asset_id, match.number) for match in matches if match])
    files = zip(reading.files, used, matches, strict=True)
    return CheckedGraph(
        segment_id=segment_id,
        files=tuple(_checked(use, file, match, candidates, expected) for use, file, match in files),
    )


def _checked(
    use: FileUse, file: UsedFile, match: Match | None, candidates: Candidates, expected: Sequence[sql.Expected]
) -> CheckedFile:
    checked = CheckedFile(node=use.node, input=use.input, name=use.name, state=FileState.UNREGISTERED)
    if match is None or file.digest in candidates.frames:
        return checked
    facts = next(each for each in expected if (each.asset_id, each.number) == (match.asset_id, match.number))
    state = FileState.CURRENT if facts.same else FileState.SUPERSEDED
    return checked.model_copy(
        update={
            "state": FileState.UNKNOWN if match.number is None else state,
            "asset_id": match.asset_id,
            "kind": match.kind,
            "asset": facts.name,
            "version": match.number,
            "expected_version": facts.expected,
            "by_name": match.by == "name",
        }
    )


def _place_by_prefix(reading: Reading) -> RunPlace | None:
    """Return the segment that the output prefixes name, unless they name several."""
    texts = {str(output.prefix.value) for output in reading.outputs if output.prefix is not None}
    named = {match.groups() for text in texts if (match := _PREFIX.fullmatch(text)) is not None}
    if len(named) != 1:
        return None
    project, scene, segment = next(iter(named))
    return RunPlace(project=project[:200], scene=scene[:200], segment=segment[:200])
