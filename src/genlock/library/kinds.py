"""What each kind of asset is as a file: how its content is read, its media type, and what sentences call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType

from genlock.model import Kind


class Content(StrEnum):
    """How a file is read when it is identified."""

    WEIGHTS = "weights"
    """safetensors by their own rule, everything else (pickles above all) as bytes that are never loaded."""
    PICTURE = "picture"
    """PNG, JPEG or WebP, decoded once to see that they are whole."""
    WORKFLOW = "workflow"
    """An API-format graph, equal by its skeleton."""
    TEXT = "text"
    """UTF-8."""
    BYTES = "bytes"
    """Anything."""


@dataclass(frozen=True)
class KindRule:
    """What holds for the files of one kind.

    ``extensions`` are the usual ones, for pickers and completion; the content decides, not the name.
    ``in_sentences``: whether a sentence writes the file's extension (``clothed_v1.png``, but ``rain_v1``).
    """

    content: Content
    extensions: tuple[str, ...]
    in_sentences: bool = False

    @property
    def has_own_equality(self) -> bool:
        """Whether the effective digest may differ from the digest of the bytes."""
        return self.content in {Content.WEIGHTS, Content.WORKFLOW}


_WEIGHTS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")

RULES: Mapping[Kind, KindRule] = MappingProxyType(
    {
        Kind.SOURCE_IMAGE: KindRule(Content.PICTURE, _PICTURES, in_sentences=True),
        Kind.VARIANT: KindRule(Content.PICTURE, _PICTURES, in_sentences=True),
        Kind.WORKFLOW: KindRule(Content.WORKFLOW, (".json",)),
        Kind.MODEL: KindRule(Content.WEIGHTS, _WEIGHTS),
        Kind.LORA: KindRule(Content.WEIGHTS, _WEIGHTS),
        Kind.VAE: KindRule(Content.WEIGHTS, _WEIGHTS),
        Kind.TEXT_ENCODER: KindRule(Content.WEIGHTS, _WEIGHTS),
        Kind.CONTROLNET: KindRule(Content.WEIGHTS, _WEIGHTS),
        Kind.PROMPT: KindRule(Content.TEXT, (".txt", ".md")),
        Kind.AUDIO: KindRule(Content.BYTES, (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a"), in_sentences=True),
        Kind.VIDEO: KindRule(Content.BYTES, (".mp4", ".webm", ".mov", ".mkv"), in_sentences=True),
        # Embeddings, upscalers and the like are safetensors too, and have no kind of their own.
        Kind.OTHER: KindRule(Content.WEIGHTS, ()),
    }
)

SAFETENSORS_EXTENSIONS = frozenset({".safetensors", ".sft"})

OCTETS = "application/octet-stream"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

_BY_EXTENSION: Mapping[str, str] = MappingProxyType(
    {
        ".wav": "audio/wav",
        ".mp3": "audio/mpeg",
        ".flac": "audio/flac",
        ".ogg": "audio/ogg",
        ".opus": "audio/ogg",
        ".m4a": "audio/mp4",
        ".mp4": "video/mp4",
        ".webm": "video/webm",
        ".mov": "video/quicktime",
        ".mkv": "video/x-matroska",
    }
)

SAFE_MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", JSON, TEXT, *_BY_EXTENSION.values()})
"""What a browser may be told a file is. None of them can run a script; nosniff must be sent all the same."""


def extension_of(filename: str) -> str:
    """The extension with its dot, in lower case; empty if there is none."""
    return PurePosixPath(filename).suffix.lower()


def extension_in_sentences(kind: Kind, filename: str) -> str:
    """What follows ``name_v1`` in a sentence: the filename's extension as it is written, or nothing."""
    return PurePosixPath(filename).suffix if RULES[kind].in_sentences else ""


def media_type_of(kind: Kind, filename: str) -> str:
    """The media type of audio and video by the filename; ``application/octet-stream`` for all else."""
    return _BY_EXTENSION.get(extension_of(filename), OCTETS) if kind in {Kind.AUDIO, Kind.VIDEO} else OCTETS


def safe_media_type(media_type: str) -> str:
    """``media_type`` if a browser may be told so, else ``application/octet-stream``."""
    return media_type if media_type in SAFE_MEDIA_TYPES else OCTETS
