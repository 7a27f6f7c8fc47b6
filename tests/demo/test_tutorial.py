"""The tutorial works: each of its commands is run in order, and prints what the page shows."""

import subprocess
from pathlib import Path

import pytest
from tests.demo import console
from tests.demo.programs import plain_environment
from tests.fixtures_postgres import temporary_folder

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.mark.long
def test_every_command_of_the_tutorial_works() -> None:
    with temporary_folder() as folder:
        pictures = folder / "pictures"
        pictures.mkdir()
        environment = plain_environment(folder / "data")
        typed = list(console.typed_on(PAGE.read_text(encoding="utf-8")))
        assert len(typed) > 20
        try:
            for command in typed:
                console.run(command, pictures, environment)
        finally:
            subprocess.run(["bash", "-c", "genlock down"], cwd=pictures, env=environment, check=False)
