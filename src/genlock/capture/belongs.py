"""Which segment a run belongs to, and which of its files is the take's video. Pure.

a Genlock node in the graph            ─▶ that segment
output/genlock/rooftop/night/3_00001_  ─▶ rooftop/night/3
neither, or several that disagree      ─▶ the inbox, with the reason
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, cast

from genlock.capture.runs import RunOutput, RunPlace, RunRecord
from genlock.digest import Digest
from genlock.graphs.meanings import PLACE_CLASS

_FOLDER = re.compile(r"genlock[/\\]([^/\\]+)[/\\]([^/\\]+)")
_COUNTED = re.compile(r"(.+?)_\d{5,}_?\.[^.]+")
_BEST_FIRST = ("video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "image/webp", "image/gif")


class Belonging(NamedTuple):
    """Where a run belongs, or why that is not known."""

    place: RunPlace | None
    why: str | None


def place_of(record: RunRecord) -> Belonging:
    """What the run says: its node first, then the names of the files that it saved."""
    if record.place is not None:
        return Belonging(record.place, None)
    places = [place for output in record.outputs if (place := place_by_prefix(output)) is not None]
    found = [place for number, place in enumerate(places) if place not in places[:number]]
    if not found:
        return Belonging(None, "The graph does not say which segment it is for.")
    if len(found) > 1:
        return Belonging(None, f"Its output prefixes name {len(found)} segments.")
    return Belonging(found[0], None)


def place_by_prefix(output: RunOutput) -> RunPlace | None:
    """The segment that an output prefix ``genlock/<project>/<scene>/<segment>`` names, from the file that it made."""
    folder, file = _FOLDER.fullmatch(output.subfolder), _COUNTED.fullmatch(output.filename)
    if folder is None or file is None or output.type != "output":
        return None
    return RunPlace(project=folder[1], scene=folder[2], segment=file[1])


def video_of(record: RunRecord, stored: Collection[Digest]) -> RunOutput | None:
    """The file that shows what a run made, among those whose bytes came along: the most video-like, then the first."""
    found = [record.outputs[number] for number in record.generated]
    there = [one for one in found if one.digest in stored and one.media_type in _BEST_FIRST]
    return min(there, key=lambda one: _BEST_FIRST.index(one.media_type), default=None)


def without_places(graph: Mapping[str, Any]) -> dict[str, Any]:
    """A graph without the nodes that only say where it belongs."""
    return {key: node for key, node in graph.items() if _class_of(node) != PLACE_CLASS}


def _class_of(node: Any) -> Any:
    return cast("dict[str, Any]", node).get("class_type") if isinstance(node, dict) else None
