"""How many workflows, as ComfyUI's page saves them, are converted as the page itself exports them.

    make bench-editor FOLDER=…

FOLDER holds ``ui/NAME.json`` (the saved workflow), ``api/NAME.json`` (the page's own export of it) and
``object_info.json`` or ``object_info.json.gz`` (the server's ``/object_info``). With ``index.json``, a template
whose entry says ``"scored": false`` is left out. Wrong ones are counted apart from refused ones.
"""

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from genlock.errors import Invalid
from genlock.graphs.editor_conversion import convert_editor_file
from genlock.graphs.node_definitions import read_definitions


class Outcome(NamedTuple):
    """The outcome of one workflow: ``equal``, ``wrong`` with the first difference, or ``refused`` with the reason."""

    name: str
    result: str
    reason: str = ""


def measure(folder: Path) -> list[Outcome]:
    """Convert every workflow of ``folder``, and compare it with the page's export."""
    definitions = read_definitions(_object_info(folder))
    outcomes: list[Outcome] = []
    for path in sorted((folder / "ui").glob("*.json")):
        exported = folder / "api" / path.name
        if not exported.exists() or path.stem in _unscored(folder):
            continue
        try:
            graph = convert_editor_file(json.loads(path.read_bytes()), definitions, path.name)
        except Invalid as error:
            outcomes.append(Outcome(path.stem, "refused", error.message))
            continue
        difference = first_difference(json.loads(exported.read_bytes()), graph)
        outcomes.append(Outcome(path.stem, "wrong" if difference else "equal", difference))
    return outcomes


def first_difference(exported: dict[str, Any], graph: dict[str, Any]) -> str:
    """Return where two graphs in API format differ first; empty if they are equal. Titles do not run."""
    for key in sorted({*exported, *graph}):
        if key not in graph or key not in exported:
            node = exported.get(key) or graph[key]
            return f"node {key} ({node['class_type']}) is only in the {'export' if key in exported else 'conversion'}"
        expected, converted = exported[key], graph[key]
        if expected["class_type"] != converted["class_type"]:
            return f"node {key}: {expected['class_type']} is {converted['class_type']}"
        for name in sorted({*expected["inputs"], *converted["inputs"]}):
            value, given = (part["inputs"].get(name, "nothing") for part in (expected, converted))
            if value != given:
                return f"node {key} ({expected['class_type']}), {name}: {value!r:.120} is {given!r:.120}"
    return ""


def _object_info(folder: Path) -> Any:
    packed = folder / "object_info.json.gz"
    return json.loads(
        gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "object_info.json").read_bytes()
    )


def _unscored(folder: Path) -> set[str]:
    index = folder / "index.json"
    entries: list[dict[str, Any]] = json.loads(index.read_bytes()) if index.exists() else []
    return {entry["template"] for entry in entries if entry.get("scored") is False}


def main() -> int:
    """Print a line for each workflow that was not converted as the page does, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    outcomes = measure(parser.parse_args().folder)
    for outcome in outcomes:
        if outcome.result != "equal":
            print(f"{outcome.result:8} {outcome.name}: {outcome.reason}")
    counts = {result: sum(outcome.result == result for outcome in outcomes) for result in ("equal", "refused", "wrong")}
    share = 100 * counts["equal"] / max(1, len(outcomes))
    print(
        ", ".join(f"{count} {result}" for result, count in counts.items()), f"of {len(outcomes)} ({share:.1f} % equal)"
    )
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
