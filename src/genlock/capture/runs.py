"""The record of one run of ComfyUI, as the extension inside it tells: frozen, and strict about what it knows."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, cast

from pydantic import ConfigDict, Field, model_validator

from genlock.capture.seen import FileSeen, Scalar
from genlock.digest import Digest
from genlock.model import Model
from genlock.takes.claim import JsonObject

SCHEMA = "genlock.run/1"
MOST_OUTPUTS = 1000

NodeId = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(max_length=4000)]


class RunStatus(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    ERROR = "error"
    INTERRUPTED = "interrupted"


class RunPlace(Model):
    """The segment that a run says it belongs to: by slug, name, and position (from 1) or name."""

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
    """What recorded the run: its version, which of its hooks work, and how long it held the run up."""

    version: Annotated[str, Field(min_length=1, max_length=100)]
    sees: dict[Annotated[str, Field(max_length=100)], bool] = Field(default_factory=dict)
    overhead_s: Annotated[float, Field(ge=0)] | None = None


class RunRecord(Model):
    """One run. ``run`` is its own id: the same record again is the same run. ``graph`` is the graph as it was sent."""

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
    files: Annotated[tuple[FileSeen, ...], Field(max_length=10_000)] = ()
    outputs: Annotated[tuple[RunOutput, ...], Field(max_length=MOST_OUTPUTS)] = ()
    per_node_s: dict[NodeId, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    cached_nodes: Annotated[tuple[NodeId, ...], Field(max_length=5000)] = ()
    started_at: datetime
    finished_at: datetime | None = None
    duration_s: Annotated[float, Field(ge=0)] | None = None
    environment: JsonObject = Field(default_factory=dict)
    place: RunPlace | None = None
    rendered_by_genlock: bool = Field(
        default=False, description="Whether a worker of Genlock's started it, which makes the receipt itself."
    )
    capture: RunCapture

    @model_validator(mode="after")
    def _has_no_nul(self) -> Self:
        within: list[Any] = [self.model_dump(mode="json")]
        while within:
            item = within.pop()
            if isinstance(item, str) and "\0" in item:
                raise ValueError("a text holds the character U+0000, which no database keeps")
            if isinstance(item, dict):
                within += [part for pair in cast("dict[str, Any]", item).items() for part in pair]
            elif isinstance(item, list):
                within += cast("list[Any]", item)
        return self

    @property
    def generated(self) -> tuple[int, ...]:
        """The places in ``outputs`` of what this run itself saved for good; what the cache gave was made before."""
        cached = set(self.cached_nodes)
        return tuple(
            number
            for number, output in enumerate(self.outputs)
            if output.type == "output" and output.digest is not None and output.node not in cached
        )

    @property
    def said_of_error(self) -> str | None:
        """What went wrong, in a sentence."""
        if self.status is RunStatus.SUCCESS:
            return None
        said: dict[str, Any] = self.error or {}
        where = f" at node {said['node']} ({said.get('type') or 'unknown'})" if said.get("node") else ""
        if self.status is RunStatus.INTERRUPTED:
            return f"It was interrupted{where}."
        return f"It failed{where}: {said.get('message') or 'ComfyUI did not say why.'}".strip()
