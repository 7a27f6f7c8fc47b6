"""``python -m genlock.web FILE`` writes the API's description, such as ``docs/reference/openapi.json``."""

import argparse
from pathlib import Path

from genlock.web.app import assemble
from genlock.web.openapi import as_text


def main() -> None:
    """Write the document to the file named as the argument, or print it."""
    parser = argparse.ArgumentParser(description="Writes the OpenAPI document of the API.")
    parser.add_argument("file", type=Path, help="where to write it, such as docs/reference/openapi.json")
    path: Path = parser.parse_args().file
    path.write_text(as_text(assemble().openapi()), encoding="utf-8")


if __name__ == "__main__":
    main()
