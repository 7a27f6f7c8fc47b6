"""Turns a server's problem documents (RFC 9457) back into the six errors."""

from typing import Any, cast

import httpx

from genlock.errors import Conflict, Denied, GenlockError, Invalid, NotFound, Tampered, Unavailable


def problem_of(response: httpx.Response) -> GenlockError:
    """The error that a refusal says, with its message, hint, code and fields."""
    said = _document(response)
    status = response.status_code
    message = str(said.get("detail") or said.get("title") or f"The server answered {status} {response.reason_phrase}.")
    rest: dict[str, Any] = {
        "hint": said.get("hint"),
        "code": said.get("code") or f"http_{status}",
        "fields": said.get("errors") or (),
    }
    if status in {401, 403}:
        rest["hint"] = rest["hint"] or "Give a token with --token or GENLOCK_TOKEN."
        return Denied(message, unauthenticated=status == 401, **rest)
    if status == 404:
        return NotFound(message, **rest)
    if status == 409:
        return Tampered(message, **rest) if rest["code"] == Tampered.default_code else Conflict(message, **rest)
    if status == 413:
        return Invalid(message, too_large=True, **rest)
    if status >= 500:
        return Unavailable(message, **rest)
    return Invalid(message, **rest)


def _document(response: httpx.Response) -> dict[str, Any]:
    """The problem document; nothing when something that is not Genlock answered."""
    try:
        said: Any = response.json()
    except ValueError:
        return {}
    return cast(dict[str, Any], said) if isinstance(said, dict) else {}
