"""The web application's built pages, served from memory.

    /_app/immutable/…   named by their content: cached forever
    other built files   checked again with their ETag
    any other path      the application itself, which shows what the path names

A path is only looked up among the files that were read at the start: no part of it reaches the file system.
"""

import base64
import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from genlock.web.context import SAFE_METHODS
from genlock.web.problems import respond

BUILT = Path(__file__).parent / "built_pages"
"""Where ``make pages`` puts the built files."""

_SHELL = "index.html"
_IMMUTABLE = "_app/immutable/"
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_SHORTEST_COMPRESSED = 1024
_COMPRESSED_TYPES = ("text/", "application/json", "application/javascript", "image/svg+xml")


class BuiltFile(NamedTuple):
    """A built file with its headers, plain and compressed."""

    content: bytes
    compressed: bytes | None
    headers: Mapping[str, str]


def read_pages(folder: Path = BUILT) -> dict[str, BuiltFile]:
    """Return the built files by path relative to ``folder``; none if the pages are not built."""
    if not (folder / _SHELL).is_file():
        return {}
    policy = _content_security_policy((folder / _SHELL).read_bytes())
    return {
        str(path.relative_to(folder).as_posix()): _read(path, str(path.relative_to(folder).as_posix()), policy)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def install(app: FastAPI, files: Mapping[str, BuiltFile]) -> None:
    """Serve the pages at every path that no route of ``app`` has."""
    app.router.default = _Pages(files, app.router.not_found)


class _Pages:
    """Answers requests to paths without a route."""

    def __init__(self, files: Mapping[str, BuiltFile], not_found: ASGIApp) -> None:
        self._files = files
        self._not_found = not_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file at the path, or the application to a browser that navigates there."""
        response = self._response(Request(scope)) if scope["type"] == "http" else None
        await (response or self._not_found)(scope, receive, send)

    def _response(self, request: Request) -> Response | None:
        path = request.url.path.lstrip("/")
        if request.method not in SAFE_METHODS or path == "api" or path.startswith("api/"):
            return None
        if path in self._files:
            return _send(request, self._files[path])
        if "text/html" not in request.headers.get("accept", "") or path.startswith("_app/"):
            return None
        return _send(request, self._files[_SHELL]) if self._files else _not_built(request)


def _read(path: Path, name: str, policy: str) -> BuiltFile:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {
        "Content-Type": f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type,
        "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "Cache-Control": "public, max-age=31536000, immutable" if name.startswith(_IMMUTABLE) else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Vary": "Accept-Encoding",
    }
    if media_type == "text/html":
        headers["Content-Security-Policy"] = policy
    compressible = len(content) >= _SHORTEST_COMPRESSED and media_type.startswith(_COMPRESSED_TYPES)
    return BuiltFile(content, gzip.compress(content, 9, mtime=0) if compressible else None, headers)


def _content_security_policy(shell: bytes) -> str:
    """Return the policy of the pages: nothing from elsewhere, and of inline scripts only those of the built shell."""
    hashes = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(shell))
    scripts = " ".join(("'self'", *(f"'sha256-{digest}'" for digest in hashes)))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self'",
            "style-src-attr 'unsafe-inline'",  # the router hides its announcer by a style attribute
            "img-src 'self' blob: data:",
            "media-src 'self' blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "worker-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def _send(request: Request, file: BuiltFile) -> Response:
    headers = dict(file.headers)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = file.content
    if file.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = file.compressed, "gzip"
    if request.method == "HEAD":
        return Response(status_code=200, headers=headers | {"Content-Length": str(len(content))})
    return Response(content, 200, headers)


def _not_built(request: Request) -> Response:
    return respond(
        request,
        status=404,
        title="Not found",
        detail="The web pages are not built.",
        code="no_pages",
        hint="In a checkout, run `make pages`; an installed package has them.",
    )
