"""The context of a worker: its engines, database, store and settings."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genlock.blobs.store import Store
from genlock.db.connection import Database
from genlock.engines.model import Engine
from genlock.regeneration.making.health import EngineHealth


def no_fault(_point: str) -> None:
    """Do nothing: the default outside of tests."""


@dataclass(frozen=True)
class WorkerContext:
    """The context of a worker. When ``ending`` is set, running renders are stopped and their steps requeued.

    ``fault`` is called at named points, so that tests can kill the worker exactly there.
    """

    db: Database
    store: Store
    engines: Mapping[str, Engine]
    name: str
    version: str
    scratch: Path
    tick_s: float = 0.5
    health: EngineHealth = field(default_factory=EngineHealth)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    fault: Callable[[str], None] = field(default=no_fault)
