"""What every engine takes and gives: the spec, the result, and the one protocol.

An engine never sees an asset, a version or a segment. It gets a frozen ``RenderSpec`` and a mapping from each
input's key to a file whose bytes the caller has verified; it writes files into ``spec.workdir`` and names them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field

from genlock.digest import Digest
from genlock.model import SEED_FRAME, Kind, Model

Produces = Literal["video", "image"]
"""What a run makes: ``video`` for a segment, ``image`` for a new version of a variant."""

VIDEO = "video"
IMAGE = "image"
LAST_FRAME = "last_frame"
THUMBNAIL = "thumbnail"

START_ROLES = (SEED_FRAME, Kind.VARIANT.value, Kind.SOURCE_IMAGE.value)
"""Where the start image of a run comes from: the first of these roles that its spec has."""

LABELS = frozenset({"resolution_tier"})
"""Parameters that only name what other parameters already state."""

AWAY = "engine_away"
LOST = "run_lost"
"""Codes of ``Unavailable`` when an engine does not answer, or has forgotten a run: the run may be tried elsewhere."""


class EngineInput(Model):
    """One input of a run. ``key`` finds its file; ``role`` and ``ordinal`` say where it goes."""

    key: str
    role: str
    ordinal: int = Field(default=0, ge=0)
    kind: Kind | None = None
    strength_model: float | None = None
    strength_clip: float | None = None
    filename: str | None = None
    """For messages, and for what a person sees: no engine may let a name act in the picture."""
    digest: Digest | None = None
    """Of its bytes, where the caller has verified them; an engine that needs it takes it itself otherwise."""
    bindings: dict[str, Any] | None = None
    """What a person said of a workflow: which input of which node takes what. Not every engine has a use for it."""

    @property
    def label(self) -> str:
        """How messages call this input."""
        named = f" ({self.filename})" if self.filename else ""
        return f"{self.role} {self.ordinal}{named}"


class RenderSpec(Model):
    """Everything that determines one run.

    ``graph`` is the exact graph to run; without it the file of the input in the role ``workflow`` is read.
    ``parameters`` are the words of a receipt (``prompt``, ``cfg``, ``seed`` as a string, …) and win over the graph.
    ``work`` and ``attempt`` say which try of which work this is: an engine that outlives its callers stops what earlier
    tries, whose caller was killed, have left there.
    """

    run: str = Field(min_length=1, max_length=200)
    work: str | None = None
    """The same for every try of the same work, and nobody else's in the world."""
    attempt: int = Field(default=1, ge=1)
    workdir: Path
    produces: Produces = "video"
    inputs: tuple[EngineInput, ...] = ()
    parameters: dict[str, Any] = Field(default_factory=dict[str, Any])
    graph: bytes | None = None

    def in_role(self, role: str) -> tuple[EngineInput, ...]:
        """The inputs in ``role``, in their order."""
        return tuple(sorted((item for item in self.inputs if item.role == role), key=lambda item: item.ordinal))


class OutputFile(Model):
    """One file that a run wrote."""

    path: Path
    media_type: str


class Rendered(Model):
    """What came of one run.

    ``outputs`` by part: ``video``, ``last_frame`` (lossless PNG) and ``thumbnail`` when the run made a video,
    ``image`` (lossless PNG) and ``thumbnail`` when it made a picture.
    """

    produces: Produces
    outputs: dict[str, OutputFile]
    frames_digest: Digest
    """Digest of the decoded frames, as ``engines.media.frames_digest`` defines it."""
    graph: bytes
    """Canonical JSON of the graph that really ran, after binding."""
    parameters: dict[str, Any]
    """Every parameter that acted, defaults and the graph's own values included."""
    inputs: tuple[EngineInput, ...]
    """The inputs whose bytes went into the run, with the strengths that acted; the spec's others were not needed."""
    environment: dict[str, str]
    per_node_s: dict[str, float]
    duration_s: float
    evidence: Literal["recorded", "matched_by_name", "declared"] = "recorded"
    """Weaker than ``recorded`` where an engine could not prove that its files were the ones that were wanted."""


class Offer(Model):
    """What an engine understands, whether it can be reached or not."""

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
    """What an engine is at the moment, and what it understands."""

    version: str
    environment: dict[str, str]


class Report(Protocol):
    """Told how far a run is: ``progress`` from 0 to 1, never falling, on the event loop's thread.

    It must return at once and must not raise.
    """

    def __call__(self, progress: float, message: str) -> None:
        """Take note of how far the run is."""
        ...


class Engine(Protocol):
    """Turns a spec and input files into output files. Knows no database, no project, no receipt."""

    @property
    def name(self) -> str:
        """The engine's name, as receipts and requests write it."""
        ...

    async def describe(self) -> EngineInfo:
        """What the engine is at the moment; ``Unavailable`` if it cannot be reached."""
        ...

    async def render(self, spec: RenderSpec, inputs: Mapping[str, Path], report: Report) -> Rendered:
        """Run ``spec`` and give what it wrote.

        ``Invalid`` for what cannot be bound or read, ``Unavailable`` for what is missing on this machine,
        ``Conflict`` with the code ``cancelled`` after ``cancel``, ``Conflict`` if the run is already under way.
        """
        ...

    async def cancel(self, run: str) -> None:
        """Stop a run that is under way here; nothing happens if there is none of that name."""
        ...
