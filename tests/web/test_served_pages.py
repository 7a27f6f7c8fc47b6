"""The built pages are served at every path without a route, with a policy that allows nothing from elsewhere."""

import base64
import hashlib
from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.conftest import client_of
from tests.web.test_problems import problem

from genlock.web import pages
from genlock.web.app import assemble

SCRIPT = "start();"
SHELL = f"<!doctype html><body><script>{SCRIPT}</script><script src='/_app/start.js'></script></body>"
NAVIGATION = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Return a folder with built pages, small ones."""
    immutable = tmp_path / "_app" / "immutable"
    immutable.mkdir(parents=True)
    (tmp_path / "index.html").write_text(SHELL)
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (immutable / "start.abc.js").write_text("// start\n" * 1000)
    return tmp_path


@pytest.fixture
def app(built: Path) -> FastAPI:
    """Return the application with these pages."""
    app = assemble()
    pages.install(app, pages.read_pages(built))
    return app


@pytest.mark.parametrize("path", ["/", "/projects/7", "/projects/7/segments/12?state=stale", "/sign-in"])
async def test_a_browser_gets_the_application_at_every_path(app: FastAPI, path: str) -> None:
    async with client_of(app, None) as browser:
        answer = await browser.get(path, headers=NAVIGATION)
    assert answer.text == SHELL
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


async def test_the_policy_allows_only_this_server_and_the_script_of_the_shell(app: FastAPI) -> None:
    async with client_of(app, None) as browser:
        policy = (await browser.get("/", headers=NAVIGATION)).headers["content-security-policy"]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == f"'self' 'sha256-{digest}'"
    assert directives["frame-ancestors"] == "'none'"
    assert "http" not in policy and "*" not in policy and "unsafe-eval" not in policy
    assert [name for name, value in directives.items() if "unsafe" in value] == ["style-src-attr"]


async def test_files_named_by_their_content_are_cached_and_compressed(app: FastAPI) -> None:
    async with client_of(app, None) as browser:
        answer = await browser.get("/_app/immutable/start.abc.js", headers={"Accept-Encoding": "gzip"})
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip" and answer.text.startswith("// start")
        plain = await browser.get("/_app/immutable/start.abc.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers and plain.text == answer.text
        again = await browser.get("/_app/immutable/start.abc.js", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = await browser.head("/favicon.svg")
        assert (head.headers["content-length"], head.content) == ("6", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api",
        "/_app/immutable/gone.js",
        "/_app/../index.html.bak",
        "/..%2f..%2fetc/passwd",
        "/favicon.svg/more",
    ],
)
async def test_everything_else_is_not_found(app: FastAPI, path: str) -> None:
    async with client_of(app, None) as browser:
        problem(await browser.get(path), 404, "no_such_route")


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/nothing", "/_app/immutable/gone.js"])
async def test_navigating_to_the_api_or_a_missing_file_is_not_found(app: FastAPI, path: str) -> None:
    async with client_of(app, None) as browser:
        problem(await browser.get(path, headers=NAVIGATION), 404, "no_such_route")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_pages_are_only_read(app: FastAPI, method: str) -> None:
    async with client_of(app, None) as browser:
        problem(await browser.request(method, "/projects/7", headers=NAVIGATION), 404, "no_such_route")


async def test_without_built_pages_the_problem_says_how_to_build_them(tmp_path: Path) -> None:
    app = assemble()
    pages.install(app, pages.read_pages(tmp_path))
    async with client_of(app, None) as browser:
        assert "make pages" in problem(await browser.get("/", headers=NAVIGATION), 404, "no_pages")["hint"]
        problem(await browser.get("/"), 404, "no_such_route")


def test_files_are_read_once(built: Path) -> None:
    files = pages.read_pages(built)
    (built / "index.html").write_text("changed")
    assert files["index.html"].content == SHELL.encode()


def test_the_pages_in_this_checkout_are_built() -> None:
    """`make test` builds them; the tests in tests/pages use them."""
    files = pages.read_pages()
    assert b"<script" in files["index.html"].content
    scripts = sum(len(file.compressed or file.content) for name, file in files.items() if name.endswith(".js"))
    assert scripts < 200_000, "all pages together, compressed"
