"""Reads the bodies of requests: only after the caller was found to be allowed, and never more than the limit."""

import math
import re
from typing import Any

import pydantic_core
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from genlock.errors import Invalid

BAD_JSON = "bad_json"
"""The code of a refusal of what is not JSON."""

# What may be a number too large for a double, or none at all: only then are the parsed values looked through.
_LARGE_NUMBER = re.compile(rb"[eE]\+?[0-9]{3,}(?=[\s,\]}]|$)|[0-9]{300}")
_NO_NUMBER = re.compile(rb"NaN|Inf")


class ReadRequest(Request):
    """A request whose body was read and parsed already, as FastAPI's handler wants it."""

    def __init__(self, request: Request, body: bytes, parsed: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._read_body = body
        self._parsed = parsed

    async def body(self) -> bytes:
        """The bytes of the body."""
        return self._read_body

    async def json(self) -> Any:
        """The parsed body."""
        return self._parsed


def too_large(limit: int, setting: str) -> Invalid:
    """The refusal (413) of a body that goes over a limit, naming the setting that moves it."""
    return Invalid(
        f"The body is larger than {limit:,} bytes.",
        hint=f"Send less, or raise {setting} on the server.",
        code="too_large",
        too_large=True,
    )


def check_announced(request: Request, limit: int, setting: str) -> None:
    """Refuse a request whose ``Content-Length`` goes over ``limit``, before any of it is read."""
    announced = request.headers.get("content-length")
    if announced is not None and (not announced.isdecimal() or int(announced) > limit):
        raise too_large(limit, setting)


async def read_json(request: Request, limit: int, said: TypeAdapter[Any] | None) -> ReadRequest:
    """The request with its body read and validated as ``said``; without it there may be no body but ``{}``.

    Raises ``Invalid``: 413 over ``limit`` bytes; 422 for what is not JSON, or says so little about itself that it
    might be something else. Raises ``RequestValidationError`` for JSON that is not as described.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large(limit, "GENLOCK_MAX_BODY_BYTES")
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
    if said is None:
        parse_json(body)
        if body.strip() != b"{}":
            raise Invalid("This call takes no body.", hint="Send it without one.", code="unexpected_body")
        return ReadRequest(request, b"", None)
    return ReadRequest(request, body, validate_json(body, said))


def validate_json(text: bytes, said: TypeAdapter[Any]) -> Any:
    """The value of JSON as described, strictly: ``1`` is not true, ``"1"`` is not a number.

    Raises what ``parse_json`` does for what is not JSON, and ``RequestValidationError`` for what is not as described.
    """
    if _LARGE_NUMBER.search(text) or _NO_NUMBER.search(text):
        parse_json(text)  # only then can validation let something pass that is no JSON: both parse with one parser
    try:
        return said.validate_json(text, strict=True)
    except ValidationError as error:
        parse_json(text)
        errors = [{**found, "loc": ("body", *found["loc"])} for found in error.errors(include_url=False)]
        raise RequestValidationError(errors) from error


def parse_json(text: bytes) -> Any:
    """The value of strict JSON (RFC 8259): no NaN, no infinities, no lone surrogates, and not nested too deep."""
    try:
        value = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Invalid(
            f"The body is not JSON: {error}.",
            hint="Numbers are finite, strings are UTF-8, and nesting ends at 200 levels.",
            code=BAD_JSON,
        ) from error
    if _LARGE_NUMBER.search(text) and _has_infinity(value):
        raise Invalid(
            "The body is not JSON: a number is larger than any finite double.",
            hint="Write large integers, such as seeds, as strings.",
            code=BAD_JSON,
        )
    return value


def _has_infinity(value: Any) -> bool:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, float) and math.isinf(found):
            return True
        if isinstance(found, dict):
            waiting.extend(found.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif isinstance(found, list):
            waiting.extend(found)  # pyright: ignore[reportUnknownArgumentType]
    return False
