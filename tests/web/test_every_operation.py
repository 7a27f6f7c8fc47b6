"""Every operation of the API description is called with valid and invalid values (schemathesis)."""

# Schemathesis leaves the types of its cases open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

import threading
import uuid
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection
from tests.conftest import LiveServer
from tests.fixtures_postgres import fresh_database

from genlock.blobs.disk import DiskStore
from genlock.settings import Settings
from genlock.web.app import assemble

DESCRIPTION = assemble().openapi()
# A schema cannot express that a cursor is ours, that a time is in the future, that a selection is not empty.
CHECKS = {"positive_data_acceptance": {"enabled": False}}
# Every value at the edge of its schema, 5,000 requests: at length only.
EDGES = {"coverage": {"enabled": True}}
NO_EDGES = {"coverage": {"enabled": False}}
# A thousand claims in one request are covered by a single one.
BATCH = {"include-name": "POST /api/v1/takes:batch", "phases": NO_EDGES}


def schema_with(phases: dict[str, Any]) -> schemathesis.BaseSchema:
    config = SchemathesisConfig.from_dict({"checks": CHECKS, "phases": phases, "operations": [BATCH]})
    return schemathesis.openapi.from_dict(DESCRIPTION, config=config)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]
Case = schemathesis.Case[Any]
MOST_SEGMENTS = 10_000


@pytest.fixture(scope="module")
def fuzzed(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveServer]:
    """Start a server with a little data of every kind, whose streams end at once."""
    folder: Path = tmp_path_factory.mktemp("fuzzed")
    with fresh_database(postgres, template) as conninfo:
        server = LiveServer(conninfo, DiskStore(folder / "blobs"), Settings(data=folder))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        server.wait()
        assert server.app
        server.app.state.services.bell.closed = True
        with server.client() as client:
            fill(client)
            # A token with a large id: deleting tokens with small ids must not end the test.
            server.token = client.post("/api/v1/tokens", json={"name": "fuzz", "role": "admin"}).json()["secret"]
        yield server
        server.stop()
        thread.join()


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


@cache
def session() -> requests.Session:
    """Return a session that does not look for proxies, which takes as long as a request."""
    session = requests.Session()
    session.trust_env = False
    return session


def ask(case: Case, server: LiveServer, without: tuple[Any, ...] = ()) -> None:
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())  # else every second request is one for another body
    body: Any = case.body
    count: Any = body.get("count") if isinstance(body, dict) else None
    if isinstance(count, int) and 100 < count <= MOST_SEGMENTS:
        body["count"] = 3  # allowed, but every render of that scene would then have thousands of segments
    authorised = {"Authorization": f"Bearer {server.token}"}
    case.call_and_validate(base_url=server.url, session=session(), headers=authorised, excluded_checks=list(without))


@schema_with(NO_EDGES).parametrize()
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=SLOW)
def test_operation(case: Case, fuzzed: LiveServer) -> None:
    ask(case, fuzzed)


@pytest.mark.long
@schema_with(EDGES).parametrize()
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
def test_operation_at_length(case: Case, fuzzed: LiveServer) -> None:
    # Some of these requests lack only the token, which is always sent: they are rightly accepted.
    ask(case, fuzzed, without=(negative_data_rejection,))


def test_every_operation_is_called(request: pytest.FixtureRequest, fuzzed: LiveServer) -> None:
    # Of the tests of this session, since other processes may run some of them.
    called = {item.name for item in request.session.items if item.name.startswith("test_operation[")}
    described = {f"{method.upper()} {path}" for path, item in DESCRIPTION["paths"].items() for method in item}
    print(f"{len(called)} operations called, {len(described)} described")
    assert called == {f"test_operation[{label}]" for label in described}
    with fuzzed.client() as client:
        assert client.get("/api/v1/me").json()["role"] == "admin", "and they are called by an administrator"
