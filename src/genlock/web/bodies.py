"""Reads request bodies: only after authorization, and at most up to the limit."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter

from genlock.errors import Invalid
from genlock.settings import Settings
from genlock.web.parsing import parse_json, validate_json


class ReadRequest(Request):
    """A request whose body was already read and parsed, for FastAPI's handler."""

    def __init__(self, request: Request, body: bytes, parsed: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._read_body = body
        self._parsed = parsed

    async def body(self) -> bytes:
        """Return the bytes of the body."""
        return self._read_body

    async def json(self) -> Any:
        """Return the parsed body."""
        return self._parsed


@dataclass(frozen=True)
class BodyLimit:
    """The maximum size of a body, and its setting."""

    setting: str
    size_bytes: int


MAX_BODY = "GENLOCK_MAX_BODY_BYTES"
MAX_BATCH = "GENLOCK_MAX_BATCH_BYTES"
MAX_UPLOAD = "GENLOCK_MAX_UPLOAD_BYTES"
MAX_FIELD = "GENLOCK_MAX_FIELD_BYTES"


def body_limit(settings: Settings, setting: str) -> BodyLimit:
    """Return the limit of a setting."""
    return BodyLimit(setting, getattr(settings, setting.removeprefix("GENLOCK_").lower()))


def too_large(limit: BodyLimit) -> Invalid:
    """Return the error (413) for a body over a limit, which names the setting to change."""
    return Invalid(
        f"The body is larger than {limit.size_bytes:,} bytes.",
        hint=f"Send less, or raise {limit.setting} on the server.",
        code="too_large",
        too_large=True,
    )


def check_announced_size(request: Request, limit: BodyLimit) -> None:
    """Raise ``Invalid`` (413) if ``Content-Length`` is over ``limit``, before the body is read."""
    announced = request.headers.get("content-length")
    if announced is not None and (not announced.isdecimal() or int(announced) > limit.size_bytes):
        raise too_large(limit)


async def read_json(request: Request, limit: BodyLimit, adapter: TypeAdapter[Any] | None) -> ReadRequest:
    """Return the request with its body read and validated by ``adapter``; without one, only ``{}`` is valid.

    Raise ``Invalid``: 413 for a body over ``limit``, 422 for a body that is not JSON or not valid.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit.size_bytes:
            raise too_large(limit)
        chunks.append(chunk)
    request.state.body_was_read = True
    body = b"".join(chunks)
    if not body:
        return ReadRequest(request, body, None)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Invalid(
            f"The body is {media_type or 'of no stated type'!r}; this call takes application/json.",
            hint="Send JSON with the header Content-Type: application/json.",
            code="unsupported_media_type",
        )
    if adapter is None:
        parse_json(body)
        if body.strip() != b"{}":
            raise Invalid("This call takes no body.", hint="Send it without one.", code="unexpected_body")
        return ReadRequest(request, b"", None)
    return ReadRequest(request, body, validate_json(body, adapter))
