"""Converts errors to problem documents (RFC 9457): the only place where errors become responses."""

import http
import logging
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from genlock.errors import GenlockError
from genlock.model import Model
from genlock.web.parsing import MAX_LISTED_ERRORS, invalid_fields, printable
from genlock.web.responses import LingeringResponse

MEDIA_TYPE = "application/problem+json"
logger = logging.getLogger(__name__)


class FieldProblem(Model):
    """A refused field of a request: ``field`` is its path, such as ``body.inputs.0.role``."""

    field: str
    message: str
    code: str = "invalid"


class Problem(Model):
    """What failed (``detail``), an identifier for programs (``code``), and what to do about it (``hint``)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    errors: tuple[FieldProblem, ...] = Field(())


def problem_type(code: str) -> str:
    """Return the URI of a kind of problem."""
    return f"urn:genlock:problem:{code}"


def install(app: FastAPI) -> None:
    """Respond to every error of the application with a problem document."""
    app.add_exception_handler(GenlockError, _genlock_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(Exception, _unexpected)


def respond(
    request: Request,
    *,
    status: int,
    title: str,
    detail: str,
    code: str,
    hint: str | None = None,
    errors: Iterable[FieldProblem] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem document. If an announced body was not read, close the connection afterwards."""
    problem = Problem(
        type=problem_type(code), title=title, status=status, detail=detail, code=code, hint=hint, errors=tuple(errors)
    )
    headers = dict(headers or {})
    if status == http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="genlock"'
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    text = problem.model_dump_json()
    if _has_unread_body(request):
        # Reading the rest would only discard it, for as long as the client keeps sending.
        return LingeringResponse(text, status, headers | {"Connection": "close"}, MEDIA_TYPE)
    return Response(text, status, headers, MEDIA_TYPE)


def _has_unread_body(request: Request) -> bool:
    announced = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return announced and not getattr(request.state, "body_was_read", False)


async def _genlock_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GenlockError)  # noqa: S101 - what it was registered for
    return respond(
        request,
        status=error.http_status,
        title=error.title,
        detail=error.message,
        code=error.code,
        hint=error.hint,
        errors=(_field_problem(field) for field in error.fields[:MAX_LISTED_ERRORS]),
    )


def _field_problem(field: dict[str, Any]) -> FieldProblem:
    return FieldProblem(
        field=str(field.get("field", "")),
        message=str(field.get("message", "")),
        code=str(field.get("code", "invalid")),
    )


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it was registered for
    errors = error.errors()
    return await _genlock_error(request, invalid_fields(errors, len(errors)))


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it was registered for
    status = error.status_code
    path = printable(request.url.path)
    detail, code, hint = {
        404: (
            f"There is nothing at {path}.",
            "no_such_route",
            "Check the URL, and that the client has the server's version.",
        ),
        405: (
            f"{printable(request.method)} is not possible at {path}.",
            "method_not_allowed",
            "The header Allow lists what is.",
        ),
    }.get(status, (error.detail or http.HTTPStatus(status).phrase, f"http_{status}", None))
    headers = dict(error.headers or {})
    if status == http.HTTPStatus.METHOD_NOT_ALLOWED:
        # The router only reports the methods of the first matching route; several routes share a path.
        headers["Allow"] = ", ".join(methods_at(request.app, request.url.path))
    return respond(
        request,
        status=status,
        title=http.HTTPStatus(status).phrase,
        detail=detail,
        code=code,
        hint=hint,
        headers=headers,
    )


def methods_at(app: FastAPI, path: str) -> tuple[str, ...]:
    """Return the methods of all routes that match a path."""
    methods: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.path is not None and compile_path(route.path)[0].match(path):
            methods |= route.methods or set()
    return tuple(sorted(methods))


async def _client_gone(request: Request, error: Exception) -> Response:
    # Not read by a client; it only completes the request.
    return respond(
        request, status=400, title="Bad request", detail="The client went away.", code="client_gone", hint=None
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return respond(
        request,
        status=500,
        title="Internal error",
        detail="Something went wrong in Genlock itself. Nothing of this request was kept.",
        code="internal",
        hint="The server's log says more. Please report it.",
    )
