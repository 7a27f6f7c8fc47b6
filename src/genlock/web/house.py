"""What the application stands on, made at its start and handed to every route."""

from dataclasses import dataclass

from fastapi import Request

from genlock.blobs.store import Store
from genlock.db.connection import Database
from genlock.events.listen import Bell
from genlock.settings import Settings
from genlock.watching.scanner import Scanner


@dataclass(frozen=True)
class House:
    """The database, the store, the settings, the bell of the event log, and who looks at folders."""

    db: Database
    store: Store
    settings: Settings
    bell: Bell
    scanner: Scanner


def house_of(request: Request) -> House:
    """The house of the application that received the request."""
    return request.app.state.house
