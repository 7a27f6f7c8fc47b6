"""Opens the configured blob store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from genlock.blobs.disk import DiskStore
from genlock.errors import Invalid
from genlock.settings import Settings


def open_store(settings: Settings) -> DiskStore:
    """Open the configured store: a folder, by path or ``file://`` URL; by default in the data folder."""
    location = settings.blobs
    if location is None:
        return DiskStore(settings.data / "blobs")
    parts = urlsplit(location)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return DiskStore(Path(unquote(parts.path)))
    if "://" in location:
        raise Invalid(
            f"There is no store for {parts.scheme}:// yet.",
            hint="Name a folder with --blobs, or leave it out to keep bytes in the data folder.",
        )
    return DiskStore(Path(location).expanduser().absolute())
