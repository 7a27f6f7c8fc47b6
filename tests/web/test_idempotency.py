"""The same request under the same key is done once, whatever happens to its responses."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import Issue, client_of
from tests.web.test_problems import problem

from genlock.access import sql
from genlock.access.model import StoredResponse
from genlock.db.connection import Database, execute, scalar
from genlock.digest import digest_of, digest_of_json
from genlock.model import Actor, Role
from genlock.staleness import activation

PROJECTS = "/api/v1/projects"
TOKENS = "/api/v1/tokens"


def body(slug: str = "rooftop") -> dict[str, str]:
    return {"slug": slug, "name": "Rooftop"}


async def test_a_repeated_request_gets_the_same_answer_and_is_not_redone(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}
    first = await client.post(PROJECTS, json=body(), headers=key)
    again = await client.post(PROJECTS, json=body(), headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len((await client.get(PROJECTS)).json()["items"]) == 1


async def test_the_same_key_with_another_request_is_refused(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}
    await client.post(PROJECTS, json=body(), headers=key)
    problem(await client.post(PROJECTS, json=body("other"), headers=key), 422, "key_reused")
    problem(await client.post("/api/v1/projects/1/scenes", json={"name": "a"}, headers=key), 422, "key_reused")


async def test_a_refusal_is_not_stored(client: httpx.AsyncClient) -> None:
    await client.post(PROJECTS, json=body())
    key = {"Idempotency-Key": "one"}
    problem(await client.post(PROJECTS, json=body(), headers=key), 409, "projects_slug_unique")
    assert (await client.post(PROJECTS, json=body("other"), headers=key)).status_code == 201


async def test_keys_belong_to_their_token(app: FastAPI, issue: Issue) -> None:
    key = {"Idempotency-Key": "one"}
    async with client_of(app, await issue(Role.CREATOR)) as ada, client_of(app, await issue(Role.CREATOR)) as grace:
        assert (await ada.post(PROJECTS, json=body("ada"), headers=key)).status_code == 201
        assert (await grace.post(PROJECTS, json=body("grace"), headers=key)).json()["slug"] == "grace"


async def test_a_running_request_is_a_conflict(app: FastAPI, db: Database, issue: Issue) -> None:
    async with client_of(app, await issue(Role.CREATOR)) as client:
        token_id = (await client.get("/api/v1/me")).json()["token_id"]
        async with db.transaction() as conn:
            assert await sql.try_lock_key(conn, digest_of_json(["idempotency", token_id, "one"]))
            answer = await client.post(PROJECTS, json=body(), headers={"Idempotency-Key": "one"})
            problem(answer, 409, "key_in_use")
        assert (await client.post(PROJECTS, json=body(), headers={"Idempotency-Key": "one"})).status_code == 201


async def test_concurrent_requests_are_done_once(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(client.post(PROJECTS, json=body(), headers=key) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"key_in_use"}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1


async def test_an_answer_is_stored_for_a_day(db: Database, client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}
    await client.post(PROJECTS, json=body(), headers=key)
    async with db.transaction() as conn:
        assert await execute(conn, "UPDATE idempotency_keys SET created_at = created_at - interval '24 hours'") == 1
    problem(await client.post(PROJECTS, json=body(), headers=key), 409, "projects_slug_unique")
    assert (await client.post(PROJECTS, json=body("new"), headers=key)).status_code == 201


async def test_new_answers_delete_old_ones(db: Database, issue: Issue) -> None:
    await issue(Role.VIEWER)
    remembered = StoredResponse(request_digest=digest_of(b""), status=201, media_type=None, answer=b"")
    async with db.transaction() as conn:
        token_id = await scalar(conn, "SELECT id FROM tokens")
        for number in range(5):
            await sql.store_response(conn, token_id, f"old-{number}", remembered)
        await execute(conn, "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
        await sql.store_response(conn, token_id, "new", remembered)
        assert await scalar(conn, "SELECT array_agg(key) FROM idempotency_keys") == ["new"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_an_invalid_key_is_refused(client: httpx.AsyncClient, key: str) -> None:
    problem(await client.post(PROJECTS, json=body(), headers={"Idempotency-Key": key}), 422, "bad_key")


async def test_a_tokens_secret_is_returned_again_without_being_stored(client: httpx.AsyncClient, db: Database) -> None:
    key = {"Idempotency-Key": "one"}
    new_token = {"name": "grace", "role": "viewer"}
    first = await client.post(TOKENS, json=new_token, headers=key)
    again = await client.post(TOKENS, json=new_token, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    problem(await client.post(TOKENS, json={**new_token, "role": "admin"}, headers=key), 422, "key_reused")
    async with db.transaction() as conn:
        assert await scalar(conn, "SELECT count(*) FROM idempotency_keys") == 0
        assert await scalar(conn, "SELECT count(*) FROM tokens WHERE name = 'grace'") == 1


async def test_a_request_interrupted_between_activation_and_report_is_repeated(
    client: httpx.AsyncClient, db: Database, actor: Actor
) -> None:
    asset = (await client.post("/api/v1/assets", json={"kind": "lora", "name": "rain"})).json()["id"]
    url, key = f"/api/v1/assets/{asset}", {"Idempotency-Key": "one"}
    for content in (b"v1", b"v2"):
        await client.post(f"{url}/versions", files={"file": ("rain.bin", content)}, data={"activate": "false"})
    async with db.transaction() as conn:  # the state that a server leaves when it dies in between
        assert (await activation.activate(conn, asset, 2, actor)).previous == 1
    first = await client.post(f"{url}/activate", json={"version": 2}, headers=key)
    assert (first.status_code, first.json()["previous"], first.json()["active"]) == (200, 2, 2)
    assert first.json()["report"] == {
        "segments": {"becomes_stale": 0, "becomes_unknown": 0, "becomes_fresh": 0},
        "projects": [],
    }
    again = await client.post(f"{url}/activate", json={"version": 2}, headers=key)
    assert again.content == first.content and again.headers["idempotency-replayed"] == "true"
    assert len((await client.get(f"{url}/activations")).json()["items"]) == 2, "it was moved once, and before to 1"
