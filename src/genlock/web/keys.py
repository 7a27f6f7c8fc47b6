"""Idempotency keys: a request sent again under its key gets the answer it would have got, and is not done again.

    transaction ─ take the key's lock ─┬─ somebody holds it ────────────→ 409
                                       ├─ an answer is kept ─┬─ same request → that answer
                                       │                     └─ another ─────→ 422
                                       └─ do the work, keep the answer, commit both

The answer is kept by the transaction of the work itself: there is no moment at which one is there without the other,
and a server that dies leaves no key that says "still running" for ever.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import Request, Response

from genlock.access import sql
from genlock.access.model import RememberedAnswer
from genlock.db.connection import Conn
from genlock.digest import Digest, digest_of, digest_of_json
from genlock.errors import Conflict, Invalid
from genlock.web.caller import caller_of
from genlock.web.house import house_of

HEADER = "Idempotency-Key"
LONGEST_KEY = 255


class Replay(Exception):
    """Ends a request early with the answer that is kept for it."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


def digest_of_body(request: Request, body: bytes) -> Digest:
    """What makes a request the same request: method, path, query and body."""
    return digest_of_parts(request, digest_of(body))


def digest_of_parts(request: Request, *parts: object) -> Digest:
    """The same for a request whose body is known by its parts, not its bytes: boundaries differ from try to try."""
    return digest_of_json([request.method, request.url.path, request.url.query, *parts])


def has_key(request: Request) -> bool:
    """Whether a request has a key: only then is it asked what makes it the same request."""
    return HEADER in request.headers


async def claim(request: Request, conn: Conn, request_digest: Digest | None) -> None:
    """Make this transaction the one that does the work of the request's key; nothing happens without a key.

    Raises ``Replay`` when it was done before, ``Conflict`` while it is being done, ``Invalid`` for another request.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise Invalid(
            f"{HEADER} has 1 to {LONGEST_KEY} printable characters.",
            hint="A random UUID is a good key.",
            code="bad_key",
            fields=[{"field": f"header.{HEADER}", "message": "not a key"}],
        )
    assert request_digest is not None  # noqa: S101 - whoever takes keys works it out where there is one
    token_id = caller_of(request).actor.token_id
    assert token_id is not None  # noqa: S101 - whoever comes through the door has a token
    if not await sql.try_lock_key(conn, digest_of_json(["idempotency", token_id, key])):
        raise Conflict(
            "A request with this idempotency key is still running.",
            hint="Wait for its answer, then send it again to get the same answer.",
            code="key_in_use",
        )
    kept = await sql.remembered(conn, token_id, key)
    if kept is None:
        request.state.claimed_key = (token_id, key, request_digest)
    elif kept.request_digest != request_digest:
        raise Invalid(
            "This idempotency key was used for another request.",
            hint="Use a new key for each new request.",
            code="key_reused",
        )
    else:
        raise Replay(Response(kept.answer, kept.status, {"Idempotency-Replayed": "true"}, kept.media_type))


@asynccontextmanager
async def keyed(request: Request, request_digest: Digest | None = None) -> AsyncGenerator[Conn]:
    """A transaction that does the work of the request's key, for routes that need more than one of them.

    ``request_digest`` is for bodies that were read as a stream; of others the door knows it.
    """
    async with house_of(request).db.transaction() as conn:
        await claim(request, conn, request_digest or getattr(request.state, "request_digest", None))
        yield conn


async def keep_answer(request: Request, conn: Conn, response: Response) -> None:
    """Keep a success under the key that was claimed, if one was; refusals are worked out anew each time."""
    claimed = getattr(request.state, "claimed_key", None)
    if claimed is None or response.status_code >= 300:
        return
    token_id, key, request_digest = claimed
    await sql.remember(
        conn,
        token_id,
        key,
        RememberedAnswer(
            request_digest=request_digest,
            status=response.status_code,
            media_type=response.media_type,
            answer=bytes(response.body),
        ),
    )
    request.state.claimed_key = None
