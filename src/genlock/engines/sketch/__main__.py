"""``python -m genlock.engines.sketch FOLDER`` writes the sample files and prints their paths as JSON."""

import argparse
import json
import sys
from pathlib import Path

from genlock.engines.sketch.samples import write_samples


def main() -> int:
    """Write the samples. Return 1 after printing an error."""
    parser = argparse.ArgumentParser(description="Writes sample files for the sketch engine.")
    parser.add_argument("folder", type=Path, help="where to write them")
    folder: Path = parser.parse_args().folder
    try:
        written = write_samples(folder)
    except OSError as error:
        sys.stderr.write(f"{error.strerror}: {error.filename}\n")
        return 1
    sys.stdout.write(json.dumps([str(path) for path in written]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
