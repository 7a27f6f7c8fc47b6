"""A server with a little data of every kind."""

from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from tests.conftest import LiveServer
from tests.fixtures_postgres import fresh_database

from genlock.blobs.disk import DiskStore
from genlock.settings import Settings

AT_LENGTH = "test_every_operation_at_length.py"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave what ``make test`` does not run out of its collection, which writes down 5,000 requests for it."""
    return True if collection_path.name == AT_LENGTH and config.option.markexpr == "not long" else None


@pytest.fixture(scope="module")
def fuzzed(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveServer]:
    """Start a server with a little data of every kind, whose streams end at once."""
    folder: Path = tmp_path_factory.mktemp("fuzzed")
    with (
        fresh_database(postgres, template) as conninfo,
        LiveServer(conninfo, DiskStore(folder / "blobs"), Settings(data=folder)).serving() as server,
    ):
        assert server.app
        server.app.state.services.event_listener.closed = True
        with server.client() as client:
            fill(client)
            # A token with a large id: deleting tokens with small ids must not end the test.
            server.token = client.post("/api/v1/tokens", json={"name": "fuzz", "role": "admin"}).json()["secret"]
        yield server


def fill(client: httpx.Client) -> None:
    for number in range(100):
        client.post("/api/v1/tokens", json={"name": f"t{number}", "role": "viewer"}).raise_for_status()
    for slug in ("one", "two"):
        client.post("/api/v1/projects", json={"slug": slug, "name": slug}).raise_for_status()
    client.post("/api/v1/projects/1/scenes", json={"name": "night"}).raise_for_status()
    client.post("/api/v1/scenes/1/segments", json={"count": 3}).raise_for_status()
    for kind in ("lora", "variant", "prompt"):
        client.post("/api/v1/assets", json={"kind": kind, "name": "rain"}).raise_for_status()
    for text in ("one", "two"):
        client.post("/api/v1/assets/3/versions", files={"file": ("a.txt", text)}).raise_for_status()
