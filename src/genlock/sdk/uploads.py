"""Forms with files: fields first, files last, each file read as it is sent."""

import io
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from genlock.errors import Invalid

Progress = Callable[[int, int], None]
"""Called with the bytes transferred and the total."""

_CHUNK_BYTES = 2**20


class Form:
    """Text fields and files of an upload. The files are reopened for each try."""

    def __init__(
        self,
        fields: Iterable[tuple[str, str]],
        files: Mapping[str, Path],
        on_progress: Progress | None = None,
    ) -> None:
        self._fields, self._files = tuple(fields), dict(files)
        self._on_progress = on_progress
        self._total = sum(size_of(path) for path in self._files.values())

    def opened(self, stack: ExitStack) -> dict[str, Any]:
        """Return the parts for httpx, with the files opened on ``stack``."""
        progress = _Sent(self._total, self._on_progress)
        parts: list[tuple[str, Any]] = [(name, (None, text.encode())) for name, text in self._fields]
        for name, path in self._files.items():
            parts.append((name, (path.name, stack.enter_context(_Watched(path, progress)), _media_type(path))))
        return {"files": parts}


class _Sent:
    """Counts the bytes that were sent of all files of a form."""

    def __init__(self, total: int, on_progress: Progress | None) -> None:
        self._sent, self._total, self._on_progress = 0, total, on_progress

    def add(self, count: int) -> None:
        self._sent += count
        if self._on_progress is not None:
            self._on_progress(self._sent, self._total)


class _Watched(io.BufferedReader):
    """A file that counts the bytes read from it."""

    def __init__(self, path: Path, sent: _Sent) -> None:
        super().__init__(io.FileIO(path), _CHUNK_BYTES)
        self._sent = sent

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        chunk = super().read(size)
        self._sent.add(len(chunk))
        return chunk


def size_of(path: Path) -> int:
    """Return a file's size. Raise ``Invalid`` if it does not exist or is not a file."""
    try:
        if path.is_dir():
            raise Invalid(f"{path} is a folder.", hint="Name files, not folders.", code="no_file")
        return path.stat().st_size
    except FileNotFoundError as error:
        raise Invalid(f"There is no file {path}.", hint="Check the path.", code="no_file") from error
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.", hint="Check who may read it.", code="no_file"
        ) from error


def _media_type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
