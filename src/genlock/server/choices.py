"""What was chosen for a data folder: its database, store, watched folders, ComfyUI; kept, so that later starts go on.

Without it, a server that a command starts by itself would bring up an empty embedded database beside the one in use,
would not notice what is overwritten in the folders that the last one watched, and would not find ComfyUI.

    --database-url URL      used, and kept once the database has answered
    nothing                 what was kept; the embedded database if nothing was
    --database-url default  the embedded database again, and nothing kept
"""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from genlock.errors import Invalid
from genlock.model import Model
from genlock.private_file import write_private
from genlock.settings import DEFAULT, Settings

_FILE = "choices.json"
_COMFYUI = ("comfyui_url", "comfyui_folder", "comfyui_secret")


class Choices(Model):
    """Where a data folder's rows and bytes are; null for those that are in the folder itself. What it watches, how.

    And the ComfyUI in which its own workers render.
    """

    database_url: str | None = Field(default=None, repr=False)
    blobs: str | None = None
    scan_folders: tuple[Path, ...] = ()
    scan_keep: bool | None = None
    comfyui_url: str | None = None
    comfyui_folder: Path | None = None
    comfyui_secret: str | None = Field(default=None, repr=False)


def recalled(settings: Settings) -> Settings:
    """The settings with what was kept in place of what is not said. ``Invalid`` if what was kept cannot be read."""
    kept = _read(settings.data / _FILE)
    said = {
        "database_url": _chosen(settings.database_url, kept.database_url),
        "blobs": _chosen(_absolute(settings.blobs), kept.blobs),
        "scan_folders": _folders(settings.scan_folders, kept.scan_folders),
        "scan_keep": kept.scan_keep if settings.scan_keep is None else settings.scan_keep,
        **_comfyui(settings, kept),
    }
    return settings.model_copy(update=said)


def keep(settings: Settings) -> None:
    """Keep the choices of a server that has come up: a secret may be among them, so nobody else can read the file."""
    path = settings.data / _FILE
    choices = Choices(
        database_url=settings.database_url,
        blobs=settings.blobs,
        scan_folders=settings.scan_folders,
        scan_keep=settings.scan_keep,
        comfyui_url=settings.comfyui_url,
        comfyui_folder=settings.comfyui_folder,
        comfyui_secret=settings.comfyui_secret,
    )
    if choices == _read(path):
        return
    write_private(path, choices.model_dump_json(exclude_defaults=True) + "\n")


def _chosen(said: str | None, kept: str | None) -> str | None:
    return kept if said is None else None if said == DEFAULT else said


def _comfyui(settings: Settings, kept: Choices) -> dict[str, Any]:
    """All of what is said of ComfyUI, or all that was kept: the folder and the secret of one are not another's."""
    if settings.comfyui_url == DEFAULT:
        return dict.fromkeys(_COMFYUI)
    source = kept if settings.comfyui_url is None else settings
    return {name: getattr(settings, name) or getattr(source, name) for name in _COMFYUI}


def _folders(said: tuple[Path, ...], kept: tuple[Path, ...]) -> tuple[Path, ...]:
    return kept if not said else () if said == (Path(DEFAULT),) else said


def _absolute(blobs: str | None) -> str | None:
    return blobs if blobs is None or blobs == DEFAULT or "://" in blobs else str(Path(blobs).expanduser().absolute())


def _read(path: Path) -> Choices:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return Choices.model_validate(found)
    except FileNotFoundError:
        return Choices()
    except (ValueError, ValidationError) as error:
        raise Invalid(
            f"{path} does not say which database this data folder uses.",
            hint="Remove the file, and name the database once more with `genlock up --database-url`.",
            code="bad_choices",
        ) from error
