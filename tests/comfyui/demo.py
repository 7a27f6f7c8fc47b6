"""``make demo-comfyui``: run the story against a real ComfyUI, and write the figures to a report.

    GENLOCK_COMFYUI_URL is set      that server; GENLOCK_COMFYUI_FOLDER is its base folder
    else                            a server on this machine's CPU, from `make comfyui`

The proof compares with a second process of the same version, and is left out, with the reason, where none is built.

Exits with 1 if a figure is wrong, or if something failed.
"""

import argparse
import json
import sys
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from tests.comfyui.builds import Build, chosen_build
from tests.comfyui.server import ComfyServer, serving
from tests.comfyui.story import Story
from tests.fixtures_postgres import temporary_folder

from genlock.cli.demo.telling import Teller
from genlock.client import Genlock
from genlock.errors import GenlockError, Invalid
from genlock.sdk import local
from genlock.settings import Settings

REPORT = Path("demo-comfyui-report.json")


def main() -> None:
    """Read the command line and run the story."""
    parser = argparse.ArgumentParser(prog="make demo-comfyui", description="Genlock's main job with a real ComfyUI.")
    parser.add_argument("--report", type=Path, default=REPORT, help=f"where every figure goes (default: {REPORT})")
    report: Path = parser.parse_args().report
    if Settings().comfyui_url is None and not chosen_build().is_built():
        sys.exit("There is no ComfyUI here: run `make comfyui`.")
    teller = Teller(Console())
    with temporary_folder() as folder:
        try:
            held = play(folder, teller, report)
        except (GenlockError, AssertionError) as error:
            hint = getattr(error, "hint", None) or ""
            teller.say(f"{error} {hint}".strip(), "bold red")
            sys.exit(1)
    teller.act(f"{held} figures, all of them answers of the API, all as expected")
    teller.say(f"Every figure: {report}", "dim")


def play(folder: Path, teller: Teller, report: Path) -> int:
    """Run the story on a separate Genlock server in ``folder``; return the number of figures that hold."""
    began = time.monotonic()
    write(report, {"outcome": "unfinished"})
    with _comfyui(folder, Settings(), teller) as (url, base):
        own = Settings().comfyui_url is None
        library = base / "models" if own else folder / "files" / "models"  # no file is left in the user's folders
        library.mkdir(parents=True, exist_ok=True)
        settings = settings_of(folder / "data", url, base, library)
        teller.title(f"Genlock {version('genlock')} with ComfyUI", f"ComfyUI {url}   data {settings.data}")
        try:
            with Genlock(settings=settings, on_progress=lambda text: teller.say(text, "dim")) as gl:
                story = Story(gl, url, folder / "files", library, truth_for(folder / "truth", url), teller)
                outcome = "failed"
                try:
                    story.play()
                    outcome = "every figure holds"
                except (GenlockError, AssertionError) as error:
                    outcome = str(error)
                    raise
                finally:
                    figures = [figure.model_dump(mode="json") for figure in story.figures.checked]
                    took_s = round(time.monotonic() - began, 1)
                    write(
                        report,
                        {"genlock": version("genlock"), "outcome": outcome, "took_s": took_s, "figures": figures},
                    )
                return len(figures)
        finally:
            local.stop(settings)


def settings_of(data: Path, url: str, base: Path, library: Path) -> Settings:
    """Return settings of a separate server with one worker, independent of the user's."""
    own: dict[str, Any] = {"url": None, "token": None, "database_url": None, "database_owner_url": None, "blobs": None}
    own |= {"comfyui_url": url, "comfyui_folder": base, "scan_folders": (library,)}
    return Settings(data=data, host="127.0.0.1", port=0, workers=1, **own)


@contextmanager
def _comfyui(folder: Path, users: Settings, teller: Teller) -> Generator[tuple[str, Path]]:
    """Yield the URL of the ComfyUI that renders, and its base folder."""
    if users.comfyui_url is not None:
        if users.comfyui_folder is None:
            raise Invalid(
                "It is not known where the base folder of ComfyUI is.",
                hint="Set GENLOCK_COMFYUI_FOLDER to the folder that has its `models` and `input`.",
            )
        yield users.comfyui_url, users.comfyui_folder
        return
    teller.say("Starting ComfyUI on the CPU …", "dim")
    with serving(folder / "comfyui", models=False) as server:
        yield server.url, server.base


def truth_for(base: Path, url: str) -> AbstractContextManager[ComfyServer] | str:
    """Return another server of the version at ``url``; why there is none if that version is not built here."""
    try:
        stats = httpx.get(f"{url.rstrip('/')}/system_stats", timeout=10, trust_env=False).raise_for_status().json()
        build = Build(str(stats["system"]["comfyui_version"]))
    except (httpx.HTTPError, ValueError, KeyError) as error:
        return f"the version of the ComfyUI at {url} is not known: {error}"
    if not build.is_built():
        return f"ComfyUI {build.version} is not built here: `make comfyui COMFYUI=FOLDER` builds it from a checkout"
    return serving(base, "--cache-none", models=False, build=build)


def write(path: Path, document: dict[str, Any]) -> None:
    """Write a report."""
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
