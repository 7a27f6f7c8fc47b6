"""Brings records from the spool to Genlock, on a thread of its own, for as long as it takes.

    spool ─▶ POST /api/v1/captures ─┬─ 2xx ────────────▶ gone from the spool; the answer is told
                                    ├─ 400, 413, 422 ──▶ put aside, told once
                                    ├─ other answers ──▶ again later; those behind it go on
                                    └─ no answer ──────▶ again later, after a pause that grows to a minute

What is cut off after Genlock took a record is sent again, and Genlock knows it by its run.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from .config import Config, ConfigFile
from .quiet import tell_once
from .spool import RECORD, Spool, output_name, read_record

logger = logging.getLogger("genlock")

PATH = "/api/v1/captures"
_NEVER = frozenset({400, 413, 422})
_LONGEST_PAUSE_S = 60.0
_CHUNK_BYTES = 2**20


class Unreached(Exception):
    """Genlock cannot be reached now."""


class NotNow(Exception):
    """Genlock did not take this record now, and may do so later."""


class Refused(Exception):
    """Genlock will never take this record."""


class Delivery:
    """The thread that delivers. ``told`` gets each answer of Genlock with the record it is for."""

    def __init__(
        self,
        spool: Spool,
        config: ConfigFile,
        told: Callable[[dict[str, Any], dict[str, Any]], None],
        first_pause_s: float = 1.0,
    ) -> None:
        self.spool = spool
        self.last_error: str | None = None
        self.delivered = 0
        self._config, self._told, self._first_pause_s = config, told, first_pause_s
        self._wake, self._ending = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="genlock-delivery", daemon=True)

    def start(self) -> None:
        """Begin with what waits already."""
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Something new waits."""
        self._wake.set()

    def close(self) -> None:
        """End after the record that is under way."""
        self._ending = True
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        pause_s = self._first_pause_s
        wait_s: float | None = None
        while True:
            self._wake.wait(wait_s)
            self._wake.clear()
            if self._ending:
                return
            try:
                self._deliver_all()
                pause_s, wait_s, self.last_error = self._first_pause_s, None, None
            except (Unreached, NotNow) as trouble:
                if self.last_error is None:
                    logger.warning("[genlock] %s Records wait in %s.", trouble, self.spool.folder)
                self.last_error = str(trouble)
                wait_s, pause_s = pause_s, min(pause_s * 2, _LONGEST_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - a thread that ends would keep every later record for ever
                tell_once("delivering", error)
                self.last_error = str(error)
                wait_s = _LONGEST_PAUSE_S

    def _deliver_all(self) -> None:
        later: NotNow | None = None
        for entry in self.spool.waiting():
            if self._ending:
                return
            config = self._config.now()
            if not config.url or not config.token:
                raise Unreached("Genlock's address or token is not known.")
            record = read_record(entry)
            try:
                answer = deliver(config, entry, record)
            except NotNow as trouble:
                later = trouble
                continue
            except Refused as refused:
                logger.error("[genlock] Genlock refused the record of run %s: %s", record.get("run"), refused)
                self.spool.refuse(entry, str(refused))
                continue
            self.spool.delivered(entry)
            self.delivered += 1
            try:
                self._told(record, answer)
            except Exception as error:  # noqa: BLE001 - a notice that cannot be shown is no reason to deliver again
                tell_once("showing what Genlock answered", error)
        if later is not None:
            raise later


def deliver(config: Config, entry: Path, record: dict[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
    """Genlock's answer to one record of the spool; ``Unreached``, ``NotNow`` or ``Refused`` (for ever) without one."""
    parts = _parts(entry, record)
    boundary = uuid.uuid4().hex
    heads = [_head(boundary, name, filename, media_type) for name, filename, media_type, _ in parts]
    tail = f"--{boundary}--\r\n".encode()
    length = sum(len(head) + path.stat().st_size + 2 for head, (*_, path) in zip(heads, parts)) + len(tail)

    def body() -> Iterator[bytes]:
        for head, (*_, path) in zip(heads, parts):
            yield head
            with path.open("rb") as file:
                yield from _chunks(file)
            yield b"\r\n"
        yield tail

    where = urlsplit(config.url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=timeout_s)
    try:
        headers = {
            "Authorization": f"Bearer {config.token}",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(length),
        }
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            # Who refuses a request may answer and hang up before the end of it: the answer is there all the same.
            connection.request("POST", where.path.rstrip("/") + PATH, body=body(), headers=headers)
        response = connection.getresponse()
        status, content = response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unreached(f"Genlock does not answer at {config.url}: {error}.") from error
    finally:
        connection.close()
    if 200 <= status < 300:
        answer: dict[str, Any] = json.loads(content)
        if answer.get("run") != record.get("run"):
            raise Unreached(f"What answers at {config.url} is not Genlock.")
        return answer
    said = _problem(content)
    if status in _NEVER:
        raise Refused(f"{status}: {said}")
    raise NotNow(f"Genlock at {config.url} answered {status}: {said}")


def _parts(entry: Path, record: dict[str, Any]) -> list[tuple[str, str, str, Path]]:
    """The form: the record, then each output that is there and whose digest is known."""
    parts = [("record", "", "application/json", entry / RECORD)]
    for number, output in enumerate(record.get("outputs", [])):
        path = entry / output_name(number)
        # A file that was written to after all is not what the record tells of; its digest stays.
        if output.get("digest") is not None and path.exists() and _digest(path) == output["digest"]:
            parts.append((output_name(number), output_name(number), output["media_type"], path))
    return parts


def _head(boundary: str, name: str, filename: str, media_type: str) -> bytes:
    said = f'; filename="{filename}"' if filename else ""
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{said}\r\nContent-Type: {media_type}\r\n\r\n'
    ).encode()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            found.update(chunk)
    return f"sha256:{found.hexdigest()}"


def _problem(content: bytes) -> str:
    """What a refusal says in words."""
    try:
        said = json.loads(content)
        return " ".join(str(said[name]) for name in ("detail", "hint") if said.get(name))[:1000]
    except (ValueError, TypeError, AttributeError):
        return content[:200].decode("utf-8", "replace")
