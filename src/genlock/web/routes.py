"""Every router of the application, and where it begins."""

from fastapi import APIRouter

from genlock.web.api import (
    assets,
    blobs,
    captures,
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
    system,
    takes,
    tokens,
    versions,
    waivers,
    workers,
    workflows,
)

_API = "/api/v1"

ROUTERS: tuple[tuple[str, APIRouter], ...] = (
    ("", system.router),
    ("", system.behind_the_door),
    (_API, tokens.router),
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
    (_API, scans.router),
    (_API, pins.router),
    (_API, waivers.router),
    (_API, workers.router),
    (_API, events.router),
    (_API, blobs.router),
)
