"""Idempotency keys: a repeated request gets the first response and is not executed again.

    transaction ─ lock the key ─┬─ locked by another ──────────────────→ 409
                                ├─ response stored ─┬─ same request ───→ that response
                                │                   └─ another request → 422
                                └─ execute it, store the response, commit both

The response is stored in the transaction of the change, so neither exists without the other, and a server that stops
leaves no key that is "still running".
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import Request, Response

from genlock.access import sql
from genlock.access.model import StoredResponse
from genlock.db.connection import Conn
from genlock.digest import Digest, digest_of, digest_of_json
from genlock.errors import Conflict, Invalid
from genlock.web.context import caller_of, services_of

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255


class Replay(Exception):
    """Ends a request early with its stored response."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


def digest_body(request: Request, body: bytes) -> Digest:
    """Return the digest that identifies a request: of its method, path, query and body."""
    return digest_request(request, digest_of(body))


def digest_request(request: Request, *parts: object) -> Digest:
    """Return the same for a form, from the parts of its body, because form boundaries differ per attempt."""
    return digest_of_json([request.method, request.url.path, request.url.query, *parts])


def has_key(request: Request) -> bool:
    """Return whether a request has an idempotency key. Without one its digest is not needed."""
    return HEADER in request.headers


async def claim(request: Request, conn: Conn, request_digest: Digest | None) -> None:
    """Reserve the request's key for this transaction. Without a key, do nothing.

    Raise ``Replay`` if a response is stored, ``Conflict`` while the request runs, ``Invalid`` for another request.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise Invalid(
            f"{HEADER} must have 1 to {MAX_KEY_LENGTH} printable characters.",
            hint="A random UUID is a good key.",
            code="bad_key",
            fields=[{"field": f"header.{HEADER}", "message": "not a valid key"}],
        )
    assert request_digest is not None  # noqa: S101 - a route that accepts keys computes it if there is one
    token_id = caller_of(request).actor.token_id
    assert token_id is not None  # noqa: S101 - an authorized caller has a token
    if not await sql.try_lock_key(conn, digest_of_json(["idempotency", token_id, key])):
        raise Conflict(
            "A request with this idempotency key is still running.",
            hint="Wait for its response, then repeat the request to get the same response.",
            code="key_in_use",
        )
    stored = await sql.stored_response(conn, token_id, key)
    if stored is None:
        request.state.claimed_key = (token_id, key, request_digest)
    elif stored.request_digest != request_digest:
        raise Invalid(
            "This idempotency key was used for another request.",
            hint="Use a new key for each new request.",
            code="key_reused",
        )
    else:
        raise Replay(Response(stored.answer, stored.status, {"Idempotency-Replayed": "true"}, stored.media_type))


@asynccontextmanager
async def idempotent_transaction(request: Request, request_digest: Digest | None = None) -> AsyncGenerator[Conn]:
    """Open a transaction that reserves the request's key, for routes that need several transactions.

    ``request_digest`` is for streamed bodies; for others the route has computed it.
    """
    async with services_of(request).db.transaction() as conn:
        await claim(request, conn, request_digest or getattr(request.state, "request_digest", None))
        yield conn


async def store_response(request: Request, conn: Conn, response: Response) -> None:
    """Store a successful response under the reserved key, if there is one. Problems are not stored."""
    claimed = getattr(request.state, "claimed_key", None)
    if claimed is None or response.status_code >= 300:
        return
    token_id, key, request_digest = claimed
    await sql.store_response(
        conn,
        token_id,
        key,
        StoredResponse(
            request_digest=request_digest,
            status=response.status_code,
            media_type=response.media_type,
            answer=bytes(response.body),
        ),
    )
    request.state.claimed_key = None
