"""Stages for the tests of the embedded server: a user and a data folder each, and no process left running."""

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.db.embedded.stage import IS_ROOT, USERS, Stage, reachable_binaries
from tests.fixtures_postgres import temporary_folder

from genlock.db.embedded import process, server

each_user = pytest.fixture(params=USERS, ids=lambda uid: "root" if uid == 0 else f"user {uid}")


@pytest.fixture
def ground() -> Generator[Path, None, None]:
    """Create a folder that every user may pass through."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def homes_by_uid() -> Generator[dict[int, Path], None, None]:
    """Create a data folder with a database for each kind of user, to be copied: creating one takes a while."""
    with temporary_folder() as folder:
        homes: dict[int, Path] = {}
        for uid in USERS:
            place = folder / str(uid)
            for stage in staged(uid, make_ground(place), durable=False):
                actor = stage.actor()
                stage.attach(actor)
                actor.ask("detach")
                homes[uid] = stage.home
        yield homes


@each_user
def stage(request: pytest.FixtureRequest, ground: Path, homes_by_uid: dict[int, Path]) -> Generator[Stage, None, None]:
    """Return a stopped database for each kind of user that this session can be: root and another, or itself."""
    yield from staged(request.param, ground, home=homes_by_uid[request.param])


@pytest.fixture
def own_stage(ground: Path, homes_by_uid: dict[int, Path]) -> Generator[Stage, None, None]:
    """Return a database of this session's user, where the kind of user makes no difference."""
    yield from staged(os.geteuid(), ground, home=homes_by_uid[os.geteuid()])


@each_user
def bare_stage(request: pytest.FixtureRequest, ground: Path) -> Generator[Stage, None, None]:
    """Return an empty stage for each kind of user."""
    yield from staged(request.param, ground)


@pytest.fixture
def own_bare_stage(ground: Path) -> Generator[Stage, None, None]:
    """Return an empty stage for this session's user."""
    yield from staged(os.geteuid(), ground)


@each_user
def durable_stage(request: pytest.FixtureRequest, ground: Path) -> Generator[Stage, None, None]:
    """Return an empty stage for a server that waits for the disk, as users have it."""
    yield from staged(request.param, ground, durable=True)


def staged(uid: int, ground: Path, *, home: Path | None = None, durable: bool = False) -> Generator[Stage, None, None]:
    """Create a stage and stop what it leaves running."""
    mine = make_ground(ground / "mine")
    if IS_ROOT:
        os.chown(mine, uid, uid)
    stage = Stage(uid, mine / "pg", reachable_binaries(uid, ground / "venv"), durable)
    if home is not None:
        subprocess.run(["cp", "-a", home, stage.home], check=True)
    yield stage
    for actor in stage.actors:
        actor.close()
    for lock in ground.glob("**/lock"):
        if process.survivors(lock.with_name("cluster")):
            server.stop(lock.parent)


def make_ground(folder: Path) -> Path:
    """Create a folder that every user may pass through, whatever this session's umask is."""
    folder.mkdir()
    folder.chmod(0o755)
    return folder
