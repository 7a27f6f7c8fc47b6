"""Records a generation as it runs: the inputs, outputs and times of one take, as one receipt.

    with gl.generation("rooftop/night/3", engine="diffusers") as g:
        frame = g.continue_from_previous().save("start.png")      # the last frame of the previous segment
        rain = g.use("lora:rain", strength_model=0.8)             # the version this segment should use today
        g.parameters(prompt=prompt, seed=seed, cfg=5.0, steps=20, width=832, height=480, frames=49)
        g.output(render(frame, rain.save(folder), ...))           # a path
    g.recorded.take.number

Every ``use`` is resolved when it is called: to the version that this segment should use at that moment, and its digest.
Nothing is sent before the block ends; if it ends with an exception, nothing is sent at all.
"""

import hashlib
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral, Real
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genlock.digest import PREFIX, Digest
from genlock.errors import Conflict, Invalid, NotFound
from genlock.library.model import Asset, Version
from genlock.model import SEED_FRAME, InputRole, Page
from genlock.sdk.bodies import body_of
from genlock.sdk.downloads import download
from genlock.sdk.names import Names
from genlock.sdk.transport import Transport
from genlock.sdk.uploads import Form, size_of
from genlock.staleness.model import SegmentView
from genlock.takes.claim import Claim, ClaimEngine, ClaimInput, Observed, Parameters, Recorder
from genlock.takes.model import Recorded, Take
from genlock.timeline.model import Pin

LAST_FRAME = "last_frame"
_NOTED_PACKAGES = ("torch", "diffusers")


class Used:
    """A resolved input: ``version`` of ``asset``, or the frame of a ``take`` that is continued.

    ``version`` is ``None`` if a local file was used; ``digest`` is that file's.
    """

    def __init__(
        self,
        http: Transport,
        digest: Digest,
        *,
        asset: Asset | None = None,
        version: Version | None = None,
        take: Take | None = None,
    ) -> None:
        self._http = http
        self.digest = digest
        self.asset, self.version, self.take = asset, version, take

    def save(self, path: Path | str) -> Path:
        """Download the bytes to ``path``, or into it if it is a folder, verify them, and return the path."""
        if self.version is not None:
            filename = Path(self.version.filename).name
            content = f"/assets/{self.version.asset_id}/versions/{self.version.number}/content"
        elif self.take is not None:
            filename, content = f"take-{self.take.id}-{LAST_FRAME}.png", f"/blobs/{self.digest}"
        else:
            raise Conflict("This input is a local file.", hint="Use that file.", code="local_file")
        target = Path(path) / filename if Path(path).is_dir() else Path(path)
        return download(self._http, content, target, self.digest, None)


class Generation:
    """A take; a context manager that records it when its block ends without an exception."""

    def __init__(
        self, http: Transport, segment: SegmentView, engine: ClaimEngine, *, select: bool, note: str | None
    ) -> None:
        self._http, self._names = http, Names(http)
        self._engine, self._select, self._note = engine, select, note
        self._inputs: list[ClaimInput] = []
        self._parameters: dict[str, Any] = {}
        self._graph: dict[str, Any] | Digest | None = None
        self._files: dict[str, Path] = {}
        self._started_at = datetime.now(UTC)
        self._recorded: Recorded | None = None
        self.segment = segment

    # inputs ------------------------------------------------------------------------------------

    def use(
        self,
        reference: str | Asset,
        *,
        role: InputRole | str | None = None,
        strength_model: float | None = None,
        strength_clip: float | None = None,
        file: Path | str | None = None,
    ) -> Used:
        """Add an input: ``lora:rain`` in the version that this segment should use today, or exactly ``lora:rain@2``.

        With ``file`` the digest of that file is recorded: the bytes that were actually used, whatever their name.
        ``role`` is by default the asset's kind. ``seed_frame`` is short for ``continue_from_previous()``.
        """
        if reference == SEED_FRAME:
            return self.continue_from_previous()
        asset, number = self._asset(reference)
        if file is not None:
            used = Used(self._http, _digest_of_file(Path(file)), asset=asset)
        else:
            content = self._names.content(asset, number or self._expected(asset))
            used = Used(self._http, content.digest, asset=asset, version=content)
        line = body_of(
            ClaimInput,
            role=role or asset.kind.value,
            asset=asset.id,
            version=used.version and used.version.number,
            digest=used.digest,
            strength_model=strength_model,
            strength_clip=strength_clip,
        )
        self._inputs.append(line)
        return used

    def continue_from_previous(self) -> Used:
        """Continue the previous segment: the last frame of its selected take becomes the seed frame.

        Raise ``Conflict`` if this segment begins a chain, or the previous one has no take.
        """
        before = self._segment_before()
        take = before.selected_take
        digest = take.outputs.get(LAST_FRAME) if take is not None else None
        if take is None or digest is None:
            raise Conflict(
                f"The previous segment, {before.name!r}, has no {'take' if take is None else 'last frame'}.",
                hint="Record that segment first.",
                code="nothing_to_continue",
            )
        self._inputs.append(ClaimInput(role=InputRole.SEED_FRAME, take=take.id, part=LAST_FRAME, digest=digest))
        return Used(self._http, digest, take=take)

    def parameters(self, **values: Any) -> None:
        """Set parameters: prompt, negative_prompt, cfg, seed, steps, sampler, width, height, frames, … and your own.

        Further calls add to them. A seed may be an int; it is stored exactly, up to 2^64 − 1.
        """
        merged = {**self._parameters, **{name: _plain(name, value) for name, value in values.items()}}
        body_of(Parameters, **merged)
        self._parameters = merged

    def graph(self, graph: Mapping[str, Any] | Digest) -> None:
        """Store the exact graph that ran, if there is one; a receipt with a graph needs no workflow asset."""
        self._graph = graph if isinstance(graph, str) else dict(graph)

    # outputs -----------------------------------------------------------------------------------

    def output(
        self, video: Path | str, *, last_frame: Path | str | None = None, thumbnail: Path | str | None = None
    ) -> None:
        """Set the output files. Without ``last_frame`` Genlock decodes it from the video."""
        given = {"video": video, LAST_FRAME: last_frame, "thumbnail": thumbnail}
        files = {part: Path(path) for part, path in given.items() if path is not None}
        for path in files.values():
            size_of(path)  # fail now instead of during the upload
        self._files = files

    @property
    def recorded(self) -> Recorded:
        """The recorded take and receipt. Raises ``Conflict`` before the block has ended."""
        if self._recorded is None:
            raise Conflict("Nothing is recorded yet.", hint="Read this after the `with` block.", code="not_recorded")
        return self._recorded

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._recorded = self._record()

    def _record(self) -> Recorded:
        if "video" not in self._files:
            raise Invalid("This generation has no output.", hint="Call output(path) before the block ends.")
        finished_at = datetime.now(UTC)
        claim = Claim(
            inputs=tuple(self._inputs),
            parameters=body_of(Parameters, **self._parameters),
            engine=self._engine,
            graph=self._graph,
            observed=Observed(
                started_at=self._started_at,
                finished_at=finished_at,
                duration_s=(finished_at - self._started_at).total_seconds(),
            ),
            recorder=Recorder(name="genlock.client", version=version("genlock")),
            note=self._note,
        )
        form = Form([("claim", claim.model_dump_json(exclude_none=True))], self._files)
        return self._http.send_form(Recorded, f"/segments/{self.segment.id}/takes", form, select=self._select)

    # references ----------------------------------------------------------------------------------

    def _asset(self, reference: str | Asset) -> tuple[Asset, int | None]:
        if isinstance(reference, Asset):
            return reference, None
        return self._names.version(reference, self.segment.project_id)

    def _expected(self, asset: Asset) -> int:
        """Return the expected version: the scene's pin, else the project's pin, else the active version."""
        if self.segment.pins_total:
            path = f"/projects/{self.segment.project_id}/pins"
            pins = self._http.get(Page[Pin], path, scene_id=self.segment.scene_id, asset_id=asset.id).items
            for pin in sorted(pins, key=lambda pin: pin.scene_id is None):
                return pin.version
        if asset.active_version is None:
            raise NotFound(
                f"{asset.kind}:{asset.name} has no version yet.", hint="Upload one with `genlock asset add`."
            )
        return asset.active_version

    def _segment_before(self) -> SegmentView:
        before: SegmentView | None = None
        for segment in self._names.segments_of(self._names.scene(self.segment.scene_id)):
            if segment.id == self.segment.id:
                break
            before = segment
        if before is None or not self.segment.chained:
            raise Conflict(
                f"{self.segment.name!r} does not continue another segment.",
                hint="It is the first of its scene, or not chained: start it from an image.",
                code="nothing_to_continue",
            )
        return before


def engine_of(name: str, engine_version: str | None, environment: Mapping[str, Any] | None) -> ClaimEngine:
    """Return an engine for a claim. Its version is by default that of the installed package of that name."""
    surroundings: dict[str, Any] = {"python": platform.python_version(), "system": platform.platform()}
    for package in _NOTED_PACKAGES:
        installed = _installed(package)
        if installed is not None:
            surroundings[package] = installed
    return body_of(
        ClaimEngine,
        name=name,
        version=engine_version or _installed(name),
        environment={**surroundings, **(environment or {})},
    )


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except (PackageNotFoundError, ValueError):
        return None


def _plain(name: str, value: Any) -> Any:
    """Return a value that JSON stores exactly: seeds as text, numbers of other libraries as Python numbers."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    if isinstance(value, Integral):
        return str(int(value)) if name == "seed" else int(value)
    return float(value)


def _digest_of_file(path: Path) -> Digest:
    size_of(path)
    with path.open("rb") as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
