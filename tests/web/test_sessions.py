"""Browsers sign in by one-time links, and act by a cookie that only Genlock's own pages can use for writes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.conftest import Issue, client_of
from tests.web.test_problems import problem

from genlock.db.connection import Database, execute
from genlock.model import Role

LINKS = "/api/v1/sign-in-links"
SIGN_IN = "/api/v1/sign-in"
SESSION = "/api/v1/session"
SESSIONS = "/api/v1/sessions"
ME = "/api/v1/me"
PROJECT = {"slug": "film", "name": "Film"}
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


async def new_code(client: httpx.AsyncClient) -> str:
    """Return the code of a new sign-in link of the client's token."""
    answer = await client.post(LINKS)
    assert answer.status_code == 201
    path, _, code = answer.json()["path"].partition("#")
    assert path == "/sign-in"
    return code


@asynccontextmanager
async def browser(app: FastAPI, secret: str) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a client that signed in by a link of a token, and has only its cookie."""
    async with client_of(app, secret) as holder, client_of(app, None) as signed_in:
        answer = await signed_in.post(SIGN_IN, json={"code": await new_code(holder)}, headers=OWN_PAGE)
        assert answer.status_code == 201
        yield signed_in


async def test_a_link_signs_in_with_the_role_of_its_token(app: FastAPI, issue: Issue) -> None:
    async with browser(app, await issue(Role.CREATOR)) as signed_in:
        me = (await signed_in.get(ME)).json()
        assert (me["name"], me["role"]) == ("a creator", "creator")
        refused = await signed_in.get("/api/v1/tokens")
        problem(refused, 403, "role_too_low")


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(app: FastAPI, issue: Issue) -> None:
    async with client_of(app, await issue(Role.VIEWER)) as holder, client_of(app, None) as stranger:
        answer = await stranger.post(SIGN_IN, json={"code": await new_code(holder)}, headers=OWN_PAGE)
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie and "max-age=" in cookie
        assert "secure" not in cookie, "plain http on this machine"
        again = await new_code(holder)
        answer = await stranger.post("https://test/api/v1/sign-in", json={"code": again}, headers=OWN_PAGE)
        assert answer.headers["set-cookie"].startswith("__Host-") and "; Secure" in answer.headers["set-cookie"]


async def test_a_link_works_once(app: FastAPI, client: httpx.AsyncClient) -> None:
    code = await new_code(client)
    async with client_of(app, None) as stranger:
        assert (await stranger.post(SIGN_IN, json={"code": code}, headers=OWN_PAGE)).status_code == 201
        refused = await stranger.post(SIGN_IN, json={"code": code}, headers=OWN_PAGE)
        assert "genlock open" in problem(refused, 401, "link_expired")["hint"]


@pytest.mark.parametrize("why", ["expired", "its token is revoked", "unknown"])
async def test_other_links_do_not_work(app: FastAPI, database: str, client: httpx.AsyncClient, why: str) -> None:
    code = await new_code(client)
    with psycopg.connect(database) as owner:
        if why == "expired":
            owner.execute("UPDATE genlock.sign_in_links SET expires_at = now()")
        elif why == "its token is revoked":
            owner.execute("UPDATE genlock.tokens SET revoked_at = now()")
        else:
            code = "unknown"
    async with client_of(app, None) as stranger:
        refused = await stranger.post(SIGN_IN, json={"code": code}, headers=OWN_PAGE)
        problem(refused, 401, "link_expired")
        assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        (OWN_PAGE, True),
        ({"Origin": "http://test"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://test"}, True),
        ({}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://test"}, False),
        ({"Origin": "http://elsewhere"}, False),
        ({"Origin": "http://test.elsewhere"}, False),
        ({"Origin": "http://test:8471"}, False),
        ({"Origin": "null"}, False),
    ],
)
async def test_only_our_own_pages_write_with_a_cookie(
    app: FastAPI, issue: Issue, headers: dict[str, str], is_ours: bool
) -> None:
    async with browser(app, await issue(Role.CREATOR)) as signed_in:
        answer = await signed_in.post("/api/v1/projects", json=PROJECT, headers=headers)
        if is_ours:
            assert answer.status_code == 201
        else:
            problem(answer, 403, "cross_origin")
            assert (await signed_in.get("/api/v1/projects")).json()["total"] in (0, None)


async def test_signing_in_from_another_site_is_refused(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Else a site could sign a person in as another user, and watch what they do there."""
    code = await new_code(client)
    async with client_of(app, None) as stranger:
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
            refused = await stranger.post(SIGN_IN, json={"code": code}, headers=headers)
            problem(refused, 403, "cross_origin")
        assert (await stranger.post(SIGN_IN, json={"code": code}, headers=OWN_PAGE)).status_code == 201


async def test_a_token_needs_no_origin_and_wins_over_a_cookie(app: FastAPI, issue: Issue) -> None:
    async with browser(app, await issue(Role.VIEWER)) as signed_in:
        headers = {"Authorization": f"Bearer {await issue(Role.CREATOR)}"}
        assert (await signed_in.post("/api/v1/projects", json=PROJECT, headers=headers)).status_code == 201
        refused = await signed_in.get(ME, headers={"Authorization": "Bearer gl_nobody"})
        problem(refused, 401, "unknown_token")


async def test_signing_out_ends_the_session(app: FastAPI, issue: Issue) -> None:
    async with browser(app, await issue(Role.VIEWER)) as signed_in:
        cookies = httpx.Cookies(signed_in.cookies)
        assert (await signed_in.delete(SESSION, headers=OWN_PAGE)).status_code == 204
        assert not signed_in.cookies
        signed_in.cookies = cookies
        problem(await signed_in.get(ME), 401, "signed_out")


async def test_a_session_ends_with_its_token(app: FastAPI, issue: Issue, client: httpx.AsyncClient) -> None:
    async with browser(app, await issue(Role.CREATOR)) as signed_in:
        token_id = (await signed_in.get(ME)).json()["token_id"]
        await client.delete(f"/api/v1/tokens/{token_id}")
        problem(await signed_in.get(ME), 401, "signed_out")


async def test_a_session_ends_when_it_was_not_used_for_long(app: FastAPI, issue: Issue, db: Database) -> None:
    async with browser(app, await issue(Role.VIEWER)) as signed_in:
        async with db.transaction() as conn:
            await execute(
                conn, "UPDATE sessions SET last_used_at = now() - interval '2 hours', expires_at = now() + '1s'"
            )
        assert (await signed_in.get(ME)).status_code == 200, "it is extended by being used"
        async with db.transaction() as conn:
            assert (
                await execute(conn, "UPDATE sessions SET expires_at = now() WHERE expires_at > now() + '29 days'") == 1
            )
        problem(await signed_in.get(ME), 401, "signed_out")


async def test_sessions_are_listed_and_ended_by_their_owner_or_an_administrator(
    app: FastAPI, issue: Issue, client: httpx.AsyncClient
) -> None:
    async with browser(app, await issue(Role.CREATOR)) as ana, browser(app, await issue(Role.VIEWER)) as ben:
        (own,) = (await ana.get(SESSIONS)).json()["items"]
        assert (own["name"], own["role"], own["current"]) == ("a creator", "creator", True)
        everyone = (await client.get(SESSIONS)).json()["items"]
        assert [(each["name"], each["current"]) for each in everyone] == [("a viewer", False), ("a creator", False)]
        refused = await ben.delete(f"{SESSIONS}/{own['id']}", headers=OWN_PAGE)
        problem(refused, 404, "not_found")
        assert (await ana.get(ME)).status_code == 200
        assert (await client.delete(f"{SESSIONS}/{own['id']}")).json()["id"] == own["id"]
        problem(await ana.get(ME), 401, "signed_out")
        assert (await ben.get(ME)).status_code == 200


async def test_events_of_sessions_are_for_administrators(app: FastAPI, issue: Issue, client: httpx.AsyncClient) -> None:
    async with browser(app, await issue(Role.VIEWER)) as ben:
        verbs = [event["verb"] for event in (await ben.get("/api/v1/events")).json()["items"]]
        assert "session.started" not in verbs
        everything = (await client.get("/api/v1/events")).json()["items"]
        (started,) = [event for event in everything if event["verb"] == "session.started"]
        assert started["actor"] == "a viewer"


async def test_secrets_are_not_stored(app: FastAPI, issue: Issue, db: Database) -> None:
    async with browser(app, await issue(Role.VIEWER)) as signed_in, db.transaction() as conn:
        (secret,) = signed_in.cookies.values()
        matches = await execute(
            conn, "SELECT FROM sessions s WHERE s::text LIKE '%%' || %(secret)s || '%%'", secret=secret
        )
        assert matches == 0


@pytest.mark.parametrize("body", [b"", b"{}", b'{"code": ""}', b'{"code": 7}', b"[", b'{"code": "x", "more": 1}'])
async def test_bad_sign_ins_are_refused(app: FastAPI, client: httpx.AsyncClient, body: bytes) -> None:
    headers = {**OWN_PAGE, "Content-Type": "application/json"}
    refused = await client.post(SIGN_IN, content=body, headers=headers)
    assert refused.status_code == 422 and refused.json()["hint"]
