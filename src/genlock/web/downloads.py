"""Sends stored bytes: completely and verified, or a range, with their media type if a browser may display it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from genlock.blobs import sql
from genlock.blobs.store import Store
from genlock.db.connection import Database
from genlock.digest import Digest
from genlock.errors import NotFound
from genlock.kinds import OCTETS, safe_media_type
from genlock.library.model import Version
from genlock.web.in_place import FilesInPlace, range_of
from genlock.web.problems import respond

_BYTES: dict[str, Any] = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
RESPONSES: dict[int, dict[str, Any]] = {
    200: {"description": "The bytes.", **_BYTES},
    206: {"description": "The requested range.", **_BYTES},
    304: {"description": "The client has the bytes: `If-None-Match` names their digest."},
}
"""The responses of a download in the OpenAPI document."""

_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


def safe_headers(media_type: str, filename: str | None = None) -> dict[str, str]:
    """Return headers that keep stored bytes from acting as a page of this site, whatever their media type."""
    served_type = safe_media_type(media_type)
    disposition = "inline" if served_type != OCTETS else "attachment"
    if filename:
        disposition += f"; filename*=UTF-8''{quote(filename, safe='')}"
    return {
        "Content-Type": served_type,
        "Content-Disposition": disposition,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


async def send_blob(
    request: Request, db: Database, store: Store, digest: Digest, *, media_type: str, filename: str | None = None
) -> Response:
    """Respond with the bytes of this digest (200), a range of them (206), or 304 if the client has them.

    Missing bytes are recorded and raise ``NotFound`` (``bytes_gone``). Complete files are verified while they are sent:
    the last chunk is sent only if the digest matches, so a client notices that wrong bytes are incomplete.
    """
    etag = f'"{digest}"'
    headers = {**safe_headers(media_type, filename), "ETag": etag, "Accept-Ranges": "bytes"}
    # A digest always has the same bytes, but the permission to read them can change.
    headers["Cache-Control"] = "private, max-age=31536000, immutable"
    if _names(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    try:
        source = await asyncio.to_thread(store.open, digest)
    except NotFound:
        async with db.transaction() as conn:
            await sql.mark_gone(conn, digest)
        raise
    return await send_file(
        request, source, headers, etag, store.verified_chunks(digest), lambda length: range_of(source, length)
    )


async def send_in_place(request: Request, files: FilesInPlace, path: Path, version: Version) -> Response:
    """Respond likewise with the bytes of a version in place at ``path`` on the server's disk."""
    etag = f'"{version.digest}"'
    headers = {**safe_headers(version.media_type, version.filename), "ETag": etag, "Accept-Ranges": "bytes"}
    if _names(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    file = await files.open(path, version)
    read_range = file.range if file.has_ranges else None
    return await send_file(request, file.source, headers, etag, file.chunks(version.digest), read_range)


async def send_file(
    request: Request,
    source: BinaryIO,
    headers: dict[str, str],
    etag: str,
    whole: Iterator[bytes],
    read_range: Callable[[int], Iterator[bytes]] | None,
) -> Response:
    """Send an open file and close it: ``whole`` yields all bytes, ``read_range`` a number of bytes from its position.

    Without ``read_range`` a ``Range`` is ignored, as RFC 9110 allows, and everything is sent.
    """
    size = source.seek(0, 2)
    source.seek(0)
    requested = request.headers.get("range")
    if read_range is not None and requested is not None and request.headers.get("if-range", etag) == etag:
        span = _span(requested, size)
        if span is not None and not span:
            source.close()
            return respond(
                request,
                status=416,
                title="Range not satisfiable",
                detail=f"The file has {size} bytes; {requested!r} is outside of them.",
                code="bad_range",
                hint="Request a range inside the file, or the whole file.",
                headers={"Content-Range": f"bytes */{size}"},
            )
        if span is not None:
            source.seek(span.start)
            headers |= {"Content-Range": f"bytes {span.start}-{span.stop - 1}/{size}", "Content-Length": str(len(span))}
            return await _streamed(read_range(len(span)), source, 206, headers)
    headers["Content-Length"] = str(size)
    return await _streamed(whole, source, 200, headers)


async def _streamed(
    chunks: Iterator[bytes], source: BinaryIO, status: int, headers: dict[str, str]
) -> StreamingResponse:
    """Return the response that sends ``chunks``. The first is read before that, so that errors get their status."""
    try:
        first_chunk = await asyncio.to_thread(next, chunks, b"")
    except BaseException:
        source.close()
        raise
    return StreamingResponse(_chunks(chunks, source, first_chunk), status, headers)


def _names(header: str | None, etag: str) -> bool:
    return header is not None and any(part.strip().removeprefix("W/") in {etag, "*"} for part in header.split(","))


def _span(requested: str, size: int) -> range | None:
    """Return the requested bytes (RFC 9110, 14.1.2), empty if there are none; ``None`` to send all of them."""
    match = _RANGE.fullmatch(requested.replace(" ", ""))
    if match is None or match.group(1) == match.group(2) == "":
        return None
    if match.group(1) == "":
        return range(max(size - int(match.group(2)), 0), size)
    first, end = int(match.group(1)), size
    if match.group(2):
        if int(match.group(2)) < first:
            return None
        end = min(int(match.group(2)) + 1, size)
    return range(first, end)


async def _chunks(chunks: Iterator[bytes], source: BinaryIO, first: bytes) -> AsyncIterator[bytes]:
    try:
        if first:
            yield first
        while chunk := await asyncio.to_thread(next, chunks, b""):
            yield chunk
    finally:
        source.close()
