"""Stages for the embedded server's tests: each with a user, a data folder and nothing left running afterwards."""

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
    """A folder that everybody may pass through."""
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def made_homes() -> Generator[dict[int, Path], None, None]:
    """For each kind of user a data folder with a database in it, to be copied: making one takes a while."""
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
def stage(request: pytest.FixtureRequest, ground: Path, made_homes: dict[int, Path]) -> Generator[Stage, None, None]:
    """A database that is not running, for each kind of user that this session can be: root and another, or itself."""
    yield from staged(request.param, ground, made=made_homes[request.param])


@pytest.fixture
def own_stage(ground: Path, made_homes: dict[int, Path]) -> Generator[Stage, None, None]:
    """A database of this session's user, where the kind of user makes no difference."""
    yield from staged(os.geteuid(), ground, made=made_homes[os.geteuid()])


@each_user
def bare_stage(request: pytest.FixtureRequest, ground: Path) -> Generator[Stage, None, None]:
    """A place where nothing is yet, for each kind of user."""
    yield from staged(request.param, ground)


@pytest.fixture
def own_bare_stage(ground: Path) -> Generator[Stage, None, None]:
    """A place where nothing is yet, for this session's user."""
    yield from staged(os.geteuid(), ground)


@each_user
def durable_stage(request: pytest.FixtureRequest, ground: Path) -> Generator[Stage, None, None]:
    """A place where nothing is yet, for a server as users have it, which waits for the disk."""
    yield from staged(request.param, ground, durable=True)


def staged(uid: int, ground: Path, *, made: Path | None = None, durable: bool = False) -> Generator[Stage, None, None]:
    """A stage, and what it leaves behind stopped."""
    mine = make_ground(ground / "mine")
    if IS_ROOT:
        os.chown(mine, uid, uid)
    stage = Stage(uid, mine / "pg", reachable_binaries(uid, ground / "venv"), durable)
    if made is not None:
        subprocess.run(["cp", "-a", made, stage.home], check=True)
    yield stage
    for actor in stage.actors:
        actor.close()
    for lock in ground.glob("**/lock"):
        if process.survivors(lock.with_name("cluster")):
            server.stop(lock.parent)


def make_ground(folder: Path) -> Path:
    """A new folder that everybody may pass through, whatever this session's umask is."""
    folder.mkdir()
    folder.chmod(0o755)
    return folder
