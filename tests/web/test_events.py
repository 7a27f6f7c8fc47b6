"""Events are read in pages, and streamed as they happen, from where a reader stopped."""

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from psycopg import sql
from tests.conftest import Issue, LiveServer, client_of
from tests.web.test_problems import problem

from genlock.access.actions import SYSTEM, create_token
from genlock.access.model import NewToken
from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database
from genlock.model import Role
from genlock.settings import Settings
from genlock.web.app import create_app

EVENTS = "/api/v1/events"
STREAM = "/api/v1/events/stream"


async def make_tokens(client: httpx.AsyncClient, count: int) -> None:
    for number in range(count):
        await client.post("/api/v1/tokens", json={"name": f"t{number}", "role": "viewer"})


async def test_events_are_read_in_pages(client: httpx.AsyncClient) -> None:
    last_event = (await client.get(EVENTS)).json()["items"][-1]["id"]
    await make_tokens(client, 5)
    page = (await client.get(EVENTS, params={"after": last_event, "limit": 3})).json()
    rest = (await client.get(EVENTS, params={"after": page["next"], "limit": 3})).json()
    events = page["items"] + rest["items"]
    assert [event["data"]["name"] for event in events] == [f"t{number}" for number in range(5)]
    assert set(events[0]) == {"id", "at", "actor", "verb", "project_id", "subject", "data"}
    assert events[0]["at"].endswith("Z"), "times are in UTC"
    assert (rest["next"], page["total"]) == (None, None)


async def test_times_are_utc_in_any_time_zone_of_the_database(
    database: str, store: DiskStore, settings: Settings
) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET timezone = 'Asia/Tokyo'").format(
                sql.Identifier(owner.info.dbname)
            )
        )
    db = Database(database)
    await db.open()
    async with db.transaction() as conn:
        secret = (await create_token(conn, NewToken(name="a", role=Role.ADMIN), SYSTEM)).secret
    async with client_of(create_app(db, store, settings), secret) as client:
        assert (await client.get(EVENTS)).json()["items"][0]["at"].endswith("Z")
    await db.close()


async def test_events_can_be_limited_to_a_project(client: httpx.AsyncClient) -> None:
    for slug in ("a", "b"):
        await client.post("/api/v1/projects", json={"slug": slug, "name": slug})
    events = (await client.get(EVENTS, params={"project_id": 2})).json()["items"]
    assert [(event["verb"], event["project_id"]) for event in events] == [("project.created", 2)]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CREATOR])
async def test_events_about_tokens_are_for_administrators(
    client: httpx.AsyncClient, app: FastAPI, issue: Issue, role: Role
) -> None:
    await client.post("/api/v1/tokens", json={"name": "a secret partner", "role": "viewer"})
    await client.post("/api/v1/projects", json={"slug": "a", "name": "A"})
    assert "a secret partner" in (await client.get(EVENTS)).text
    async with client_of(app, await issue(role)) as reader:
        page = (await reader.get(EVENTS)).json()
    assert [event["verb"] for event in page["items"]] == ["project.created"]
    assert page["next"] is None


@pytest.mark.parametrize("query", [{"after": -1}, {"after": "x"}, {"project_id": 0}, {"after": 2**63}, {"since": 1}])
async def test_an_invalid_filter_is_refused(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await client.get(EVENTS, params=query)).status_code == 422


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 19 + "9"])
async def test_an_invalid_last_event_id_is_refused(client: httpx.AsyncClient, last: str) -> None:
    problem(await client.get(STREAM, headers={"Last-Event-ID": last}), 422, "invalid")


@contextmanager
def stream(
    server: LiveServer, after: int | None = None, last: str | None = None, secret: str | None = None
) -> Generator[Iterator[dict[str, str]]]:
    """Return the events of a stream, each as its fields; a comment has the name ''."""
    headers = {} if last is None else {"Last-Event-ID": last}
    query = {} if after is None else {"after": after}
    with server.client(secret) as client, client.stream("GET", STREAM, params=query, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield parsed(answer)


def parsed(answer: httpx.Response) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            yield fields
            fields = {}
        else:
            name, _, value = line.partition(": ")
            fields[name.rstrip(":")] = value


def make_token(server: LiveServer, name: str, role: Role = Role.VIEWER) -> str:
    with server.client() as client:
        return client.post("/api/v1/tokens", json={"name": name, "role": role}).json()["secret"]


def test_events_are_streamed_as_they_happen(live_server: LiveServer) -> None:
    with stream(live_server) as events:
        assert next(events) == {"": "connected"}
        make_token(live_server, "first")
        make_token(live_server, "second")
        heard = [next(events), next(events)]
    assert [json.loads(event["data"])["data"]["name"] for event in heard] == ["first", "second"]
    assert heard[0]["event"] == "token.created"
    assert heard[0]["id"] == str(json.loads(heard[0]["data"])["id"])


def test_a_reader_continues_where_it_stopped(live_server: LiveServer) -> None:
    for number in range(450):
        if number % 150 == 0:
            make_token(live_server, f"t{number}")
    with stream(live_server, after=0) as events:
        next(events)
        first, second = next(events), next(events)
    with stream(live_server, after=0, last=first["id"]) as events:
        next(events)
        assert next(events) == second, "Last-Event-ID counts more than the address"


def test_a_stream_of_a_viewer_holds_no_events_about_tokens(live_server: LiveServer) -> None:
    secret = make_token(live_server, "reader")
    with stream(live_server, after=0, secret=secret) as events, live_server.client() as client:
        next(events)
        make_token(live_server, "a secret partner")
        client.post("/api/v1/projects", json={"slug": "a", "name": "A"}).raise_for_status()
        heard = next(event for event in events if event != {"": "keep-alive"})
    assert heard["event"] == "project.created"


def test_a_silent_stream_sends_keepalives(live_server: LiveServer, settings: Settings) -> None:
    object.__setattr__(settings, "events_keepalive_s", 0.05)
    with stream(live_server) as events:
        assert [next(events) for _ in range(3)] == [{"": "connected"}, {"": "keep-alive"}, {"": "keep-alive"}]


def test_a_revoked_token_gets_no_further_events(live_server: LiveServer) -> None:
    secret = make_token(live_server, "leaving")
    with stream(live_server, secret=secret) as events, live_server.client() as client:
        next(events)
        token_id = client.get("/api/v1/tokens").json()["items"][0]["id"]
        client.delete(f"/api/v1/tokens/{token_id}").raise_for_status()
        assert list(events) == []


def test_the_end_of_the_server_ends_the_stream(live_server: LiveServer) -> None:
    with stream(live_server) as events:
        next(events)
        ending = threading.Thread(target=live_server.stop)
        ending.start()
        assert list(events) == []
        ending.join()
    assert live_server.ended.wait(30)
