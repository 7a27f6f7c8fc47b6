"""Access tokens, and the identity of the caller."""

from fastapi import APIRouter, Request, Response

from genlock.access import actions, sql
from genlock.access.model import IssuedToken, NewToken, Token
from genlock.model import Actor, Page, Role
from genlock.web.idempotency import HEADER
from genlock.web.responses import json_response
from genlock.web.route import (
    ApiRoute,
    CurrentActor,
    CurrentCaller,
    Cursor,
    Id,
    Limit,
    Transaction,
    readable_by,
    writable_by,
)

router = APIRouter(tags=["access"], route_class=ApiRoute)


@router.get("/me", response_model=Actor, **readable_by(Role.VIEWER, captures=True))
async def me(actor: CurrentActor) -> Response:
    """Return the name and role of the token."""
    return json_response(actor)


@router.post("/tokens", status_code=201, response_model=IssuedToken, **writable_by(Role.ADMIN, 404))
async def create_token(request: Request, new: NewToken, conn: Transaction, caller: CurrentCaller) -> Response:
    """Create a token. Its secret is returned only once."""
    key = request.headers.get(HEADER)
    secret = None if key is None else actions.secret_for_key(caller.secret, key)
    request.state.claimed_key = None  # the response has a secret, so it is derived again instead of stored
    return json_response(await actions.create_token(conn, new, caller.actor, secret=secret), 201)


@router.get("/tokens", response_model=Page[Token], **readable_by(Role.ADMIN))
async def list_tokens(conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List all tokens, including revoked ones, newest first, without their secrets."""
    return json_response(await sql.list_tokens(conn, after=cursor, limit=limit))


@router.delete("/tokens/{token_id}", response_model=Token, **writable_by(Role.ADMIN, 404))
async def revoke_token(token_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Revoke a token. Requests with it are refused from then on."""
    return json_response(await actions.revoke_token(conn, token_id, actor))
