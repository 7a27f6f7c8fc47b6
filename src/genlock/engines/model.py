"""The interface of engines: the spec, the result, and the protocol.

An engine never sees an asset, a version or a segment. It gets a frozen ``RenderSpec`` and a mapping from each input's
key to a file whose bytes the caller has verified; it writes files into ``spec.workdir`` and names them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field

from genlock.digest import Digest
from genlock.model import SEED_FRAME, Kind, Model

Produces = Literal["video", "image"]
"""The output of a run: ``video`` for a segment, ``image`` for a new version of a variant."""

VIDEO = "video"
IMAGE = "image"
LAST_FRAME = "last_frame"
THUMBNAIL = "thumbnail"

START_ROLES = (SEED_FRAME, Kind.VARIANT.value, Kind.SOURCE_IMAGE.value)
"""The roles of a start image: the first of them that a spec has is used."""

LABELS = frozenset({"resolution_tier"})
"""Parameters that only name what other parameters already state."""

EDITOR, DEFINITIONS = ":editor", ":definitions"
"""Added to a workflow's key: the keys of the file that ComfyUI's page saved of it, and of its node definitions."""

AWAY = "engine_away"
LOST = "run_lost"
"""Codes of ``Unavailable`` if an engine does not respond, or has lost a run: the run may be tried elsewhere."""


class EngineInput(Model):
    """An input of a run. ``key`` identifies its file; ``role`` and ``ordinal`` its use."""

    key: str
    role: str
    ordinal: int = Field(default=0, ge=0)
    kind: Kind | None = None
    strength_model: float | None = None
    strength_clip: float | None = None
    filename: str | None = None
    """For messages and display: a name must never affect the picture."""
    digest: Digest | None = None
    """The digest of its bytes, if the caller has verified them; else an engine that needs it computes it."""
    bindings: dict[str, Any] | None = None
    """Bindings declared for a workflow: the node input of each value. Not every engine uses them."""

    @property
    def label(self) -> str:
        """The name of this input in messages."""
        named = f" ({self.filename})" if self.filename else ""
        return f"{self.role} {self.ordinal}{named}"


class RenderSpec(Model):
    """Everything that determines a run.

    ``graph`` is the exact graph to run; without it the file of the input in the role ``workflow`` is read.
    ``parameters`` are named as in receipts (``prompt``, ``cfg``, ``seed`` as a string, …) and override the graph.
    ``work`` and ``attempt`` identify the attempt: an engine that outlives its callers stops the runs of earlier
    attempts whose caller was killed.
    """

    run: str = Field(min_length=1, max_length=200)
    work: str | None = None
    """The same for every attempt at the same work, and globally unique."""
    attempt: int = Field(default=1, ge=1)
    workdir: Path
    produces: Produces = "video"
    inputs: tuple[EngineInput, ...] = ()
    parameters: dict[str, Any] = Field(default_factory=dict[str, Any])
    graph: bytes | None = None

    def in_role(self, role: str) -> tuple[EngineInput, ...]:
        """Return the inputs in ``role``, in their order."""
        return tuple(sorted((item for item in self.inputs if item.role == role), key=lambda item: item.ordinal))


class OutputFile(Model):
    """A file that a run wrote."""

    path: Path
    media_type: str


class Rendered(Model):
    """The result of a run.

    ``outputs`` by part: ``video``, ``last_frame`` (lossless PNG) and ``thumbnail`` when the run made a video,
    ``image`` (lossless PNG) and ``thumbnail`` when it made a picture.
    """

    produces: Produces
    outputs: dict[str, OutputFile]
    frames_digest: Digest
    """Digest of the decoded frames, as ``engines.media.frames_digest`` defines it."""
    graph: bytes
    """Canonical JSON of the graph that ran, after binding."""
    parameters: dict[str, Any]
    """Every parameter in effect, including defaults and the graph's own values."""
    inputs: tuple[EngineInput, ...]
    """The inputs whose bytes the run used, with the strengths in effect; the spec's other inputs were not needed."""
    environment: dict[str, str]
    per_node_s: dict[str, float]
    duration_s: float
    evidence: Literal["recorded", "matched_by_name", "declared"] = "recorded"
    """Weaker than ``recorded`` if the engine could not prove that it used the expected files."""


class Offer(Model):
    """What an engine understands, whether or not it is reachable."""

    name: str
    parameters: tuple[str, ...]
    """Names of the parameters it has."""
    roles: tuple[str, ...]
    """Roles of the inputs it can use."""
    produces: tuple[Produces, ...]
    required_parameters: tuple[str, ...] = ()
    """Parameters that a complete receipt of a run has, in addition to those that every engine's has."""
    requires_start_image: bool = False
    """Whether a complete receipt of a run names a start image."""


class EngineInfo(Offer):
    """An engine's present version and environment, and its offer."""

    version: str
    environment: dict[str, str]


class Report(Protocol):
    """Receives a run's progress: ``progress`` from 0 to 1, never decreasing, on the event loop's thread.

    It must return at once and must not raise.
    """

    def __call__(self, progress: float, message: str) -> None:
        """Receive the progress of the run."""
        ...


class Engine(Protocol):
    """Renders a spec and input files to output files. Independent of database, projects and receipts."""

    @property
    def name(self) -> str:
        """The engine's name in receipts and requests."""
        ...

    async def describe(self) -> EngineInfo:
        """Return the engine's present state. Raise ``Unavailable`` if it cannot be reached."""
        ...

    async def render(self, spec: RenderSpec, inputs: Mapping[str, Path], report: Report) -> Rendered:
        """Run ``spec`` and return its outputs.

        Raise ``Invalid`` if the spec cannot be bound or read, ``Unavailable`` for files missing on this machine,
        ``Conflict`` with the code ``cancelled`` after ``cancel``, ``Conflict`` if the run is already in progress.
        """
        ...

    async def cancel(self, run: str) -> None:
        """Stop a run in progress; do nothing if there is no such run."""
        ...
