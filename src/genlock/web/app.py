"""Assembles the application: routes, errors, and the services they use."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from genlock.blobs.store import Store
from genlock.db.connection import Database
from genlock.events.listen import EventListener
from genlock.settings import Settings
from genlock.watching.scanner import Scanner
from genlock.web import pages, problems
from genlock.web.api import (
    assets,
    blobs,
    captures,
    editor_forms,
    events,
    imports,
    pins,
    plans,
    projects,
    receipts,
    report,
    reproductions,
    scans,
    scenes,
    segments,
    sessions,
    system,
    takes,
    tokens,
    versions,
    waivers,
    workers,
    workflows,
)
from genlock.web.context import Services
from genlock.web.in_place import FilesInPlace
from genlock.web.metrics import MetricsMiddleware, RequestMetrics
from genlock.web.openapi import description_of

_API = "/api/v1"

ROUTERS: tuple[tuple[str, APIRouter], ...] = (
    ("", system.router),
    ("", system.protected),
    (_API, tokens.router),
    (_API, sessions.router),
    (_API, sessions.open_router),
    (_API, projects.router),
    (_API, scenes.router),
    (_API, segments.router),
    (_API, takes.router),
    (_API, imports.router),
    (_API, receipts.router),
    (_API, captures.router),
    (_API, reproductions.router),
    (_API, report.router),
    (_API, plans.router),
    (_API, assets.router),
    (_API, versions.router),
    (_API, workflows.router),
    (_API, editor_forms.router),
    (_API, scans.router),
    (_API, pins.router),
    (_API, waivers.router),
    (_API, workers.router),
    (_API, events.router),
    (_API, blobs.router),
)


def create_app(db: Database, store: Store, settings: Settings) -> FastAPI:
    """Return the application over an open database and store. Its lifespan runs the event listener."""
    app = assemble()
    scanner = Scanner(db, store, (*settings.scan_folders, *settings.register_roots))
    app.state.services = Services(db, store, settings, EventListener(db.conninfo), scanner, FilesInPlace(db, settings))
    return app


def assemble() -> FastAPI:
    """Return the application without services, which is enough for its description."""
    app = FastAPI(
        title="Genlock",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=_name_of,
        redirect_slashes=False,
    )
    app.router.routes.extend(_routes())
    problems.install(app)
    pages.install(app, _built_pages())
    app.state.metrics = RequestMetrics()
    app.add_middleware(MetricsMiddleware, metrics=app.state.metrics)
    app.openapi = functools.cache(lambda: description_of(app))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    services: Services = app.state.services
    listening = asyncio.create_task(services.event_listener.run())
    try:
        yield
    finally:
        await services.scanner.close()
        await services.event_listener.close()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


@functools.cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return the routes of every application in this process. FastAPI analyses each on its first match."""
    router = APIRouter(generate_unique_id_function=_name_of)
    for prefix, included in ROUTERS:
        router.include_router(included, prefix=prefix)
    return tuple(router.routes)


@functools.cache
def _built_pages() -> dict[str, pages.BuiltFile]:
    return pages.read_pages()


def _name_of(route: APIRoute) -> str:
    return route.name
