"""One set of samples for all engine tests."""

from pathlib import Path

import pytest
from tests.engines.studio import SketchStudio

from genlock.engines.sketch.samples import write_samples


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


@pytest.fixture
def sketch(samples: Path, tmp_path: Path) -> SketchStudio:
    return SketchStudio(samples, tmp_path / "outputs")
