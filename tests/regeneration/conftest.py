"""A studio with a library for each test, over one set of sample files."""

from pathlib import Path

import pytest
from tests.regeneration.studio import Studio

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database
from genlock.engines.sketch.samples import write_samples
from genlock.model import Actor


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the sketch engine's sample files to a folder."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


@pytest.fixture
async def studio(db: Database, store: DiskStore, samples: Path, actor: Actor) -> Studio:
    """Create a project with the library of the worked examples."""
    furnished = Studio(db=db, store=store, samples=samples, actor=actor)
    await furnished.furnish()
    return furnished


@pytest.fixture
async def engine_studio(db: Database, store: DiskStore, samples: Path, actor: Actor) -> Studio:
    """Create the same, with ``clothed`` rendered by the engine from ``portrait``, so that it has a receipt."""
    furnished = Studio(db=db, store=store, samples=samples, actor=actor)
    await furnished.furnish(by_hand=False)
    return furnished
