"""The table of kinds: how the files of each are read, their names, and the folders where ComfyUI keeps them. Pure."""

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
    """PNG, JPEG or WebP, decoded once to check that they are complete."""
    WORKFLOW = "workflow"
    """An API-format graph, equal by its skeleton."""
    TEXT = "text"
    """UTF-8."""
    BYTES = "bytes"
    """Anything."""


@dataclass(frozen=True)
class KindRule:
    """The rules for the files of one kind.

    ``extensions`` are the usual ones, for pickers and completion; the content decides, not the name.
    ``also_in_comfyui`` are extensions that ComfyUI loads as this kind and Genlock does not register. ``model_folders``
    are the folders below ComfyUI's ``models`` for this kind; Genlock places files in the first. ``in_sentences`` is
    whether sentences include the file's extension (``clothed_v1.png``, but ``rain_v1``).
    """

    content: Content
    extensions: tuple[str, ...] = ()
    also_in_comfyui: tuple[str, ...] = ()
    model_folders: tuple[str, ...] = ()
    in_sentences: bool = False

    @property
    def has_own_equality(self) -> bool:
        """Whether the effective digest may differ from the digest of the bytes."""
        return self.content in {Content.WEIGHTS, Content.WORKFLOW}


_WEIGHTS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_MORE_PICTURES = (".gif", ".bmp", ".tif", ".tiff", ".avif")

RULES: Mapping[Kind, KindRule] = MappingProxyType(
    {
        Kind.SOURCE_IMAGE: KindRule(Content.PICTURE, _PICTURES, _MORE_PICTURES, in_sentences=True),
        Kind.VARIANT: KindRule(Content.PICTURE, _PICTURES, in_sentences=True),
        Kind.WORKFLOW: KindRule(Content.WORKFLOW, (".json",)),
        Kind.MODEL: KindRule(
            Content.WEIGHTS, _WEIGHTS, model_folders=("diffusion_models", "checkpoints", "unet", "unet_gguf")
        ),
        Kind.LORA: KindRule(Content.WEIGHTS, _WEIGHTS, model_folders=("loras",)),
        Kind.VAE: KindRule(Content.WEIGHTS, _WEIGHTS, model_folders=("vae", "vae_approx")),
        Kind.TEXT_ENCODER: KindRule(Content.WEIGHTS, _WEIGHTS, model_folders=("text_encoders", "clip", "clip_gguf")),
        Kind.CONTROLNET: KindRule(Content.WEIGHTS, _WEIGHTS, model_folders=("controlnet",)),
        Kind.PROMPT: KindRule(Content.TEXT, (".txt", ".md")),
        Kind.AUDIO: KindRule(Content.BYTES, (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a"), in_sentences=True),
        Kind.VIDEO: KindRule(Content.BYTES, (".mp4", ".webm", ".mov", ".mkv"), (".avi",), in_sentences=True),
        # Embeddings, upscalers and similar files are safetensors too, but have no kind.
        Kind.OTHER: KindRule(
            Content.WEIGHTS,
            model_folders=(
                "clip_vision",
                "style_models",
                "embeddings",
                "upscale_models",
                "latent_upscale_models",
                "audio_encoders",
                "model_patches",
                "gligen",
                "hypernetworks",
                "photomaker",
                "ipadapter",
            ),
        ),
    }
)

WEIGHTS = frozenset(kind for kind, rule in RULES.items() if rule.content is Content.WEIGHTS)
"""The kinds whose files are weights."""

PICTURES = frozenset(kind for kind, rule in RULES.items() if rule.content is Content.PICTURE)
"""The kinds whose files are pictures; either can replace the other."""

WEIGHTS_EXTENSIONS = _WEIGHTS
PICTURE_EXTENSIONS = _PICTURES
SAFETENSORS_EXTENSIONS = frozenset({".safetensors", ".sft"})

KIND_OF_FOLDER: Mapping[str, Kind] = MappingProxyType(
    {folder: kind for kind, rule in RULES.items() for folder in rule.model_folders}
)
"""The kind that a folder below ComfyUI's ``models`` holds."""

INPUT_FOLDER = "input"
"""ComfyUI's folder of pictures, videos and sounds."""

MEDIA_FOLDERS = frozenset({INPUT_FOLDER, "output", "temp"})
"""ComfyUI's folders that hold media of any kind, so that only the extension decides."""

_MEDIA = (Kind.SOURCE_IMAGE, Kind.VIDEO, Kind.AUDIO)

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
"""The media types that are sent to a browser. None of them can run a script; nosniff must be sent anyway."""


def extension_of(filename: str) -> str:
    """Return the extension with its dot, in lower case; empty if there is none."""
    return PurePosixPath(filename).suffix.lower()


def folder_for(kind: Kind) -> str:
    """Return the ComfyUI folder for files of a kind; ``input`` for kinds without a model folder."""
    folders = RULES[kind].model_folders
    return folders[0] if folders and kind is not Kind.OTHER else INPUT_FOLDER


def kind_in_folder(folder: str | None, filename: str) -> Kind:
    """Return the kind of a file in one of ComfyUI's folders; ``OTHER`` where neither folder nor extension decides."""
    if folder is not None and folder not in MEDIA_FOLDERS:
        return KIND_OF_FOLDER.get(folder, Kind.OTHER)
    return media_kind(filename) or Kind.OTHER


def media_kind(filename: str) -> Kind | None:
    """Return the kind of a picture, video or sound by its extension; None for everything else."""
    name = filename.lower()
    return next((kind for kind in _MEDIA if name.endswith(RULES[kind].extensions + RULES[kind].also_in_comfyui)), None)


def media_type_of(kind: Kind, filename: str) -> str:
    """Return the media type of audio and video by the filename; ``application/octet-stream`` for all else."""
    return _BY_EXTENSION.get(extension_of(filename), OCTETS) if kind in {Kind.AUDIO, Kind.VIDEO} else OCTETS


def safe_media_type(media_type: str) -> str:
    """Return ``media_type`` if it may be sent to a browser, else ``application/octet-stream``."""
    return media_type if media_type in SAFE_MEDIA_TYPES else OCTETS
