"""The node definitions that a workflow saved by ComfyUI's page is converted with, read from a server or a file."""

import json
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx

from genlock.errors import Invalid, Unavailable

_MAX_BYTES = 256 * 2**20
_TIMEOUT = httpx.Timeout(60, connect=5)


@contextmanager
def definitions_of(source: Path | str | None, workflow: Path) -> Generator[dict[str, Path]]:
    """Yield the part ``definitions`` of an upload: what ``source`` says of the classes in ``workflow``.

    Nothing without a source. Raises ``Invalid`` if one cannot be read, ``Unavailable`` if the server does not answer.
    """
    if source is None:
        yield {}
        return
    object_info = _object(_fetched(source) if _is_url(source) else _bytes_of(Path(source)), str(source))
    classes = _types_in(_object(_bytes_of(workflow), str(workflow)))
    with tempfile.TemporaryDirectory(prefix="genlock-") as folder:
        path = Path(folder) / "object_info.json"
        path.write_text(json.dumps({name: entry for name, entry in object_info.items() if name in classes}))
        yield {"definitions": path}


def _is_url(source: Path | str) -> bool:
    return isinstance(source, str) and source.startswith(("http://", "https://"))


def _fetched(url: Path | str) -> bytes:
    try:
        with httpx.stream("GET", f"{str(url).rstrip('/')}/object_info", timeout=_TIMEOUT) as response:
            response.raise_for_status()
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise Invalid(f"The definitions of {url} are too large.", hint="Save and trim /object_info.")
            return bytes(content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"ComfyUI at {url} does not answer: {error}.", hint="Start it, or name a saved /object_info."
        ) from error


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", hint="Check the path.", code="no_file") from error


def _object(content: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise Invalid(f"{name} is not JSON: {error}.", hint="Save it again.", code="bad_json") from error
    if not isinstance(value, dict):
        raise Invalid(f"{name} is not a JSON object.", hint="Save it again.", code="bad_json")
    return cast("dict[str, Any]", value)


def _types_in(workflow: Mapping[str, Any]) -> frozenset[str]:
    """Return every type and class that is named anywhere in a workflow, in either form."""
    types: set[str] = set()
    waiting: list[Any] = [workflow]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            types.update(str(fields[key]) for key in ("type", "class_type") if key in fields)
            waiting += fields.values()
        elif isinstance(value, list):
            waiting += cast("list[Any]", value)
    return frozenset(types)
