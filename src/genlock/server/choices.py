"""Settings that a data folder stores for later starts: its database, store, watched folders and ComfyUI.

Without them, a server that a command starts would create an empty embedded database instead of using the earlier one,
would not watch the folders that the previous server watched, and would not find ComfyUI.

    --database-url URL      used, and stored once the database has answered
    no option               the stored value, else the embedded database
    --database-url default  the embedded database, and the stored value removed
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
    """A data folder's database and blob store (null: in the folder itself), its watched folders, and its ComfyUI."""

    database_url: str | None = Field(default=None, repr=False)
    blobs: str | None = None
    scan_folders: tuple[Path, ...] = ()
    scan_keep: bool | None = None
    comfyui_url: str | None = None
    comfyui_folder: Path | None = None
    comfyui_secret: str | None = Field(default=None, repr=False)


def with_stored_values(settings: Settings) -> Settings:
    """Return the settings with stored values for those that are not set. Raise ``Invalid`` if they cannot be read."""
    stored = _read(settings.data / _FILE)
    values = {
        "database_url": _given_or_stored(settings.database_url, stored.database_url),
        "blobs": _given_or_stored(_absolute(settings.blobs), stored.blobs),
        "scan_folders": _folders(settings.scan_folders, stored.scan_folders),
        "scan_keep": stored.scan_keep if settings.scan_keep is None else settings.scan_keep,
        **_comfyui(settings, stored),
    }
    return settings.model_copy(update=values)


def store(settings: Settings) -> None:
    """Store the settings of a started server in a private file, since they may include secrets."""
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


def _given_or_stored(given: str | None, stored: str | None) -> str | None:
    return stored if given is None else None if given == DEFAULT else given


def _comfyui(settings: Settings, stored: Choices) -> dict[str, Any]:
    """Return ComfyUI's settings as given, or all as stored: the folder and secret belong to one ComfyUI."""
    if settings.comfyui_url == DEFAULT:
        return dict.fromkeys(_COMFYUI)
    source = stored if settings.comfyui_url is None else settings
    return {name: getattr(settings, name) or getattr(source, name) for name in _COMFYUI}


def _folders(given: tuple[Path, ...], stored: tuple[Path, ...]) -> tuple[Path, ...]:
    return stored if not given else () if given == (Path(DEFAULT),) else given


def _absolute(blobs: str | None) -> str | None:
    return blobs if blobs is None or blobs == DEFAULT or "://" in blobs else str(Path(blobs).expanduser().absolute())


def _read(path: Path) -> Choices:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        return Choices.model_validate(content)
    except FileNotFoundError:
        return Choices()
    except (ValueError, ValidationError) as error:
        raise Invalid(
            f"{path} cannot be read, so this data folder's database is unknown.",
            hint="Remove the file, then name the database again with `genlock up --database-url`.",
            code="bad_choices",
        ) from error
