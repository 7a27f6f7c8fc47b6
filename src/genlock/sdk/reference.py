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

`genlock.client.Genlock` speaks with a server over HTTP. This page is generated from the code by `make docs`; [Use the
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
when it does not run. `on_progress` is told in words what is waited for. `close()`, or a `with` block, lets go of the
connections; the server goes on.

**What is named.** Wherever a project, scene, segment or asset is asked for, a reference will do (`rooftop`,
`rooftop/night`, `rooftop/night/3`, `lora:rain`, `lora:rain@2`), or an id, or the object itself. What does not exist
raises `NotFound` with what was probably meant. `project=` says whose own asset is meant; without it the one that all
projects share.

**What is answered.** Frozen values, the same classes as the server's. Lists are read page by page while you iterate;
`total` counts them where the server does, `first` is the first page. In a notebook values and lists show themselves
as small tables.

**What goes wrong** raises one of the six errors of `genlock.errors` (`Invalid`, `Denied`, `NotFound`, `Conflict`,
`Unavailable`, `Tampered`), with `message`, `hint`, `code` and `fields`. What cannot be right is refused before
anything is sent.

**Lost connections.** A request that gets no answer, or 429, 502, 503 or 504, is tried up to seven times with growing
pauses, three times where no server ever answered (`retry=` changes that); a disk that is full is said at once.
Everything that writes carries an `Idempotency-Key` that stays the same from try to try, so it is done once. Files are
read as they are sent, downloads are verified against their digest before they are put in their place.
"""

_ROOMS: tuple[tuple[str, type[object]], ...] = (
    ("Projects, scenes, segments, pins", TimelineCalls),
    ("Assets", LibraryCalls),
    ("Folders that are looked at", ScanCalls),
    ("Takes and receipts", TakesCalls),
    ("Work made before Genlock", ImportCalls),
    ("Runs of ComfyUI that arrived", CapturesCalls),
    ("Staleness", StalenessCalls),
    ("Plans and renders", RegenerationCalls),
    ("Reproductions", ReproductionCalls),
    ("Tokens, events, bytes", SystemCalls),
    ("A generation in the making: `gl.generation(…)`", Generation),
    ("What `use` gives", Used),
    ("Lists", Listing),
)


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(_section(title, room) for title, room in _ROOMS)])


def _section(title: str, room: type[object]) -> str:
    rows = "\n".join(f"| `{name}` | {said} |" for name, said in _members(room))
    return f"## {title}\n\n| call | gives or does |\n| --- | --- |\n{rows}\n"


def _members(room: type[object]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, member in vars(room).items():
        if name.startswith("_"):
            continue
        plain = member.fget if isinstance(member, property) else member
        said = (
            (inspect.getdoc(plain) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`").replace("|", "\\|")
        )
        found.append((name if isinstance(member, property) else name + _parameters(plain), said))
    return found


def _parameters(function: object) -> str:
    """The names of a call's parameters, with their defaults, without types."""
    assert inspect.isfunction(function)  # noqa: S101 - what a class of calls is made of
    signature = inspect.signature(function)
    plain = [
        one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values() if one.name != "self"
    ]
    text = str(inspect.Signature(plain))
    return re.sub(r"=<[^>]*>", "=…", text).replace("|", "\\|")


def main() -> None:
    """Write the page into the file named as the argument."""
    parser = argparse.ArgumentParser(description="Writes the reference of the SDK.")
    parser.add_argument("file", type=Path, help="where to write it, such as docs/reference/sdk.md")
    path: Path = parser.parse_args().file
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
