"""``sketch``: sample files for the built-in engine."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from genlock.cli.command import command, group
from genlock.cli.formatting import many
from genlock.cli.session import Session
from genlock.errors import Invalid
from genlock.sdk.local import check_installed

sketch = group(
    "Built-in sketch engine: a small renderer for trying things out.", example="genlock sketch samples samples"
)


@command(sketch, "samples", example="genlock sketch samples samples")
def samples(
    session: Session, folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder to write to.")]
) -> None:
    """Write sample files for the sketch engine: a model, LoRAs, workflows and pictures."""
    paths = make_samples(folder)
    session.show({"folder": folder, "files": paths}, f"{many(len(paths), 'file')} in {folder}:", *paths)


def make_samples(folder: Path) -> list[str]:
    """Write the samples in a separate process and return their paths. The CLI itself does not load the engine."""
    check_installed()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "genlock.engines.sketch", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["unknown reason"]
        raise Invalid(f"The samples could not be written: {lines[-1]}", hint="Choose a folder that you may write to.")
    paths: list[str] = json.loads(done.stdout)
    return paths
