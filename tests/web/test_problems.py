"""Every refused request is answered with a problem document and a hint, and changes nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.conftest import Issue, client_of

from genlock.db.connection import Database, scalar
from genlock.model import Role
from genlock.web.bodies import parse_json

TOKENS = "/api/v1/tokens"
JSON = {"Content-Type": "application/json"}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert set(document) == {"type", "title", "status", "detail", "code", "hint", "errors"}
    assert document["status"] == status
    assert document["detail"] and document["title"]
    assert document["type"] == f"urn:genlock:problem:{code}"
    return document


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"{'name': 'a'}",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": -Infinity}',
        b'{"name": 1e999}',
        b'{"name": ' + b"9" * 400 + b".0}",
        b'{"name": "\\ud800"}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"name": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_what_is_not_json_is_refused(unchanging: httpx.AsyncClient, body: bytes) -> None:
    problem(await unchanging.post(TOKENS, content=body, headers=JSON), 422, "bad_json")


def test_large_numbers_that_are_finite_are_json() -> None:
    assert parse_json(b'[1e300, 1e-999, "1e999", 18446744073709551615]') == [1e300, 0.0, "1e999", 2**64 - 1]


async def test_each_refused_field_is_listed(unchanging: httpx.AsyncClient) -> None:
    refusal = problem(await unchanging.post(TOKENS, json={"name": "a/b", "role": "emperor"}), 422, "invalid")
    assert {error["field"] for error in refusal["errors"]} == {"body.name", "body.role"}
    assert "'/'" in next(error["message"] for error in refusal["errors"] if error["field"] == "body.name")


@pytest.mark.parametrize("body", [{}, [], "text", 3, None, {"name": "a", "role": "viewer", "colour": "red"}])
async def test_missing_and_unknown_fields_are_refused(unchanging: httpx.AsyncClient, body: Any) -> None:
    problem(await unchanging.post(TOKENS, content=json.dumps(body), headers=JSON), 422, "invalid")


@pytest.mark.parametrize(
    "name", ["", " ", "a\nb", "../x", "a\x00b", "x" * 201, ".", "..", "a:b", "a@2", "a\\b", "a\u2028b"]
)
async def test_an_invalid_name_is_refused(unchanging: httpx.AsyncClient, name: str) -> None:
    problem(await unchanging.post(TOKENS, json={"name": name, "role": "viewer"}), 422, "invalid")


@pytest.mark.parametrize("name", ["x" * 200, "🎬 take", "مشهد", "a b", "ü", "夜"])
async def test_names_in_any_script_are_stored_unchanged(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post(TOKENS, json={"name": name, "role": "viewer"})
    assert (answer.status_code, answer.json()["name"]) == (201, name)


async def test_an_unknown_query_parameter_is_refused_by_name(unchanging: httpx.AsyncClient) -> None:
    refusal = problem(await unchanging.get(TOKENS, params={"limt": 5}), 422, "unknown_parameter")
    assert refusal["errors"][0]["field"] == "query.limt"
    assert "cursor, limit" in refusal["hint"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 0}, "invalid"),
        ({"limit": 501}, "invalid"),
        ({"limit": "many"}, "invalid"),
        ({"cursor": "no cursor"}, "bad_cursor"),
        ({"cursor": "WyJhIl0"}, "bad_cursor"),
        ({"cursor": "WzFlOTld"}, "bad_cursor"),
        ({"cursor": "[" * 1999}, "bad_cursor"),
    ],
)
async def test_invalid_cursors_and_limits_are_refused(
    unchanging: httpx.AsyncClient, query: dict[str, Any], code: str
) -> None:
    problem(await unchanging.get(TOKENS, params=query), 422, code)


@pytest.mark.parametrize("token_id", ["0", "-1", "x", "1.5", "9223372036854775808", "%00", "１"])
async def test_an_invalid_id_is_refused(unchanging: httpx.AsyncClient, token_id: str) -> None:
    answer = await unchanging.delete(f"{TOKENS}/{token_id}")
    assert answer.status_code in {404, 422}
    problem(answer, answer.status_code, answer.json()["code"])


async def test_a_missing_resource_is_not_found(unchanging: httpx.AsyncClient) -> None:
    problem(await unchanging.delete(f"{TOKENS}/404"), 404, "not_found")
    refusal = problem(await unchanging.get("/api/v1/nothing"), 404, "no_such_route")
    assert "/api/v1/nothing" in refusal["detail"]
    answer = await unchanging.put(TOKENS, json={})
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
async def test_a_body_without_json_media_type_is_refused(unchanging: httpx.AsyncClient, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = await unchanging.post(TOKENS, content=b'{"name": "a", "role": "viewer"}', headers=headers)
    problem(answer, 422, "unsupported_media_type")


async def test_an_unexpected_body_is_refused(unchanging: httpx.AsyncClient) -> None:
    answer = await unchanging.request("DELETE", f"{TOKENS}/1", json={"force": True})
    problem(answer, 422, "unexpected_body")


async def test_a_body_over_the_limit_is_refused_with_and_without_an_announcement(app: FastAPI, issue: Issue) -> None:
    limit = app.state.services.settings.max_body_bytes

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(limit // 2**20 + 1):
            yield b" " * 2**20

    async with client_of(app, await issue(Role.ADMIN)) as client:
        for content in (b" " * (limit + 1), unannounced()):
            refusal = problem(await client.post(TOKENS, content=content, headers=JSON), 413, "too_large")
            assert "GENLOCK_MAX_BODY_BYTES" in refusal["hint"]


async def test_a_lost_database_connection_is_reported_and_survived(
    app: FastAPI, db: Database, issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await issue(Role.ADMIN)
    async with client_of(app, secret) as client:
        async with await psycopg.AsyncConnection.connect(db.conninfo, autocommit=True) as owner:
            # Every insert into tokens first ends the connection that it came on.
            await owner.execute(
                "CREATE FUNCTION genlock.cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
                "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
            )
            await owner.execute(
                "CREATE TRIGGER cut BEFORE INSERT ON genlock.tokens FOR EACH ROW EXECUTE FUNCTION genlock.cut()"
            )
            answer = await client.post(TOKENS, json={"name": "a", "role": "viewer"})
            problem(answer, 503, "unavailable")
            assert answer.headers["retry-after"] == "2"
            await owner.execute("DROP TRIGGER cut ON genlock.tokens")
        assert (await client.post(TOKENS, json={"name": "a", "role": "viewer"})).status_code == 201
    async with db.transaction() as conn:
        assert await scalar(conn, "SELECT count(*) FROM tokens WHERE name = 'a'") == 1


async def test_an_internal_error_is_a_problem_without_a_stack_trace(app: FastAPI, issue: Issue) -> None:
    secret = await issue(Role.ADMIN)
    app.state.metrics.registry = None
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        failure = problem(await client.get("/metrics"), 500, "internal")
    assert "NoneType" not in json.dumps(failure)


async def test_a_problem_never_repeats_the_request(unchanging: httpx.AsyncClient) -> None:
    answer = await unchanging.post(TOKENS, json={"name": "hunter2/hunter2", "role": "hunter2"})
    assert "hunter2" not in answer.text


async def test_health_needs_no_database_and_readiness_does(app: FastAPI, db: Database) -> None:
    async with client_of(app, None) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ready", "warnings": []}
        db.restricted = False
        assert "genlock_app" in (await client.get("/readyz")).json()["warnings"][0]
        await db.close()
        assert (await client.get("/healthz")).status_code == 200
        problem(await client.get("/readyz"), 503, "unavailable")
