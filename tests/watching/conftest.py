"""A folder of ComfyUI that is scanned, and files to put there."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.watching.disk import REST_S, Disk

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database
from genlock.engines.sketch.samples import write_samples
from genlock.watching.scanner import Scanner


@pytest.fixture(scope="session")
def samples_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the sketch engine's sample files to a folder."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


@pytest.fixture
async def disk(db: Database, store: DiskStore, tmp_path: Path) -> AsyncGenerator[Disk]:
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    scanner = Scanner(db, store, [tmp_path], rest_s=REST_S)
    yield Disk(folder, db, store, scanner)
    await scanner.close()
