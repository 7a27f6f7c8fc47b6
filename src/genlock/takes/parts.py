"""Parts of a take that was made elsewhere: what came is looked at, and what a chain needs is decoded from it.

    video ─▶ frames (the digest of what it shows)
          └▶ last_frame, unless one came along

A video in a form that Genlock cannot read is kept as it is; nothing is then known of its frames. One that claims to be
in a form it can read, and is damaged, is refused.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from genlock.blobs.store import Store
from genlock.digest import Digest, canonical
from genlock.engines.media import VideoFacts, examine
from genlock.library.kinds import JSON, OCTETS
from genlock.takes.claim import Claim, Output

VIDEO = "video"
FRAMES = "frames"
LAST_FRAME = "last_frame"
_PNG = "image/png"
_BEGINNING_BYTES = 64


def media_type_at(beginning: bytes) -> str:
    """What a file's first bytes say it is; ``application/octet-stream`` for all that is not a picture or video here."""
    if beginning[4:8] == b"ftyp":
        return "video/quicktime" if beginning[8:10] == b"qt" else "video/mp4"
    if beginning.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in beginning else "video/x-matroska"
    if beginning.startswith(b"RIFF") and beginning[8:12] in (b"AVI ", b"WEBP"):
        return "video/x-msvideo" if beginning[8:12] == b"AVI " else "image/webp"
    known = {b"GIF8": "image/gif", b"\x89PNG": _PNG, b"\xff\xd8\xff": "image/jpeg"}
    return next((media_type for magic, media_type in known.items() if beginning.startswith(magic)), OCTETS)


def output_of(store: Store, digest: Digest) -> Output:
    """A stored part, with its size and what it is; ``NotFound`` if its bytes are not there. Blocks."""
    with store.open(digest) as source:
        media_type = media_type_at(source.read(_BEGINNING_BYTES))
    return Output(digest=digest, media_type=media_type, size_bytes=store.size(digest))


def complete(store: Store, outputs: Mapping[str, Output]) -> tuple[dict[str, Output], VideoFacts | None]:
    """``outputs`` with the frames and the last frame of the video among them, and what the video itself says. Blocks.

    Raises ``Invalid`` if the video is damaged.
    """
    whole = dict(outputs)
    video = whole.get(VIDEO)
    if video is None or video.media_type == OCTETS or {FRAMES, LAST_FRAME} <= whole.keys():
        return whole, None
    with tempfile.TemporaryDirectory(prefix="genlock-") as folder:
        path = Path(folder) / VIDEO
        store.copy_out(video.digest, path)
        examined = examine(path)
    whole.setdefault(FRAMES, Output(digest=examined.frames_digest))
    if LAST_FRAME not in whole:
        stored = store.put(examined.last_frame)
        whole[LAST_FRAME] = Output(digest=stored.digest, media_type=_PNG, size_bytes=stored.size_bytes)
    return whole, examined.facts


def measured(claim: Claim, facts: VideoFacts | None) -> Claim:
    """A claim with the size and number of frames that its video has, where it does not say them itself."""
    if facts is None:
        return claim
    said = claim.parameters
    missing = {
        name: value
        for name, value in (("width", facts.width), ("height", facts.height), ("frames", facts.frames))
        if getattr(said, name) is None
    }
    return claim.model_copy(update={"parameters": said.model_copy(update=missing)})


def keep_graph(store: Store, claim: Claim) -> Output | None:
    """The graph of a claim, its bytes stored; ``None`` if it has none. Blocks."""
    if claim.graph is None:
        return None
    if isinstance(claim.graph, str):
        return Output(digest=claim.graph, media_type=JSON, size_bytes=store.size(claim.graph))
    stored = store.put(canonical(claim.graph))
    return Output(digest=stored.digest, media_type=JSON, size_bytes=stored.size_bytes)
