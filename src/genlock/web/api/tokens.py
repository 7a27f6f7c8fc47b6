"""Tokens: who may come in, and who one is."""

from fastapi import APIRouter, Request, Response

from genlock.access import actions, sql
from genlock.access.model import IssuedToken, NewToken, Token
from genlock.model import Actor, Page, Role
from genlock.web.answers import answer
from genlock.web.door import Cursor, Door, Id, Limit, Transaction, Visitor, Who, may, writes
from genlock.web.keys import HEADER

router = APIRouter(tags=["access"], route_class=Door)


@router.get("/me", response_model=Actor, **may(Role.VIEWER))
async def me(actor: Who) -> Response:
    """Who the token says you are."""
    return answer(actor)


@router.post("/tokens", status_code=201, response_model=IssuedToken, **writes(Role.ADMIN))
async def create_token(request: Request, new: NewToken, conn: Transaction, visitor: Visitor) -> Response:
    """A new token. Its secret is in this answer alone: keep it, or make another."""
    key = request.headers.get(HEADER)
    secret = None if key is None else actions.secret_for_key(visitor.secret, key)
    request.state.claimed_key = None  # the answer holds a secret, so it is worked out again instead of being kept
    return answer(await actions.create_token(conn, new, visitor.actor, secret=secret), 201)


@router.get("/tokens", response_model=Page[Token], **may(Role.ADMIN))
async def list_tokens(conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """All tokens, revoked ones too, newest first; never their secrets."""
    return answer(await sql.list_tokens(conn, after=cursor, limit=limit))


@router.delete("/tokens/{token_id}", response_model=Token, **writes(Role.ADMIN, 404))
async def revoke_token(token_id: Id, conn: Transaction, actor: Who) -> Response:
    """Revoke a token: the next request that shows it is refused."""
    return answer(await actions.revoke_token(conn, token_id, actor))
