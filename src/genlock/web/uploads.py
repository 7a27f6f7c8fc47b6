"""Reads multipart uploads as they arrive: small fields first, then files, each into a draft of the store.

    client → socket → at most 1 MiB in memory → a thread writes it → read the next

If the client disconnects, its drafts are discarded: leaving the ``with`` block ends every draft that was not committed.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from genlock.blobs.model import Stored
from genlock.blobs.os_errors import os_errors_as_unavailable
from genlock.blobs.store import CHUNK_BYTES, Chunk, Draft, Hasher, Store
from genlock.digest import Digest, from_raw
from genlock.errors import Invalid
from genlock.model import Role
from genlock.settings import Settings
from genlock.web.bodies import MAX_FIELD, MAX_UPLOAD, body_limit, too_large
from genlock.web.route import ROLE

_MAX_FIELDS = 1000
_MAX_LISTED = 12


@dataclass
class FilePart:
    """A file of a form, in a draft of the store until ``keep`` commits it."""

    name: str
    filename: str
    media_type: str
    draft: Draft
    hasher: Hasher | None
    size_bytes: int = 0
    _waiting: list[memoryview] = field(default_factory=list[memoryview])
    _waiting_bytes: int = 0

    def add(self, chunk: memoryview) -> None:
        """Buffer a parsed chunk; ``flush`` writes it."""
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        self.size_bytes += len(chunk)

    async def flush(self, *, least: int = 1) -> None:
        """Write the buffer on a thread, if it has at least ``least`` bytes."""
        if self._waiting_bytes >= least:
            chunk = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
            self._waiting, self._waiting_bytes = [], 0
            await asyncio.to_thread(self.draft.write, chunk)

    async def keep(self) -> Stored:
        """Make the bytes durable and visible under their digest."""
        return await asyncio.to_thread(self.draft.commit)


@dataclass
class Form:
    """The content of a form: text by field name, in order, and files by name."""

    fields: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    files: dict[str, FilePart] = field(default_factory=dict[str, FilePart])


@asynccontextmanager
async def receive_form(
    request: Request,
    store: Store,
    settings: Settings,
    *,
    fields: Iterable[str],
    files: Iterable[str],
    hasher: Callable[[str], Hasher | None] = lambda filename: None,
) -> AsyncGenerator[Form]:
    """Read the form of a request to its end and yield it; its drafts are discarded after the block.

    ``fields`` and ``files`` are the allowed names; files come after all fields. ``hasher`` returns the hasher of a file
    by its filename. Raise ``Invalid`` for anything else, 413 over a limit.
    """
    reader = _Reader(request, store, settings, frozenset(fields), frozenset(files), hasher)
    try:
        yield await reader.read()
    finally:
        await reader.abort()


class _Reader:
    """Drives the parser and converts its callbacks to fields and drafts."""

    def __init__(
        self,
        request: Request,
        store: Store,
        settings: Settings,
        fields: frozenset[str],
        files: frozenset[str],
        hasher: Callable[[str], Hasher | None],
    ) -> None:
        self._request, self._store, self._settings = request, store, settings
        self._known_fields, self._known_files, self._hasher = fields, files, hasher
        self._form = Form()
        self._file: FilePart | None = None
        self._text: bytearray | None = None
        self._field_name = ""
        self._field_bytes = self._field_count = 0
        self._header = bytearray()
        self._header_value = bytearray()
        self._headers: dict[str, bytes] = {}
        self._ended = False

    async def read(self) -> Form:
        """Read the body to its end."""
        parser = self._parser()
        total = 0
        async for chunk in self._request.stream():
            total += len(chunk)
            if total > self._settings.max_upload_bytes:
                raise too_large(body_limit(self._settings, MAX_UPLOAD))
            try:
                parser.write(chunk)
            except FormParserError as error:
                raise _malformed(str(error)) from error
            for part in self._form.files.values():
                await part.flush(least=1 if part is not self._file else CHUNK_BYTES)
        self._request.state.body_was_read = True
        if not self._ended:
            raise _malformed("it ends before its last boundary")
        return self._form

    async def abort(self) -> None:
        """Abort every draft; committed ones are unaffected."""
        for part in self._form.files.values():
            await asyncio.to_thread(part.draft.abort)

    def _parser(self) -> MultipartParser:
        media_type, options = parse_options_header(self._request.headers.get("content-type"))
        boundary = options.get(b"boundary", b"")
        if media_type != b"multipart/form-data" or not boundary:
            raise Invalid(
                "This call takes a form with files.",
                hint="Send multipart/form-data with a boundary: the fields first, the files last.",
                code="unsupported_media_type",
            )
        callbacks: Any = {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_text,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }
        try:
            return MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def _part_begin(self) -> None:
        self._headers = {}

    def _header_field(self, text: bytes, start: int, end: int) -> None:
        self._header += text[start:end]

    def _header_text(self, text: bytes, start: int, end: int) -> None:
        self._header_value += text[start:end]

    def _header_end(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = bytes(self._header_value)
        self._header.clear()
        self._header_value.clear()

    def _headers_finished(self) -> None:
        disposition, options = parse_options_header(self._headers.get("content-disposition"))
        name = _text(options.get(b"name", b""))
        if disposition != b"form-data" or not name:
            raise _malformed("a part has no name")
        if name in self._known_files:
            self._begin_file(name, _text(options.get(b"filename", b"")))
        elif name in self._known_fields:
            self._begin_field(name)
        else:
            names = sorted(self._known_fields) + sorted(self._known_files)
            listed = ", ".join(names[:_MAX_LISTED]) + (" …" if names[_MAX_LISTED:] else "")
            raise _refused(name, "there is no such field here", f"Known: {listed}.", "extra_forbidden")

    def _begin_file(self, name: str, filename: str) -> None:
        if name in self._form.files:
            raise _refused(name, "this file is there twice", "Send it once.", "duplicate")
        media_type = self._headers.get("content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        draft_hasher = self._hasher(filename)
        self._file = FilePart(name, filename, media_type, self._store.begin(draft_hasher), draft_hasher)
        self._form.files[name] = self._file

    def _begin_field(self, name: str) -> None:
        if self._form.files:
            raise _refused(name, "a field comes after a file", "Send the fields first and the files last.", "order")
        self._field_count += 1
        if self._field_count > _MAX_FIELDS:
            raise _refused(name, "there are too many fields", f"A form has at most {_MAX_FIELDS}.", "too_many")
        self._field_name, self._text = name, bytearray()

    def _part_data(self, text: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.add(memoryview(text)[start:end])
        elif self._text is not None:
            self._field_bytes += end - start
            if self._field_bytes > self._settings.max_field_bytes:
                raise too_large(body_limit(self._settings, MAX_FIELD))
            self._text += text[start:end]

    def _part_end(self) -> None:
        if self._text is not None:
            try:
                value = self._text.decode("utf-8")
            except UnicodeDecodeError as error:
                raise _refused(self._field_name, "this is not UTF-8", "Send text as UTF-8.", "not_text") from error
            self._form.fields.setdefault(self._field_name, []).append(value)
        if self._file is not None and not self._file.size_bytes:
            raise _empty(self._file)
        self._file = self._text = None

    def _end(self) -> None:
        self._ended = True


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _malformed(why: str) -> Invalid:
    return Invalid(
        f"The form is malformed: {why}.",
        hint="Nothing of it was kept. Send it again as multipart/form-data.",
        code="bad_form",
    )


def _empty(part: FilePart) -> Invalid:
    return Invalid(
        f"{display_name(part.filename)!r} is empty.",
        hint="It has zero bytes; save, render or download it again.",
        code="empty_file",
        fields=[{"field": part.name, "message": "this file is empty", "code": "empty_file"}],
    )


def _refused(name: str, message: str, hint: str, code: str) -> Invalid:
    return Invalid(
        f"{name}: {message}.", hint=hint, code=code, fields=[{"field": name, "message": message, "code": code}]
    )


def display_name(filename: str) -> str:
    """Return a filename for display: its last component, without unprintable characters."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if character.isprintable())
    return shown[:255] or "file"


def form_body(
    schema: Mapping[str, Any],
    *,
    encoding: Mapping[str, Any] | None = None,
    json_schema: Mapping[str, Any] | None = None,
    json_role: Role | None = None,
) -> dict[str, Any]:
    """Return the OpenAPI description of a form body, or JSON instead of it if ``json_schema`` is given.

    ``json_role`` is the least role that may send the JSON, if it is higher than that of the form.
    """
    content: dict[str, dict[str, Any]] = {"multipart/form-data": {"schema": schema}}
    if encoding is not None:
        content["multipart/form-data"]["encoding"] = encoding
    if json_schema is not None:
        content["application/json"] = {"schema": {key: part for key, part in json_schema.items() if key != "$defs"}}
        if json_role is not None:
            content["application/json"][ROLE] = json_role.value
    return {"required": True, "content": content}


class Spool:
    """Hashes bytes, as a ``blobs.store.Hasher``, and writes them to ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._hash = hashlib.sha256()

    def update(self, chunk: Chunk, /) -> None:
        """Hash and append ``chunk``."""
        self._hash.update(chunk)
        self.size_bytes += len(chunk)
        # Opened for each chunk of one MiB, so that an aborted upload leaves no open file.
        with os_errors_as_unavailable("receiving a file"), self.path.open("ab") as target:
            target.write(chunk)

    def digest(self) -> bytes:
        """Return the 32-byte SHA-256 of everything so far."""
        return self._hash.digest()

    def whole(self) -> Digest:
        """Return the digest of the file, and create it if it is empty."""
        with os_errors_as_unavailable("receiving a file"):
            self.path.touch()
        return from_raw(self._hash.digest())
