"""A furnished studio for each test, over one set of sample files."""

from pathlib import Path

import pytest
from tests.regeneration.studio import Studio

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database
from genlock.engines.sketch.samples import write_samples
from genlock.model import Actor


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sketch engine's sample files."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


@pytest.fixture
async def studio(db: Database, store: DiskStore, samples: Path, actor: Actor) -> Studio:
    """A project with the library of the worked examples."""
    made = Studio(db=db, store=store, samples=samples, actor=actor)
    await made.furnish()
    return made


@pytest.fixture
async def engine_studio(db: Database, store: DiskStore, samples: Path, actor: Actor) -> Studio:
    """The same, with ``clothed`` made by the engine from ``portrait``: it has a receipt."""
    made = Studio(db=db, store=store, samples=samples, actor=actor)
    await made.furnish(by_hand=False)
    return made
