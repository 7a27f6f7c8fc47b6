"""``genlock demo``: run the demo on its own server, and write the figures to ``demo-report.json``."""

import json
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from genlock.cli.command import command
from genlock.cli.demo.cast import Cast
from genlock.cli.demo.story import Story
from genlock.cli.demo.telling import Teller
from genlock.cli.samples import make_samples
from genlock.cli.session import Session
from genlock.client import Genlock
from genlock.errors import GenlockError, Invalid
from genlock.sdk.local import IDLE_MINUTES
from genlock.settings import Settings

FOLDER = "demo"

Report = Annotated[Path, typer.Option("--report", help="The file for all figures.")]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Number of workers.")]

app = typer.Typer()


@command(app, "demo", example="genlock demo", ignores_url="the demo starts its own server, in the folder `demo`")
def demo(session: Session, report: Report = Path("demo-report.json"), workers: Workers = 2) -> None:
    """Run the demo on real files: 60 segments, one asset changes, exactly 12 are rendered again.

    Its data is in the folder `demo` of your data folder. Each run creates another project. All figures are read from
    the API and checked: the exit code is 1 if one is wrong.
    """
    settings = settings_of_demo(session.settings(), workers)
    teller = Teller(session.err if session.as_json else session.out)
    began = time.monotonic()
    _write(report, {"outcome": "unfinished"})
    with Genlock(settings=settings, on_progress=lambda text: teller.say(text, "dim")) as gl:
        teller.title(f"Genlock {version('genlock')}: the demo", f"server {gl.url}   data {settings.data}")
        samples = settings.data / "samples"
        make_samples(samples)
        story = Story(gl, Cast(), samples, teller)
        outcome = "failed"
        try:
            story.play()
            outcome = "every figure holds"
        except GenlockError as error:
            outcome = error.message
            raise
        finally:
            document = _document(story, settings, gl.url, outcome, time.monotonic() - began)
            _write(report, document)
    _say_where(teller, story, settings, report, time.monotonic() - began)
    if session.as_json:
        session.show(document)


def settings_of_demo(users: Settings, workers: int) -> Settings:
    """Return the settings of the demo's own server, with a folder in the user's data folder and no other settings."""
    own: dict[str, Any] = {"url": None, "token": None, "database_url": None, "database_owner_url": None, "blobs": None}
    own |= {
        "scan_folders": (),
        "scan_keep": None,
        "register_roots": (),
        "comfyui_url": None,
        "comfyui_folder": None,
        "comfyui_secret": None,
    }
    return Settings(data=users.data / FOLDER, host="127.0.0.1", port=0, workers=workers, **own)


def _document(story: Story, settings: Settings, url: str, outcome: str, took_s: float) -> dict[str, Any]:
    return {
        "genlock": version("genlock"),
        "outcome": outcome,
        "took_s": round(took_s, 1),
        "url": url,
        "data": str(settings.data),
        "project": story.slug,
        "figures": [figure.model_dump(mode="json") for figure in story.figures.checked],
        "times": [took.model_dump(mode="json") for took in story.times],
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Invalid(
            f"The report {path} cannot be written: {error.strerror}.", hint="Choose another path with --report."
        ) from error


def _say_where(teller: Teller, story: Story, settings: Settings, report: Path, took_s: float) -> None:
    held = len(story.figures.checked)
    teller.act(f"All {held} figures, read from the API, are as expected ({took_s:.0f} s)")
    program = shlex.quote(sys.argv[0]) if sys.argv[0].endswith("genlock") else "genlock"
    command = f"{program} --data {shlex.quote(str(settings.data))}"
    slug = story.film.slug
    teller.say(f"To look around:   {command} status {slug}")
    teller.say(f"                  {command} provenance {slug}/{story.stars[0].name}/2")
    teller.say(f"                  {command} asset history variant:clothed --project {slug}")
    teller.say(f"The server keeps running and ends after {IDLE_MINUTES:.0f} minutes without requests.", "dim")
    teller.say(f"All figures: {report}", "dim")
