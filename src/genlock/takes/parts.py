"""The parts of a take: outputs whose bytes are stored, those decoded from its video, and the graph.

    video ─▶ frames (the digest of the decoded frames)
          └▶ last_frame, unless it was uploaded

A video in a format that Genlock cannot read is stored unchanged, without frames. A damaged video in a format that
Genlock can read is refused.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from genlock.blobs.store import Store
from genlock.digest import Digest, canonical
from genlock.engines.media import VideoFacts, examine
from genlock.kinds import JSON, OCTETS
from genlock.takes.claim import Claim, Output

VIDEO = "video"
FRAMES = "frames"
LAST_FRAME = "last_frame"
_COMPLETE = {VIDEO, FRAMES, LAST_FRAME}
_PNG = "image/png"
_MAGIC_BYTES = 64


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a take or of a generated version.

    The bytes of an output without a size must already be stored. ``frames`` is the digest of pictures and has no bytes.
    ``uploaded`` are the parts that came with the claim; together they identify the recording.
    """

    outputs: Mapping[str, Output]
    graph: Output | None = None
    uploaded: Mapping[str, Digest] = field(default_factory=dict[str, Digest])
    video: VideoFacts | None = None

    @property
    def stored(self) -> tuple[Output, ...]:
        """The outputs and the graph whose bytes are in the store."""
        outputs = (*self.outputs.values(), *([self.graph] if self.graph is not None else ()))
        return tuple(output for output in outputs if output.size_bytes is not None)

    @property
    def named(self) -> set[Digest]:
        """The digests of outputs that are only named."""
        return {output.digest for part, output in self.outputs.items() if part != FRAMES and output.size_bytes is None}

    @property
    def digests(self) -> dict[str, Digest]:
        """The digest of each output."""
        return {part: output.digest for part, output in self.outputs.items()}


async def collect(store: Store, claim: Claim, uploaded: Mapping[str, Digest]) -> Parts:
    """Return the parts uploaded with a claim or named by it, and those decoded from its video.

    Raise ``Invalid`` if the video is damaged.
    """
    if not uploaded and claim.graph is None and (claim.outputs or {}).keys() >= _COMPLETE:
        return Parts(_named_outputs(claim))
    return await asyncio.to_thread(_collect, store, claim, uploaded)


async def collect_stored(store: Store, claims: Sequence[Claim]) -> list[Parts]:
    """Return the parts that claims name, without decoding; store the graphs."""
    graphs: list[Output | None] = [None] * len(claims)
    if any(claim.graph is not None for claim in claims):
        graphs = await asyncio.to_thread(lambda: [_store_graph(store, claim) for claim in claims])
    return [Parts(_named_outputs(claim), graph) for claim, graph in zip(claims, graphs, strict=True)]


def media_type_at(beginning: bytes) -> str:
    """Return the media type of a file by its first bytes; ``application/octet-stream`` if it is unknown."""
    if beginning[4:8] == b"ftyp":
        return "video/quicktime" if beginning[8:10] == b"qt" else "video/mp4"
    if beginning.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in beginning else "video/x-matroska"
    if beginning.startswith(b"RIFF") and beginning[8:12] in (b"AVI ", b"WEBP"):
        return "video/x-msvideo" if beginning[8:12] == b"AVI " else "image/webp"
    types = {b"GIF8": "image/gif", b"\x89PNG": _PNG, b"\xff\xd8\xff": "image/jpeg"}
    return next((media_type for magic, media_type in types.items() if beginning.startswith(magic)), OCTETS)


def output_of(store: Store, digest: Digest) -> Output:
    """Return a stored output with its size and media type. Raise ``NotFound`` if its bytes are not stored. Blocks."""
    with store.open(digest) as source:
        media_type = media_type_at(source.read(_MAGIC_BYTES))
    return Output(digest=digest, media_type=media_type, size_bytes=store.size(digest))


def decode(store: Store, outputs: Mapping[str, Output]) -> tuple[dict[str, Output], VideoFacts | None]:
    """Return ``outputs`` with the frames and the last frame of the video, and the facts of the video. Blocks.

    Raise ``Invalid`` if the video is damaged.
    """
    complete = dict(outputs)
    video = complete.get(VIDEO)
    if video is None or video.media_type == OCTETS or {FRAMES, LAST_FRAME} <= complete.keys():
        return complete, None
    with tempfile.TemporaryDirectory(prefix="genlock-") as folder:
        path = Path(folder) / VIDEO
        store.copy_out(video.digest, path)
        examined = examine(path)
    complete.setdefault(FRAMES, Output(digest=examined.frames_digest))
    if LAST_FRAME not in complete:
        blob = store.put(examined.last_frame)
        complete[LAST_FRAME] = Output(digest=blob.digest, media_type=_PNG, size_bytes=blob.size_bytes)
    return complete, examined.facts


def with_video_facts(claim: Claim, facts: VideoFacts | None) -> Claim:
    """Fill in the size and the number of frames of a claim from its video, where it does not state them."""
    if facts is None:
        return claim
    parameters = claim.parameters
    missing = {
        name: value
        for name, value in (("width", facts.width), ("height", facts.height), ("frames", facts.frames))
        if getattr(parameters, name) is None
    }
    return claim.model_copy(update={"parameters": parameters.model_copy(update=missing)})


def _named_outputs(claim: Claim) -> dict[str, Output]:
    return {part: Output(digest=digest) for part, digest in (claim.outputs or {}).items()}


def _collect(store: Store, claim: Claim, uploaded: Mapping[str, Digest]) -> Parts:
    graph = _store_graph(store, claim)
    named = _named_outputs(claim)
    if not uploaded and named.keys() >= _COMPLETE:
        return Parts(named, graph)
    stored = {part: output.digest for part, output in named.items() if store.exists(output.digest)} | dict(uploaded)
    outputs = {part: output_of(store, digest) for part, digest in stored.items()}
    if FRAMES in named:
        outputs[FRAMES] = named[FRAMES]
    outputs, facts = decode(store, outputs)
    return Parts(named | outputs, graph, uploaded, facts)


def _store_graph(store: Store, claim: Claim) -> Output | None:
    """Store the graph of a claim and return it; ``None`` if it has none. Blocks."""
    if claim.graph is None:
        return None
    if isinstance(claim.graph, str):
        return Output(digest=claim.graph, media_type=JSON, size_bytes=store.size(claim.graph))
    blob = store.put(canonical(claim.graph))
    return Output(digest=blob.digest, media_type=JSON, size_bytes=blob.size_bytes)
