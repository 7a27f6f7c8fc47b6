"""Delivers records from the spool to Genlock, on its own thread, until Genlock has them.

    spool ─▶ POST /api/v1/captures ─┬─ 2xx ────────────▶ removed from the spool; the response is passed on
                                    ├─ 400, 413, 422 ──▶ moved to `refused`, logged once
                                    ├─ other status ───▶ retried later; the records after it go on
                                    └─ no response ────▶ retried after a pause that grows to a minute

A record whose response was lost is sent again, and Genlock recognises its run.
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
from .quiet import log_once
from .spool import RECORD, Spool, output_name, read_record

logger = logging.getLogger("genlock")

PATH = "/api/v1/captures"
_NEVER = frozenset({400, 413, 422})
_LONGEST_PAUSE_S = 60.0
_CHUNK_BYTES = 2**20


class Unreached(Exception):
    """Genlock cannot be reached now."""


class NotNow(Exception):
    """Genlock did not accept this record now, and may do so later."""


class Refused(Exception):
    """Genlock will never accept this record."""


class Delivery:
    """The thread that delivers. It calls ``on_delivered`` with each record and Genlock's response to it."""

    def __init__(
        self,
        spool: Spool,
        config: ConfigFile,
        on_delivered: Callable[[dict[str, Any], dict[str, Any]], None],
        first_pause_s: float = 1.0,
    ) -> None:
        self.spool = spool
        self.last_error: str | None = None
        self.delivered = 0
        self._config, self._on_delivered, self._first_pause_s = config, on_delivered, first_pause_s
        self._wake, self._ending = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="genlock-delivery", daemon=True)

    def start(self) -> None:
        """Start the thread, which first delivers the records that are already waiting."""
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Deliver now: a new record is waiting."""
        self._wake.set()

    def close(self) -> None:
        """Stop after the record that is being sent."""
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
            except Exception as error:  # noqa: BLE001 - if the thread ended, no later record would be delivered
                log_once("delivering", error)
                self.last_error = str(error)
                wait_s = _LONGEST_PAUSE_S

    def _deliver_all(self) -> None:
        later: NotNow | None = None
        for entry in self.spool.waiting():
            if self._ending:
                return
            config = self._config.now()
            if not config.url or not config.token:
                raise Unreached("Genlock's URL or token is not configured. `genlock comfyui install` writes them.")
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
                self._on_delivered(record, answer)
            except Exception as error:  # noqa: BLE001 - a failed notice must not deliver the record again
                log_once("showing Genlock's response", error)
        if later is not None:
            raise later


def deliver(config: Config, entry: Path, record: dict[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
    """Send one record of the spool and return Genlock's response; raise ``Unreached``, ``NotNow`` or ``Refused``."""
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
            # A server may refuse a request and close before it has read everything: the response still arrives.
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
            raise Unreached(f"The server at {config.url} is not Genlock.")
        return answer
    message = _problem_message(content)
    if status in _NEVER:
        raise Refused(f"{status}: {message}")
    raise NotNow(f"Genlock at {config.url} answered {status}: {message}")


def _parts(entry: Path, record: dict[str, Any]) -> list[tuple[str, str, str, Path]]:
    """Return the parts of the form: the record, then each output that exists and whose digest is known."""
    parts = [("record", "", "application/json", entry / RECORD)]
    for number, output in enumerate(record.get("outputs", [])):
        path = entry / output_name(number)
        # A file that was written to since is not the output that the record describes; only its digest is sent.
        if output.get("digest") is not None and path.exists() and _digest(path) == output["digest"]:
            parts.append((output_name(number), output_name(number), output["media_type"], path))
    return parts


def _head(boundary: str, name: str, filename: str, media_type: str) -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\nContent-Type: {media_type}\r\n\r\n'
    ).encode()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            hasher.update(chunk)
    return f"sha256:{hasher.hexdigest()}"


def _problem_message(content: bytes) -> str:
    """Return the detail and hint of a problem document, else the beginning of the response."""
    try:
        problem = json.loads(content)
        return " ".join(str(problem[name]) for name in ("detail", "hint") if problem.get(name))[:1000]
    except (ValueError, TypeError, AttributeError):
        return content[:200].decode("utf-8", "replace")
