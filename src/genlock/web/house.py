"""What the application stands on, made at its start and handed to every route."""

from dataclasses import dataclass

from fastapi import Request

from genlock.blobs.store import Store
from genlock.db.connection import Database
from genlock.events.listen import Bell
from genlock.settings import Settings


@dataclass(frozen=True)
class House:
    """The database, the store, the settings, and the bell of the event log."""

    db: Database
    store: Store
    settings: Settings
    bell: Bell


def house_of(request: Request) -> House:
    """The house of the application that received the request."""
    return request.app.state.house
