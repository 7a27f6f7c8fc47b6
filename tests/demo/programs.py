"""The programs of this installation, as somebody finds them who typed their name."""

import os
import sys
from pathlib import Path


def path_with_genlock() -> str:
    """A PATH on which ``genlock`` is the one under test."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def plain_environment(data: Path) -> dict[str, str]:
    """An environment without settings of anybody, whose data folder is ``data`` and whose server takes any port."""
    # pytest-xdist sets COLUMNS for its workers.
    kept = {name: value for name, value in os.environ.items() if name != "COLUMNS" and not name.startswith("GENLOCK_")}
    return {**kept, "GENLOCK_DATA": str(data), "GENLOCK_PORT": "0", "PATH": path_with_genlock()}
