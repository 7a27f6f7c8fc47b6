"""Stages for the embedded server's tests: each with a user, a data folder and nothing left running afterwards."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.db.embedded.stage import IS_ROOT, USERS, Stage, reachable_binaries
from tests.fixtures_postgres import temporary_folder

from genlock.db.embedded import server


@pytest.fixture
def ground() -> Iterator[Path]:
    """A folder that everybody may pass through."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(params=USERS, ids=lambda uid: "root" if uid == 0 else f"user {uid}")
def stage(request: pytest.FixtureRequest, ground: Path) -> Iterator[Stage]:
    """A stage for each kind of user that this session can be: root and an unprivileged one, or just itself."""
    yield from staged(request.param, ground, durable=False)


@pytest.fixture(params=USERS, ids=lambda uid: "root" if uid == 0 else f"user {uid}")
def durable_stage(request: pytest.FixtureRequest, ground: Path) -> Iterator[Stage]:
    """The same with a server as users have it, which waits for the disk."""
    yield from staged(request.param, ground, durable=True)


@pytest.fixture
def own_stage(ground: Path) -> Iterator[Stage]:
    """A stage for this session's user, where the kind of user makes no difference."""
    yield from staged(os.geteuid(), ground, durable=False)


def staged(uid: int, ground: Path, *, durable: bool) -> Iterator[Stage]:
    """A stage, and what it leaves behind stopped."""
    mine = ground / "mine"
    mine.mkdir()
    mine.chmod(0o755)
    if IS_ROOT:
        os.chown(mine, uid, uid)
    stage = Stage(uid, mine / "pg", reachable_binaries(uid, ground / "venv"), durable)
    yield stage
    for actor in stage.actors:
        actor.close()
    for lock in ground.glob("**/lock"):
        server.stop(lock.parent)
