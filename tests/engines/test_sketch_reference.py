"""The reference page of the sketch engine describes everything that the engine has."""

from pathlib import Path

from genlock.engines.model import START_ROLES
from genlock.engines.sketch.classes import CLASSES
from genlock.engines.sketch.offer import OFFER
from genlock.engines.sketch.prompt import PALETTES
from genlock.engines.sketch.sampler import SAMPLERS, SCHEDULERS
from genlock.engines.sketch.weights import SHAPES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "sketch.md").read_text()
FLOWING = " ".join(PAGE.split())


def test_every_class_and_input_is_on_the_page() -> None:
    rows = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `Sketch")}
    assert set(rows) == set(CLASSES)
    for name, node in CLASSES.items():
        assert all(f"`{word}`" in rows[name] for word in node.inputs), name


def test_every_tensor_is_on_the_page_with_its_shape() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    for name, shape in SHAPES.items():
        row = next(line for line in rows if f"`{name}`" in line)
        assert " × ".join(str(side) for side in shape) in row, name


def test_every_word_is_on_the_page() -> None:
    for word in (*OFFER.parameters, *PALETTES, *SAMPLERS, *SCHEDULERS):
        assert f"`{word}`" in PAGE, word
    assert all(role.replace("_", " ") in FLOWING for role in START_ROLES)
