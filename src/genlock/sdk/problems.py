"""Converts a server's problem documents (RFC 9457) back to the six errors."""

from typing import Any, cast

import httpx

from genlock.errors import Conflict, Denied, GenlockError, Invalid, NotFound, Tampered, Unavailable


def problem_of(response: httpx.Response) -> GenlockError:
    """Return the error of a response, with its message, hint, code and fields."""
    document = _document(response)
    status = response.status_code
    unexplained = f"The server answered {status} {response.reason_phrase}."
    message = str(document.get("detail") or document.get("title") or unexplained)
    rest: dict[str, Any] = {
        "hint": document.get("hint"),
        "code": document.get("code") or f"http_{status}",
        "fields": document.get("errors") or (),
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
    """Return the problem document, empty if the response is from another program."""
    try:
        document: Any = response.json()
    except ValueError:
        return {}
    return cast(dict[str, Any], document) if isinstance(document, dict) else {}
