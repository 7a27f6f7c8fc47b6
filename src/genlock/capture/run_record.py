"""The record of one run of ComfyUI, as the extension inside it sends it, and the files that such a run loaded.

Frozen and strict: fields that are not known here are refused. A run names its segment by a node or by what it saved:

    a Genlock node in the graph            ─▶ that segment
    output/genlock/rooftop/night/3_00001_  ─▶ rooftop/night/3
    neither, or several that disagree      ─▶ the inbox, with the reason

Pure.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, Self, cast

from pydantic import ConfigDict, Field, model_validator

from genlock.digest import Digest
from genlock.graphs.meanings import PLACE_CLASS
from genlock.model import Model
from genlock.takes.claim import JsonObject

SCHEMA = "genlock.run/1"
MOST_OUTPUTS = 1000

Scalar = str | int | float | bool | None
Resolved = Mapping[str, Mapping[str, Scalar]]
"""By node and input, the values that a node received when it ran."""
_FOLDER = re.compile(r"genlock[/\\]([^/\\]+)[/\\]([^/\\]+)")
_COUNTED = re.compile(r"(.+?)_\d{5,}_?\.[^.]+")
_BEST_FIRST = ("video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "image/webp", "image/gif")

NodeId = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(max_length=4000)]


class LoadedFile(Model):
    """A file that a node loaded. Without a digest, ``missing`` says why its bytes are not known.

    ``observed`` is false for a file that the graph only names: the digest is that of its bytes after the run.
    """

    node: str
    input: str | None = None
    category: str | None = None
    name: str
    digest: Digest | None = None
    size_bytes: int | None = None
    missing: str | None = None
    cached: bool = False
    observed: bool = True


class UsedFile(Model):
    """A file that a claim will name, before it is known which asset that is.

    ``digest`` is that of its bytes as they were used, ``digest_prefix`` the first hexadecimal digits where only these
    are known. ``as_loaded``: the recorder hashed the loaded files, or tried to, so a name alone proves nothing.
    ``is_stem``: the name comes without its extension. ``prompt_only``: it only served to write a prompt.
    """

    role: str
    name: str
    digest: Digest | None = None
    digest_prefix: str | None = None
    strength_model: float | None = None
    strength_clip: float | None = None
    as_loaded: bool = False
    is_stem: bool = False
    prompt_only: bool = False


class RunStatus(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    ERROR = "error"
    INTERRUPTED = "interrupted"


class RunPlace(Model):
    """The segment that a run names: by project slug, scene name, and the segment's position (from 1) or name."""

    project: Annotated[str, Field(min_length=1, max_length=200)]
    scene: Annotated[str, Field(min_length=1, max_length=200)]
    segment: Annotated[str, Field(min_length=1, max_length=200)]


class RunOutput(Model):
    """A file that a run saved. ``type`` is ComfyUI's word for the folder: output, temp or input."""

    node: NodeId
    filename: Annotated[str, Field(min_length=1, max_length=1000)]
    subfolder: Annotated[str, Field(max_length=1000)] = ""
    type: Annotated[str, Field(max_length=40)] = "output"
    media_type: Annotated[str, Field(max_length=200)]
    digest: Digest | None = None
    size_bytes: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None


class RunCapture(Model):
    """The extension that recorded the run: its version, which of its hooks work, and how long it delayed the run.

    ``reasons`` say in words what was not observed; with any of them the evidence is weaker.
    """

    version: Annotated[str, Field(min_length=1, max_length=100)]
    sees: dict[Annotated[str, Field(max_length=100)], bool] = Field(default_factory=dict)
    reasons: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], Field(max_length=100)] = ()
    overhead_s: Annotated[float, Field(ge=0)] | None = None


class RunRecord(Model):
    """One run. ``run`` identifies it: another record with it is the same run. ``graph`` is the submitted graph.

    ``idle_nodes`` did not act: they neither ran, nor were their cached outputs used. ``idle_inputs`` are the links of
    other nodes that did not reach them, such as the branch that a switch did not take.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )

    schema_: Literal["genlock.run/1"] = Field(alias="schema")
    run: Annotated[str, Field(min_length=1, max_length=200)]
    prompt_id: Annotated[str, Field(min_length=1, max_length=200)]
    status: RunStatus
    error: dict[Annotated[str, Field(max_length=100)], Text | None] | None = None
    graph: JsonObject
    resolved: dict[NodeId, dict[str, Scalar]] = Field(default_factory=dict)
    files: Annotated[tuple[LoadedFile, ...], Field(max_length=10_000)] = ()
    outputs: Annotated[tuple[RunOutput, ...], Field(max_length=MOST_OUTPUTS)] = ()
    per_node_s: dict[NodeId, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    cached_nodes: Annotated[tuple[NodeId, ...], Field(max_length=5000)] = ()
    idle_nodes: Annotated[tuple[NodeId, ...], Field(max_length=5000)] = ()
    idle_inputs: dict[NodeId, Annotated[tuple[NodeId, ...], Field(max_length=1000)]] = Field(default_factory=dict)
    started_at: datetime
    finished_at: datetime | None = None
    duration_s: Annotated[float, Field(ge=0)] | None = None
    environment: JsonObject = Field(default_factory=dict)
    place: RunPlace | None = None
    rendered_by_genlock: bool = Field(
        default=False, description="Whether a Genlock worker started it; the worker then records the receipt."
    )
    capture: RunCapture

    @model_validator(mode="after")
    def _has_no_nul(self) -> Self:
        within: list[Any] = [self.model_dump(mode="json")]
        while within:
            item = within.pop()
            if isinstance(item, str) and "\0" in item:
                raise ValueError("a text contains the character U+0000, which cannot be stored")
            if isinstance(item, dict):
                within += [part for pair in cast("dict[str, Any]", item).items() for part in pair]
            elif isinstance(item, list):
                within += cast("list[Any]", item)
        return self

    @property
    def generated(self) -> tuple[int, ...]:
        """The indexes in ``outputs`` of the files that this run generated and saved; cached nodes generated nothing."""
        cached = set(self.cached_nodes)
        return tuple(
            number
            for number, output in enumerate(self.outputs)
            if output.type == "output" and output.digest is not None and output.node not in cached
        )

    @property
    def error_text(self) -> str | None:
        """What failed, in a sentence; None after a success."""
        if self.status is RunStatus.SUCCESS:
            return None
        error: dict[str, Any] = self.error or {}
        where = f" at node {error['node']} ({error.get('type') or 'unknown'})" if error.get("node") else ""
        if self.status is RunStatus.INTERRUPTED:
            return f"It was interrupted{where}."
        return f"It failed{where}: {error.get('message') or 'ComfyUI gave no reason.'}".strip()


class Declaration(NamedTuple):
    """The segment that a run names, or the reason why it names none."""

    place: RunPlace | None
    why: str | None


def declared_segment(record: RunRecord) -> Declaration:
    """Return the segment that a run names: in its node, else in the names of the files that it saved."""
    if record.place is not None:
        return Declaration(record.place, None)
    places = [place for output in record.outputs if (place := place_by_prefix(output)) is not None]
    distinct = [place for number, place in enumerate(places) if place not in places[:number]]
    if not distinct:
        return Declaration(None, "The graph does not say which segment it is for.")
    if len(distinct) > 1:
        return Declaration(None, f"Its output prefixes name {len(distinct)} segments.")
    return Declaration(distinct[0], None)


def place_by_prefix(output: RunOutput) -> RunPlace | None:
    """Return the segment that an output prefix ``genlock/<project>/<scene>/<segment>`` names, by the saved file."""
    folder, file = _FOLDER.fullmatch(output.subfolder), _COUNTED.fullmatch(output.filename)
    if folder is None or file is None or output.type != "output":
        return None
    return RunPlace(project=folder[1], scene=folder[2], segment=file[1])


def video_of(
    record: RunRecord, stored: Collection[Digest], animated: Collection[Digest] = frozenset()
) -> RunOutput | None:
    """Return the file that shows what a run generated, among the stored ones: the most video-like, then the first.

    A PNG is a video only if it is ``animated``; another is a picture, or the first frame that is saved next to a video.
    """
    generated = [record.outputs[number] for number in record.generated if record.outputs[number].digest in stored]
    videos = [output for output in generated if output.media_type in _BEST_FIRST or output.digest in animated]
    ranks = {media_type: rank for rank, media_type in enumerate(_BEST_FIRST)}
    return min(videos, key=lambda output: ranks.get(output.media_type, len(ranks)), default=None)


def without_places(graph: Mapping[str, Any]) -> dict[str, Any]:
    """Return a graph without the nodes that only name a segment."""
    return {key: node for key, node in graph.items() if _class_of(node) != PLACE_CLASS}


def acting_graph(run: RunRecord) -> dict[str, Any]:
    """Return the graph of a run without the nodes that did not act, and without the links that reached no node."""
    idle = set(run.idle_nodes)
    return {
        key: _without_idle_links(node, idle, frozenset(run.idle_inputs.get(key, ())))
        for key, node in without_places(run.graph).items()
        if key not in idle
    }


def _without_idle_links(node: Any, idle: Collection[str], names: Collection[str]) -> Any:
    inputs: Any = cast("dict[str, Any]", node).get("inputs") if isinstance(node, dict) else None
    if not isinstance(inputs, dict) or not (idle or names):
        return cast("Any", node)
    linked: dict[str, Any] = {
        name: value
        for name, value in cast("dict[str, Any]", inputs).items()
        if name not in names and not (isinstance(value, list) and value and str(cast("list[Any]", value)[0]) in idle)
    }
    return {**cast("dict[str, Any]", node), "inputs": linked}


def resolve_links(graph: Mapping[str, Any], resolved: Resolved) -> dict[str, Any]:
    """Return ``graph`` with the values of linked inputs where they were recorded; everything else is unchanged."""
    return {key: _resolve_node(node, resolved[key]) if resolved.get(key) else node for key, node in graph.items()}


def _resolve_node(node: Any, received: Mapping[str, Scalar]) -> Any:
    if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):  # pyright: ignore[reportUnknownMemberType]
        return cast(Any, node)
    inputs = cast("dict[str, Any]", node["inputs"])
    values: dict[str, Any] = {
        name: received[name] if isinstance(value, list) and received.get(name) is not None else value
        for name, value in inputs.items()
    }
    return {**cast("dict[str, Any]", node), "inputs": values}


def _class_of(node: Any) -> Any:
    return cast("dict[str, Any]", node).get("class_type") if isinstance(node, dict) else None
