"""The reference page of the SDK is generated from the code and contains every public call."""

import re
from pathlib import Path

from genlock.client import Genlock
from genlock.sdk import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "sdk.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.page(), "run `make docs`"


def test_every_call_is_on_the_page() -> None:
    named = set(re.findall(r"^\| `(\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    public = {name for name in dir(Genlock) if not name.startswith("_")} - {"close"}
    assert public <= named
