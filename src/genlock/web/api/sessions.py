"""Signing in: one-time links, and the browsers that are signed in."""

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from genlock.access import sessions, sessions_sql
from genlock.access.model import BrowserSession, SignInCode, SignInLink
from genlock.digest import digest_of
from genlock.model import Page, Role
from genlock.web.bodies import MAX_BODY, body_limit, check_announced_size, read_json
from genlock.web.context import services_of
from genlock.web.cookies import clear_session, require_same_origin, session_secret, set_session
from genlock.web.parsing import validate_json
from genlock.web.responses import json_response, no_content
from genlock.web.route import (
    BODY_LIMIT,
    ApiRoute,
    CurrentActor,
    CurrentCaller,
    Cursor,
    Id,
    Limit,
    Transaction,
    problem_response,
    readable_by,
    writable_by,
)

router = APIRouter(tags=["access"], route_class=ApiRoute)
open_router = APIRouter(tags=["access"])
_CODE = TypeAdapter(SignInCode)


@router.post("/sign-in-links", status_code=201, response_model=SignInLink, **writable_by(Role.VIEWER))
async def create_sign_in_link(request: Request, conn: Transaction, actor: CurrentActor) -> Response:
    """Create a link that signs one browser in, with the role of the caller's token, within an hour."""
    request.state.claimed_key = None  # the response holds a secret: it is not stored
    return json_response(await sessions.create_link(conn, actor), 201)


@open_router.post(
    "/sign-in",
    status_code=201,
    response_model=BrowserSession,
    responses={status: problem_response(status) for status in (401, 403, 413, 422, 503)},
    openapi_extra={
        BODY_LIMIT: MAX_BODY,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SignInCode"}}},
        },
    },
)
async def sign_in(request: Request) -> Response:
    """Sign this browser in with the code of a link, and set its session cookie."""
    require_same_origin(request)
    services = services_of(request)
    limit = body_limit(services.settings, MAX_BODY)
    check_announced_size(request, limit)
    read = await read_json(request, limit, _CODE)
    code: SignInCode = await read.json() or validate_json(b"null", _CODE)  # an empty body is not a code
    async with services.db.transaction() as conn:
        secret, session = await sessions.sign_in(conn, code.code, request.headers.get("user-agent", ""))
    response = json_response(session, 201)
    set_session(request, response, secret, int(sessions.SESSION_LIFETIME.total_seconds()))
    return response


@router.get("/sessions", response_model=Page[BrowserSession], **readable_by(Role.VIEWER))
async def list_sessions(
    conn: Transaction, caller: CurrentCaller, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """List the browsers that are signed in with the caller's token; for an administrator, with any token."""
    token_id = None if caller.actor.role is Role.ADMIN else caller.actor.token_id
    current = digest_of(caller.secret.encode())
    return json_response(await sessions_sql.list_sessions(conn, current, token_id, after=cursor, limit=limit))


@router.delete("/sessions/{session_id}", response_model=BrowserSession, **writable_by(Role.VIEWER, 404))
async def end_session(session_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Sign a browser out. Administrators can sign out any, others sessions of the same token."""
    any_token = actor.role is Role.ADMIN
    return json_response(await sessions.end_session(conn, session_id, actor, any_token=any_token))


@router.delete("/session", status_code=204, response_class=Response, **writable_by(Role.VIEWER, 404))
async def sign_out(request: Request, conn: Transaction, actor: CurrentActor) -> Response:
    """Sign this browser out, and remove its session cookie."""
    secret = session_secret(request)
    session_id = None if secret is None else await sessions_sql.session_with_digest(conn, digest_of(secret.encode()))
    if session_id is not None:
        await sessions.end_session(conn, session_id, actor, any_token=False)
    response = no_content()
    clear_session(request, response)
    return response
