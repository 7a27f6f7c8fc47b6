"""The session cookie, and the check that a write with it comes from Genlock's own pages.

Browsers send cookies with requests that other sites cause. ``SameSite=Strict`` keeps most of those away; the headers
``Sec-Fetch-Site`` and ``Origin``, which no page can set, keep away the rest.
"""

from urllib.parse import urlsplit

from fastapi import Request, Response

from genlock.errors import Denied

_PLAIN, _SECURE = "genlock_session", "__Host-genlock_session"


def session_secret(request: Request) -> str | None:
    """Return the secret in the session cookie of a request, if it has one."""
    return request.cookies.get(_name(request))


def set_session(request: Request, response: Response, secret: str, lifetime_s: int) -> None:
    """Send the session cookie with a response."""
    response.set_cookie(
        _name(request),
        secret,
        max_age=lifetime_s,
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="strict",
    )


def clear_session(request: Request, response: Response) -> None:
    """Remove the session cookie from the browser."""
    response.delete_cookie(_name(request), path="/", secure=_is_secure(request), httponly=True, samesite="strict")


def require_same_origin(request: Request) -> None:
    """Raise ``Denied`` (403) unless the browser says that the request comes from a page of this server."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    # Browsers send Sec-Fetch-Site to https and to this machine only, Origin with every write.
    is_ours = site == "same-origin" if site is not None else origin is not None and urlsplit(origin).netloc == host
    if not is_ours:
        raise Denied(
            "A request with a session cookie must come from a page of this server.",
            hint="Use a token instead of the cookie: `Authorization: Bearer …`.",
            code="cross_origin",
        )


def _name(request: Request) -> str:
    return _SECURE if _is_secure(request) else _PLAIN


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
