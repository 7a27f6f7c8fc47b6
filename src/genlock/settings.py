"""Settings: read once from ``GENLOCK_…`` variables at startup and passed on from there.

Every setting is described in ``docs/reference/settings.md``; a test checks that none is missing.
"""

import os
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DEFAULT = "default"
"""The value that resets a remembered setting of a data folder (database, store, watched folders) to its default."""

GIB = 2**30
MIB = 2**20
KIB = 2**10


def default_data_folder() -> Path:
    """Return ``/var/lib/genlock`` for root, else the platform's folder for a user's data."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/genlock")
    return platformdirs.user_data_path("genlock", appauthor=False)


class Settings(BaseModel):
    """All settings. Arguments override variables, variables override the defaults here."""

    # Fields with repr=False are secrets: they appear in no repr or message.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    # who asks
    url: str | None = None
    token: str | None = Field(default=None, repr=False)

    # where things are
    data: Path = Field(default_factory=default_data_folder)
    database_url: str | None = Field(default=None, repr=False)
    database_owner_url: str | None = Field(default=None, repr=False)
    database_connections: int = Field(default=10, ge=2, le=1000)
    blobs: str | None = None
    register_roots: tuple[Path, ...] = ()
    scan_folders: tuple[Path, ...] = ()
    scan_keep: bool | None = None

    # the server
    host: str = "127.0.0.1"
    port: int = Field(default=8470, ge=0, le=65535)
    workers: int = Field(default=1, ge=0, le=64)
    idle_minutes: float | None = Field(default=None, gt=0)
    log_level: str = "info"

    # what a reproduction must reach to be called visually equal
    reproduce_psnr_db: float = Field(default=40, ge=0, le=1000)
    reproduce_ssim: float = Field(default=0.98, ge=0, le=1)

    # the ComfyUI that this machine's workers render with
    comfyui_url: str | None = None
    comfyui_folder: Path | None = None
    comfyui_staging_bytes: int = Field(default=200 * GIB, ge=1)
    comfyui_secret: str | None = Field(default=None, repr=False)

    # limits of requests
    max_body_bytes: int = Field(default=1 * MIB, ge=1024)
    max_batch_bytes: int = Field(default=32 * MIB, ge=1024)
    max_field_bytes: int = Field(default=8 * MIB, ge=1024)
    max_upload_bytes: int = Field(default=64 * GIB, ge=1024)
    max_header_bytes: int = Field(default=64 * KIB, ge=4096)
    header_timeout_s: float = Field(default=10, gt=0)
    idle_timeout_s: float = Field(default=30, gt=0)
    max_connections: int = Field(default=1000, ge=2)
    events_keepalive_s: float = Field(default=15, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _add_environment(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Add the ``GENLOCK_…`` variables that are set and not empty; arguments override them."""
        variables = {name: os.environ.get(f"GENLOCK_{name.upper()}") for name in cls.model_fields}
        return {**{name: value for name, value in variables.items() if value}, **values}

    @field_validator("register_roots", "scan_folders", mode="before")
    @classmethod
    def _split_paths(cls, value: Any) -> Any:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("scan_folders")
    @classmethod
    def _absolute_folders(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        if value == (Path(DEFAULT),):
            return value
        for folder in value:
            if os.pathsep in str(folder) or not str(folder).isprintable():
                raise ValueError(
                    f"a folder whose name contains {os.pathsep!r} or unprintable characters cannot be watched"
                )
        return tuple(folder.expanduser().absolute() for folder in value)

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def keeps_scanned(self) -> bool:
        """Whether scans store the bytes of the files, unless a scan requests otherwise."""
        return self.scan_keep is not False

    @property
    def token_file(self) -> Path:
        """The file with the administrator's token, which the server writes for the CLI of the same user."""
        return self.data / "admin.token"

    @property
    def server_file(self) -> Path:
        """The file in which a running server records how to reach it: ``{url, pid, version}``."""
        return self.data / "server.json"

    def as_environment(self) -> dict[str, str]:
        """Return the environment that gives another process the same settings; secrets stay off command lines.

        A setting that is unset here is unset there too, independent of this process's variables.
        """
        variables = {
            f"GENLOCK_{name.upper()}": _as_text(value)
            for name, value in self.model_dump(exclude_none=True, mode="python").items()
        }
        ours = {f"GENLOCK_{name.upper()}" for name in type(self).model_fields}
        return {**{name: value for name, value in os.environ.items() if name not in ours}, **variables}


def _as_text(value: Any) -> str:
    return os.pathsep.join(map(str, value)) if isinstance(value, tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
