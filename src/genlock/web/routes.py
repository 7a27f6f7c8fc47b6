"""Every router of the application, and where it begins."""

from fastapi import APIRouter

from genlock.web.api import blobs, events, system, tokens

_API = "/api/v1"

ROUTERS: tuple[tuple[str, APIRouter], ...] = (
    ("", system.router),
    ("", system.behind_the_door),
    (_API, tokens.router),
    (_API, events.router),
    (_API, blobs.router),
)
