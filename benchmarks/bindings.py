"""``python -m benchmarks.bindings FOLDER``: how much of real workflows is bound, field by field.

    FOLDER/api/NAME.json            a graph in API format
    FOLDER/expected/NAME.json       what a person finds in it: for each field a list of places, or null
    FOLDER/object_info.json.gz      the node definitions of the server that made the graphs, if there are any

A place is right if its node and input are, or, for a value that nodes compute, the input that takes it and the value.
What is bound and not expected is wrong, apart from what is missing, and so is a model in the wrong folder.
"""

import argparse
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from genlock.engines.comfyui.bindings import WorkflowBindings, show
from genlock.errors import Invalid
from genlock.graphs.graph import read_graph
from genlock.graphs.node_definition import NodeDefinition
from genlock.graphs.node_definitions import read_definitions

FIELDS: Mapping[str, tuple[str, ...]] = {
    "output": ("outputs",),
    "models": ("models",),
    "LoRA": ("loras",),
    "start image": ("start_image",),
    "end image": ("end_image",),
    "key images": ("key_images",),
    "reference": ("reference_images",),
    "videos": ("input_videos",),
    "prompt": ("prompt",),
    "negative": ("negative",),
    "seed": ("seed",),
    "steps": ("steps",),
    "cfg": ("cfg",),
    "sampler": ("sampler",),
    "size": ("width", "height"),
    "frames": ("frames",),
    "fps": ("fps",),
    "duration": ("duration",),
    "resolution": ("resolution",),
    "aspect": ("aspect_ratio",),
}
"""The fields of a workflow in the order in which they are printed, with the expectations that each of them has."""

_WORDS = {
    "negative": "negative_prompt",
    "start_image": "start image",
    "end_image": "end image",
    "key_images": "key image",
    "reference_images": "reference image",
    "input_videos": "video",
}
"""The words under which expectations are shown, where they differ."""

_MEDIA = ("start_image", "end_image", "key_images", "reference_images", "input_videos")

_NOT_MEASURED = frozenset({"video_ltx2_i2v_lora", "video_wan_vace_inpainting"})
"""Graphs that lost a link when they were exported."""

Entry = Mapping[str, Any]


class Place(NamedTuple):
    """A place that was bound."""

    node: str
    input: str
    value: Any
    folder: str | None = None
    computed: bool = False


class Miss(NamedTuple):
    """A field that is not right in a graph."""

    template: str
    field: str
    wrong: bool
    what: str


class Measured(NamedTuple):
    """The fields that a graph has, and those of them that are not right."""

    kind: str
    fields: frozenset[str]
    misses: tuple[Miss, ...]


def main() -> None:
    """Print a table for each kind of graph, and the list of what is missing or wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bindings", description="Measures bindings.")
    parser.add_argument("folder", type=Path, help="a folder with api/, expected/ and object_info.json.gz")
    parser.add_argument("--half", type=int, choices=(0, 1), help="measure only every second graph")
    parser.add_argument("--only", default="", help="measure only graphs with this in their names")
    parser.add_argument("--without-definitions", action="store_true", help="measure as if the server were not known")
    given = parser.parse_args()
    names = sorted(path.stem for path in (given.folder / "expected").glob("*.json"))
    names = [name for place, name in enumerate(names) if given.half in (None, place % 2) and given.only in name]
    definitions = dict(definitions_in(given.folder)) if not given.without_definitions else None
    every = [measured for name in names if (measured := measure(given.folder, name, definitions)) is not None]
    print(table(every))
    for measured in every:
        for miss in measured.misses:
            print(f"{miss.template}: {miss.field}: {'WRONG ' if miss.wrong else ''}{miss.what}")


def definitions_in(folder: Path) -> Mapping[str, NodeDefinition]:
    """Return the node definitions of a folder, empty if there are none."""
    packed = folder / "object_info.json.gz"
    return read_definitions(json.loads(gzip.decompress(packed.read_bytes()))) if packed.exists() else {}


def measure(folder: Path, name: str, definitions: Mapping[str, NodeDefinition] | None) -> Measured | None:
    """Compare what is bound in a graph with what is expected; return None for a graph that cannot be measured."""
    expected = json.loads((folder / "expected" / f"{name}.json").read_text())
    if not expected.get("scored", True) or name in _NOT_MEASURED:
        return None
    graph = json.loads((folder / "api" / f"{name}.json").read_text())
    present = {field: _entries(expected, keys) for field, keys in FIELDS.items()}
    fields = frozenset(field for field, entries in present.items() if _primary(entries))
    try:
        answer = show(graph, None, name, definitions)
    except Invalid as error:
        misses = tuple(Miss(name, field, False, error.message) for field in FIELDS if field in fields)
        return Measured(expected["kind"], fields, misses)
    misses = tuple(_misses(name, graph, present, _unassigned(expected), answer))
    return Measured(expected["kind"], fields, misses)


def table(every: Sequence[Measured]) -> str:
    """Return the table of the graphs: for each kind and field, in how many it is right, missing or wrong."""
    lines = [f"| found / has the field | {' | '.join(FIELDS)} | all |", f"| --- |{' --- |' * (len(FIELDS) + 1)}"]
    for kind in sorted({measured.kind for measured in every}):
        graphs = [measured for measured in every if measured.kind == kind]
        missed: defaultdict[str, list[Miss]] = defaultdict(list)
        for miss in (miss for graph in graphs for miss in graph.misses):
            missed[miss.field].append(miss)
        cells = [_cell(field, graphs, missed[field]) for field in FIELDS]
        whole = sum(not graph.misses for graph in graphs)
        lines.append(f"| {kind} | {' | '.join(cells)} | {whole}/{len(graphs)} ({_percent(whole, len(graphs))}) |")
    return "\n".join(lines)


def _cell(field: str, graphs: Sequence[Measured], misses: Sequence[Miss]) -> str:
    has = {index for index, graph in enumerate(graphs) if field in graph.fields}
    bad = {miss.template for miss in misses}
    right = sum(not any(miss.template in bad for miss in graphs[index].misses if miss.field == field) for index in has)
    wrong = len({miss.template for miss in misses if miss.wrong})
    share = f"{right}/{len(has)} ({_percent(right, len(has))})" if has else "–"
    return share + (f", {wrong} wrong" if wrong else "")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _entries(expected: Entry, keys: Iterable[str]) -> list[Entry]:
    return [entry | {"key": key} for key in keys for entry in expected.get(key) or ()]


def _primary(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that have to be bound: not those without effect, of an earlier stage, or that only follow."""
    main = [entry for entry in entries if not any(entry.get(mark) for mark in ("inert", "stage"))]
    # A LoRA of a language model that writes the prompt is a file of the graph, and none of the picture's LoRAs.
    main = [entry for entry in main if "sampler" in entry.get("serves", ("sampler",))]
    return [entry for entry in main if not entry.get("role")] or main


def _misses(
    name: str,
    graph: Mapping[str, Any],
    present: Mapping[str, list[Entry]],
    media: frozenset[tuple[str, str]],
    answer: WorkflowBindings,
) -> Iterator[Miss]:
    """Yield what differs. ``media``: files that are not said to have a role, and so may have any."""
    for field, entries in present.items():
        keys = FIELDS[field]
        if field == "output":
            ids = [entry["node"] for entry in entries]
            if ids and answer.bindings.output not in ids:
                yield Miss(name, field, True, f"{answer.bindings.output} instead of {', '.join(ids)}")
            continue
        places = {key: list(_bound(answer, key)) for key in keys}
        for entry in _primary(entries):
            if not _leads_to(graph, answer.bindings.output, entry["node"]):
                continue  # only another output is made of it
            fitting = [place for place in places[entry["key"]] if _is_at(place, entry)]
            if not fitting:
                yield Miss(name, field, False, f"{entry['key']} {_described(entry)}{_why(answer, entry['key'])}")
            elif entry.get("computed") and fitting[0].computed and not _is_same(fitting[0].value, entry["value"]):
                wrong = fitting[0].value is not None
                yield Miss(name, field, wrong, f"{entry['key']} {_described(entry)}, not {fitting[0].value!r:.60}")
            elif "folder" in entry and fitting[0].folder != entry["folder"]:
                yield Miss(name, field, True, f"{_described(entry)}: {fitting[0].folder}, not {entry['folder']}")
            yield from _strengths(name, field, entry, answer)
        for key in keys:
            for place in places[key]:
                if key == "models" and place.folder == "loras":
                    continue  # measured as LoRA
                if key in _MEDIA and (place.node, place.input) in media:
                    continue
                if not any(_is_at(place, entry) for entry in entries if entry["key"] == key):
                    yield Miss(name, field, True, f"{key} {place.node}.{place.input} = {str(place.value)[:60]!r}")


def _leads_to(graph: Mapping[str, Any], output: str, node: str) -> bool:
    """Return whether what ``output`` saves is made of ``node``; a node that is not there is looked for anyway."""
    reached, waiting = {output}, [output]
    while waiting:
        for link in read_graph(dict(graph), "The graph")[waiting.pop()].links:
            if link.source not in reached:
                reached.add(link.source)
                waiting.append(link.source)
    return node in reached or node not in graph


def _unassigned(expected: Entry) -> frozenset[tuple[str, str]]:
    """Return the live media files of a graph that none of its fields names."""
    live = {(entry["node"], entry["input"]) for entry in expected.get("all_media") or () if entry["live"]}
    named = {(entry["node"], entry["input"]) for key in _MEDIA for entry in expected.get(key) or ()}
    return frozenset(live - named)


def _strengths(name: str, field: str, entry: Entry, answer: WorkflowBindings) -> Iterator[Miss]:
    shown = {(place.node, place.input) for place in answer.places if place.word in ("strength_model", "strength_clip")}
    for strength in entry.get("strengths") or ():
        if (strength["node"], strength["input"]) not in shown:
            yield Miss(name, field, False, f"{strength['input']} of node {strength['node']}")


def _bound(answer: WorkflowBindings, key: str) -> Iterator[Place]:
    """Yield what is bound for an expectation."""
    if key == "models":
        for place in answer.bindings.files:
            if place.role in ("model", "vae", "text_encoder", "controlnet", "other"):
                for spot in (place, *place.also):
                    yield Place(spot.node, spot.input, None, place.category)
        for lora in answer.bindings.loras:
            yield Place(lora.node, lora.name, None, lora.category)
        return
    word = "lora" if key == "loras" else _WORDS.get(key, key)
    for place in answer.places:
        if place.word == word:
            yield Place(place.node, place.input, place.value, None, place.computed)


def _is_at(place: Place, entry: Entry) -> bool:
    """Return whether a place is the expected one, or one of those that its value goes to."""
    linked: list[Entry | None] = [entry.get("consumer"), entry.get("written_from"), *(entry.get("also") or ())]
    spots = [entry, *(spot for spot in linked if spot is not None)]
    return any(spot["node"] == place.node and spot["input"] in (place.input, None) for spot in spots)


def _is_same(value: Any, expected: Any) -> bool:
    """Return whether a computed value is the expected one; the class that is a sampler is named in several ways."""
    if isinstance(value, str) and isinstance(expected, str):
        return re.sub(r"^sampler|[_ ]", "", value.lower()) == re.sub(r"[_ ]", "", expected.lower())
    return value == expected


def _described(entry: Entry) -> str:
    computed = "computed " if entry.get("computed") else ""
    return f"{computed}{entry['node']}.{entry.get('input')} = {str(entry.get('value'))[:60]!r}"


def _why(answer: WorkflowBindings, key: str) -> str:
    word = _WORDS.get(key, key)
    return f" ({answer.unknown[word]})" if word in answer.unknown else ""


if __name__ == "__main__":
    main()
