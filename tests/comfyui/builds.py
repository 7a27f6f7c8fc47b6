"""The built ComfyUIs in ``.comfyui``, one folder for each version, and which of them the tests use.

    .comfyui/<version>/server   ComfyUI's own files
                      /venv     its dependencies for a CPU
                      /front    the page of the version that it requires; front/.built names that version
                      /built    the recipe of this build; without it everything is built again
    .comfyui/last               the version that was built last

Tests use the version in ``COMFYUI_VERSION``, else ``DEFAULT_VERSION``.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2] / ".comfyui"
DEFAULT_VERSION = "0.3.75"
"""The newest that Python 3.11 gets from a registry, as a package carries it."""
_VERSION = re.compile(r"[0-9A-Za-z]{1,40}([.+-][0-9A-Za-z]{1,40}){0,8}")
_ASSIGNMENT = re.compile(r"""__version__\s*=\s*["']([^"']*)["']""")
_LAST = "last"


@dataclass(frozen=True)
class Build:
    """A built ComfyUI, or the place of one that is not built yet. Raises ``ValueError`` if it is not a version."""

    version: str
    root: Path = ROOT

    def __post_init__(self) -> None:
        if not _VERSION.fullmatch(self.version):
            raise ValueError(f"{self.version!r} is not a version.")

    @property
    def folder(self) -> Path:
        """Return its folder."""
        return self.root / self.version

    @property
    def server(self) -> Path:
        """Return the folder of ComfyUI's own files."""
        return self.folder / "server"

    @property
    def python(self) -> Path:
        """Return the Python that runs it."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def front_end(self) -> Path:
        """Return the folder of its page."""
        return self.folder / "front"

    @property
    def stamp(self) -> Path:
        """Return the file with the recipe of this build, which is written last."""
        return self.folder / "built"

    def is_built(self) -> bool:
        """Return whether it is complete."""
        return self.stamp.exists()

    def has_front_end(self) -> bool:
        """Return whether its page is complete."""
        return (self.front_end / ".built").exists()


def chosen_build() -> Build:
    """Return the build that the tests use."""
    return Build(os.environ.get("COMFYUI_VERSION") or DEFAULT_VERSION)


def last_build(root: Path = ROOT) -> Build:
    """Return the build that was made last; that of ``DEFAULT_VERSION`` before there is any."""
    try:
        return Build((root / _LAST).read_text().strip() or DEFAULT_VERSION, root)
    except FileNotFoundError:
        return Build(DEFAULT_VERSION, root)


def remember_last(build: Build) -> None:
    """Record that this build was made last."""
    (build.root / _LAST).write_text(build.version + "\n")


def version_of(server: Path) -> str:
    """Return the version of a ComfyUI's files; raise ``ValueError`` if the folder is not a ComfyUI."""
    try:
        text = (server / "comfyui_version.py").read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{server} is not a checkout of ComfyUI: it has no comfyui_version.py.") from error
    match = _ASSIGNMENT.search(text)
    if match is None or not _VERSION.fullmatch(match[1]):
        raise ValueError(f"{server}/comfyui_version.py names no version.")
    return match[1]
