"""Determines a file's kind and asset name by its folder, in the layout of ComfyUI's folders. Pure.

models/loras/wan/rain.safetensors   ──▶ lora     rain
models/checkpoints/tiny.safetensors ──▶ model    tiny
input/portrait.png                  ──▶ source_image  portrait
"""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import PurePath

from genlock.kinds import (
    INPUT_FOLDER,
    KIND_OF_FOLDER,
    RULES,
    WEIGHTS_EXTENSIONS,
    extension_of,
    kind_in_folder,
    media_kind,
)
from genlock.model import Kind
from genlock.names import name_from

MODELS = "models"

SKIPPED = frozenset({"output", "temp", "user", "custom_nodes", "venv", "node_modules", "__pycache__"})
"""Folders without inputs: outputs and programs."""

STAGED = "genlock"
"""The folder below a category with the files that Genlock placed there, named by their content."""

_LONGEST_FOLDERS = 60
_UNFINISHED = frozenset({".part", ".tmp", ".temp", ".crdownload", ".download", ".incomplete", ".aria2"})


def category_of(folders: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Return the folder that names the category, and the folders below it; ``None`` if no folder does.

    ``folders`` lead to the file, outermost first. The folder below ``models`` is the category, whatever its name;
    without ``models``, the outermost folder with a category's name.
    """
    lowered = [folder.lower() for folder in folders]
    if MODELS in lowered[:-1]:
        at = lowered.index(MODELS) + 1
    else:
        at = next((at for at, name in enumerate(lowered) if name in KIND_OF_FOLDER or name == INPUT_FOLDER), -1)
        if at < 0:
            return None
    return lowered[at], tuple(folders[at + 1 :])


def kind_of(folders: Sequence[str], filename: str) -> Kind | None:
    """Return a file's kind; ``None`` for files that are not inputs: hidden, unfinished, staged, or of other kinds."""
    if filename.startswith(".") or extension_of(filename) in _UNFINISHED:
        return None
    if any(folder.startswith(".") or folder.lower() in SKIPPED for folder in folders):
        return None
    place = category_of(folders)
    if place is None:
        return None
    category, within = place
    if within[:1] == (STAGED,):
        return None
    if category == INPUT_FOLDER:
        kind = media_kind(filename)
        # ComfyUI's folder has pictures that Genlock does not register: skip them silently.
        return kind if kind is not None and extension_of(filename) in RULES[kind].extensions else None
    return kind_in_folder(category, filename) if extension_of(filename) in WEIGHTS_EXTENSIONS else None


def names_of(folders: Sequence[str], filename: str) -> Iterator[str]:
    """Yield possible names of the file's asset, the simplest first; the others are for when a name is taken.

    The stem; the stem with the folders below the category; that with the extension; that with a number.
    """
    path = PurePath(filename)
    place = category_of(folders)
    stem = name_from(path.stem)
    stem = stem if stem.strip(" .") else "file"
    extension = name_from(path.suffix.removeprefix("."))[:20].strip() or "file"
    within = name_from(" ".join(place[1]))[:_LONGEST_FOLDERS].strip() if place else ""
    yield stem
    if within:
        yield name_from(stem, f" ({within})")
        extension = f"{within} {extension}"
    yield name_from(stem, f" ({extension})")
    for number in count(2):
        yield name_from(stem, f" ({extension}) {number}")
