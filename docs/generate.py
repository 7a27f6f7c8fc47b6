"""Writes the parts of the reference that follow from the code: ``make docs`` runs it, tests hold its output equal.

Each part is written by a separate program, whose name is in its error messages.
"""

import subprocess
import sys
from pathlib import Path

REFERENCE = Path(__file__).parent / "reference"
WRITERS = {
    "openapi.json": ("-m", "genlock.web"),
    "cli.md": ("-m", "genlock.cli.reference"),
    "sdk.md": ("-m", "genlock.sdk.reference"),
    "licences.md": (str(Path(__file__).parent / "licences.py"),),
}


def main() -> int:
    """Write every part; the number of those that could not be written."""
    failed = 0
    for name, program in WRITERS.items():
        done = subprocess.run([sys.executable, *program, str(REFERENCE / name)], check=False)
        failed += done.returncode != 0
        sys.stdout.write(f"{name}: {'failed' if done.returncode else 'written'}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
