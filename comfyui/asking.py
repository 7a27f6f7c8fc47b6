"""Asks Genlock, with the extension's token, on behalf of ComfyUI's page. Blocks; every answer is bounded."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from .config import Config

MOST_BYTES = 8 * 2**20
_WAIT_S = 15.0


class Unanswered(Exception):
    """Genlock gave no usable answer; the text says why."""


def ask(config: Config, method: str, path: str, document: Any = None) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object that Genlock answers; raise ``Unanswered`` if there is none."""
    if not config.url or not config.token:
        raise Unanswered("Genlock's URL or token is not configured. `genlock comfyui install` writes them.")
    where = urlsplit(config.url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=_WAIT_S)
    body = None if document is None else json.dumps(document).encode()
    headers = {"Authorization": f"Bearer {config.token}", "Content-Type": "application/json"}
    try:
        connection.request(method, where.path.rstrip("/") + path, body=body, headers=headers)
        response = connection.getresponse()
        content = response.read(MOST_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"Genlock does not answer at {config.url}: {error}.") from error
    finally:
        connection.close()
    if len(content) > MOST_BYTES:
        raise Unanswered("Genlock's answer is too large.")
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise Unanswered(f"The server at {config.url} is not Genlock.") from error
    if not isinstance(answer, dict):
        raise Unanswered(f"The server at {config.url} is not Genlock.")
    return response.status, answer  # pyright: ignore[reportUnknownVariableType]
