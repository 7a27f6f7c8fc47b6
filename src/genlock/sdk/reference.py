"""``python -m genlock.sdk.reference FILE`` writes the SDK's calls as a page, such as ``docs/reference/sdk.md``."""

import argparse
import inspect
import re
from pathlib import Path

from genlock.sdk.captures import CapturesCalls
from genlock.sdk.generation import Generation, Used
from genlock.sdk.imports import ImportCalls
from genlock.sdk.library import LibraryCalls
from genlock.sdk.listing import Listing
from genlock.sdk.regeneration import RegenerationCalls
from genlock.sdk.reproduction import ReproductionCalls
from genlock.sdk.scanning import ScanCalls
from genlock.sdk.staleness import StalenessCalls
from genlock.sdk.system import SystemCalls
from genlock.sdk.takes import TakesCalls
from genlock.sdk.timeline import TimelineCalls

_INTRODUCTION = """# The SDK

`genlock.client.Genlock` calls a server over HTTP. This page is generated from the code by `make docs`; [Use the
SDK from a notebook](../how-to/notebook.md) and [Record work made elsewhere](../how-to/record-work-made-elsewhere.md)
say how to go about it.

```python
from genlock.client import Genlock

gl = Genlock()                                  # GENLOCK_URL and GENLOCK_TOKEN, or the local server
with gl.generation("rooftop/night/3", engine="diffusers", engine_version="0.35") as g:
    g.use("model:wan2.2"), g.use("lora:rain", strength_model=0.8), g.use("variant:raincoat"), g.use("workflow:walk")
    g.parameters(prompt=prompt, seed=seed, cfg=5.0, steps=20, width=832, height=480, frames=81)
    g.output(render(...))                       # a path; one receipt and one take, on an exception none
print(gl.report("rooftop").groups[0].sentence)
```

**Which server.** `Genlock(url, token)` names one, `Genlock(data=folder)` means a data folder's own. Without arguments
the environment decides: `GENLOCK_URL` and `GENLOCK_TOKEN`, or else the server of `GENLOCK_DATA`, which is started
when it does not run. `on_progress` receives a line of text about each wait. `close()`, or a `with` block, closes the
connections; the server keeps running.

**References.** A parameter for a project, scene, segment or asset takes a reference (`rooftop`, `rooftop/night`,
`rooftop/night/3`, `lora:rain`, `lora:rain@2`), an id, or the object itself. A name that does not exist raises
`NotFound` with suggestions. `project=` selects a project's own asset; without it the shared asset is used.

**Results** are frozen values, the same classes as the server's. Lists are read page by page while you iterate;
`total` counts them where the server does, `first` is the first page. In a notebook values and lists are
shown as small tables.

**Errors.** A call that fails raises one of the six errors of `genlock.errors` (`Invalid`, `Denied`, `NotFound`,
`Conflict`, `Unavailable`, `Tampered`), with `message`, `hint`, `code` and `fields`. Invalid values are refused before
anything is sent.

**Lost connections.** A request without an answer, or with 429, 502, 503 or 504, is tried up to seven times with growing
pauses, three times if the server has never answered (`retry=` changes that); a full disk is reported at once. Requests
that write carry an `Idempotency-Key` that stays the same across retries, so they are executed once. Files are read as
they are sent; downloads are verified against their digest before they replace a file.
"""

_ROOMS: tuple[tuple[str, type[object]], ...] = (
    ("Projects, scenes, segments, pins", TimelineCalls),
    ("Assets", LibraryCalls),
    ("Scans of folders", ScanCalls),
    ("Takes and receipts", TakesCalls),
    ("Imports of work made before Genlock", ImportCalls),
    ("ComfyUI runs and the inbox", CapturesCalls),
    ("Staleness", StalenessCalls),
    ("Plans and renders", RegenerationCalls),
    ("Reproductions", ReproductionCalls),
    ("Tokens, events, stored bytes", SystemCalls),
    ("Recording a generation: `gl.generation(…)`", Generation),
    ("Inputs of a generation: the result of `use`", Used),
    ("Lists", Listing),
)


def page() -> str:
    """Return the page."""
    return "\n".join([_INTRODUCTION, *(_section(title, room) for title, room in _ROOMS)])


def _section(title: str, room: type[object]) -> str:
    rows = "\n".join(f"| `{name}` | {description} |" for name, description in _members(room))
    return f"## {title}\n\n| call | result |\n| --- | --- |\n{rows}\n"


def _members(room: type[object]) -> list[tuple[str, str]]:
    members: list[tuple[str, str]] = []
    for name, member in vars(room).items():
        if name.startswith("_"):
            continue
        plain = member.fget if isinstance(member, property) else member
        description = (
            (inspect.getdoc(plain) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`").replace("|", "\\|")
        )
        members.append((name if isinstance(member, property) else name + _parameters(plain), description))
    return members


def _parameters(function: object) -> str:
    """Return the names of a call's parameters with their defaults, without types."""
    assert inspect.isfunction(function)  # noqa: S101 - what a class of calls is made of
    signature = inspect.signature(function)
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    text = str(inspect.Signature(plain))
    return re.sub(r"=<[^>]*>", "=…", text).replace("|", "\\|")


def main() -> None:
    """Write the page to the file named by the argument."""
    parser = argparse.ArgumentParser(description="Writes the reference of the SDK.")
    parser.add_argument("file", type=Path, help="where to write it, such as docs/reference/sdk.md")
    path: Path = parser.parse_args().file
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
