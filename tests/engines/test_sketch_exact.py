"""The same bits on every machine: sums without rounding, for any BLAS, number of threads and processor."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.engines.sketch.fixed import (
    ACTIVATION_STEP,
    LARGEST_SUM,
    MAX_ACTIVATION,
    WEIGHT_STEP,
    as_matrix,
    multiply,
    neighbourhoods,
    on_grid,
)
from genlock.engines.sketch.weights import MAX_WEIGHT, SHAPES


@settings(max_examples=40, deadline=None)
@given(key=st.integers(0, 2**32), count=st.integers(1, 288))
def test_a_product_is_exact(key: int, count: int) -> None:
    random = np.random.Generator(np.random.Philox(key=key))
    whole = on_grid(random.uniform(-20.0, 20.0, (3, count)))
    matrix = as_matrix(random.uniform(-MAX_WEIGHT, MAX_WEIGHT, (5, count)))
    product = multiply(whole, matrix)
    for row in range(3):
        for column in range(5):
            terms = zip(whole[row].tolist(), matrix[:, column].tolist(), strict=True)
            exact = sum(int(a) * int(b) for a, b in terms)
            assert product[row, column] == exact * ACTIVATION_STEP * WEIGHT_STEP


def test_the_largest_possible_sum_is_exact() -> None:
    largest = (MAX_ACTIVATION / ACTIVATION_STEP) * (MAX_WEIGHT / WEIGHT_STEP) * LARGEST_SUM
    assert largest <= 2.0**53
    assert max(int(np.prod(shape[1:])) for shape in SHAPES.values()) <= LARGEST_SUM
    with pytest.raises(ValueError, match="exact"):
        as_matrix(np.zeros((1, LARGEST_SUM + 1)))


def test_neighbourhoods_repeat_the_edge() -> None:
    whole = np.arange(6, dtype=np.float64).reshape(2, 3, 1)
    assert neighbourhoods(whole)[0, 0].tolist() == [0, 0, 1, 0, 0, 1, 3, 3, 4]
    assert neighbourhoods(whole)[1, 2].tolist() == [1, 2, 2, 4, 5, 5, 4, 5, 5]


PROGRAM = """
import asyncio, sys
from pathlib import Path
from tests.engines.studio import SketchStudio
studio = SketchStudio(Path(sys.argv[1]), Path(sys.argv[2]))
rain = Path(sys.argv[1]) / "rain_v1.safetensors"
result = asyncio.run(studio.render(loras=((rain, 0.8),), width=192, height=192))
print(result.frames_digest)
"""


def test_threads_and_processor_do_not_affect_the_output(samples: Path, tmp_path: Path) -> None:
    settings = (
        {"OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_NUM_THREADS": "4", "OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3"},
    )
    digests: set[str] = set()
    for number, variables in enumerate(settings):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(samples), str(tmp_path / str(number))],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(ran.stdout.strip())
    assert len(digests) == 1
    assert digests.pop().startswith("sha256:")
