"""Health, readiness, metrics and the OpenAPI description."""

import json

from fastapi import APIRouter, Request, Response

from genlock.model import Model, Role
from genlock.web.metrics import MEDIA_TYPE, exposition, read_state
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Context, problem_response, readable_by

router = APIRouter(tags=["system"])
protected = APIRouter(tags=["system"], route_class=ApiRoute)
_TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}


class Health(Model):
    """The process responds."""

    status: str


class Readiness(Model):
    """Whether the database and the store are usable, with warnings for the administrator."""

    status: str
    warnings: tuple[str, ...]


@router.get("/healthz", response_model=Health)
async def healthz() -> Response:
    """Report that the process runs, without using the database."""
    return json_response(Health(status="ok"))


@router.get("/readyz", response_model=Readiness, responses={503: problem_response(503)})
async def readyz(services: Context) -> Response:
    """Report whether the server is ready, with warnings about missing protection."""
    await services.db.ping()
    warnings: tuple[str, ...] = ()
    if not services.db.restricted:
        warnings = (
            "The database connection does not act as the restricted role genlock_app: what is written once is guarded "
            "by triggers alone. Let the owner run `GRANT genlock_app TO` the login role, or set "
            "GENLOCK_DATABASE_OWNER_URL.",
        )
    return json_response(Readiness(status="ready", warnings=warnings))


@protected.get("/metrics", response_class=Response, **readable_by(Role.VIEWER, responses={200: _TEXT}))
async def metrics(request: Request, services: Context) -> Response:
    """Return metrics in Prometheus' text format: requests by route, steps by state, database pool, workers."""
    state = await read_state(services.db)
    return Response(exposition(request.app.state.metrics, state), media_type=MEDIA_TYPE)


@protected.get("/api/v1/openapi.json", include_in_schema=False, **readable_by(Role.VIEWER))
async def openapi(request: Request) -> Response:
    """Return this description."""
    return Response(json.dumps(request.app.openapi()), media_type="application/json")
