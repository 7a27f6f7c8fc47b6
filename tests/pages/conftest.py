"""A real server with a worker and a small film, and Debian's Chromium signed in to its pages."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from rich.console import Console
from tests.demo.programs import serving
from tests.extension.browser import require_chromium
from tests.fixtures_postgres import fresh_database

from genlock.cli.demo.cast import Cast
from genlock.cli.demo.story import Story
from genlock.cli.demo.telling import Teller
from genlock.cli.samples import make_samples
from genlock.client import Genlock
from genlock.settings import Settings

CAST = Cast(scenes=3, segments=2, starring=2)
FLAGS = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"]
PATIENCE_MS = 60_000


@dataclass
class Studio:
    """The server's client, and its film of six segments. Four of them go back to ``clothed_v1.png``."""

    gl: Genlock
    story: Story

    @property
    def project_id(self) -> int:
        """The film's id."""
        return self.story.film.project_id


@pytest.fixture(scope="session")
def gl(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Genlock]:
    """Start a server with a worker."""
    data = tmp_path_factory.mktemp("pages") / "data"
    with (
        fresh_database(postgres, template) as url,
        serving(Settings(data=data, database_url=url, host="127.0.0.1", port=0)) as opened,
    ):
        yield opened


@pytest.fixture
def studio(gl: Genlock, tmp_path: Path) -> Studio:
    """Return a new film with a take of every segment."""
    samples = tmp_path / "samples"
    make_samples(samples)
    story = Story(gl, CAST, samples, Teller(Console(quiet=True)))
    story.set_stage()
    story.render()
    return Studio(gl, story)


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Start Debian's Chromium. For one module: while Playwright runs, its event loop keeps async tests from running."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=require_chromium(), args=[*FLAGS, "--no-sandbox"])


@pytest.fixture
def page(browser: Browser, gl: Genlock) -> Generator[Page]:
    """Open a signed-in page; fail if it logs an error or breaks its Content-Security-Policy."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=gl.url)
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    opened.on("console", note)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(gl.create_sign_in_link().path)
    opened.wait_for_url("/")
    yield opened
    context.close()
    assert complaints == []
