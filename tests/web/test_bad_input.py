"""Bad input gets a clear error and changes nothing: names, kinds, versions, positions; and two users at once."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.web.test_problems import problem
from tests.web.test_uploads import make_asset

BAD_NAMES = [
    "a\nb",
    "../x",
    "x" * 201,
    "",
    " ",
    "a\x00b",
    "a/b",
    "..",
    "\u2029",
    "a\u007f",
    "\ufeff",
    "a\u202eb",
    "rain\u200b",
    "\ufeffrain",
    "rain ",
    " rain",
    "rain\u3000",
]
GOOD_NAMES = ["🎬🌧️", "مشهد ليلي", "x" * 200, "été", "夜の屋上"]


@pytest.fixture
async def filled(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a client, after creating what ``fill`` creates."""
    return await fill(client)


@pytest.fixture(scope="module")
async def module_client(module_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return the client of the module's refusals, after creating what ``fill`` creates."""
    return await fill(module_client)


async def fill(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Create a project with a scene of two segments, and an asset with two versions."""
    await client.post("/api/v1/projects", json={"slug": "rooftop", "name": "Rooftop"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "night"})
    await client.post("/api/v1/scenes/1/segments", json={"count": 2})
    asset = await make_asset(client)
    for content in (b"one", b"two"):
        await client.post(f"/api/v1/assets/{asset}/versions", files={"file": ("a", content)})
    return client


NAMED: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/v1/projects", {"slug": "other"}),
    ("POST", "/api/v1/projects/1/scenes", {}),
    ("POST", "/api/v1/scenes/1/segments", {}),
    ("POST", "/api/v1/assets", {"kind": "lora"}),
    ("PATCH", "/api/v1/projects/1", {}),
    ("PATCH", "/api/v1/scenes/1", {}),
    ("PATCH", "/api/v1/segments/1", {}),
    ("PATCH", "/api/v1/assets/1", {}),
    ("POST", "/api/v1/tokens", {"role": "viewer"}),
]


@pytest.mark.parametrize(("method", "path", "body"), NAMED, ids=lambda part: part if isinstance(part, str) else "")
async def test_invalid_names_are_refused_and_valid_ones_stored(
    filled: httpx.AsyncClient, method: str, path: str, body: dict[str, Any]
) -> None:
    for name in BAD_NAMES:
        refusal = problem(await filled.request(method, path, json={**body, "name": name}), 422, "invalid")
        assert any(error["field"] == "body.name" for error in refusal["errors"]), name
    for number, name in enumerate(GOOD_NAMES):
        slug = {"slug": f"other-{number}"} if "slug" in body else {}
        answer = await filled.request(method, path, json={**body, **slug, "name": name})
        assert answer.is_success, answer.text
        stored = answer.json()
        assert (stored.get("items") or [stored])[0]["name"] == name


@pytest.mark.parametrize(("method", "path", "body"), NAMED, ids=lambda part: part if isinstance(part, str) else "")
async def test_names_are_normalised(filled: httpx.AsyncClient, method: str, path: str, body: dict[str, Any]) -> None:
    answer = await filled.request(method, path, json={**body, "name": "e\u0301te\u0301"})
    assert answer.is_success, answer.text
    body = answer.json()
    assert (body.get("items") or [body])[0]["name"] == "été"


async def test_names_are_looked_up_normalised(filled: httpx.AsyncClient) -> None:
    decomposed = "e\u0301te\u0301"
    await filled.post("/api/v1/projects/1/scenes", json={"name": "été"})
    await filled.post("/api/v1/assets", json={"kind": "lora", "name": "été"})
    await filled.patch("/api/v1/segments/1", json={"name": "été"})
    for path, query in [
        ("/api/v1/projects/1/scenes", {"name": decomposed}),
        ("/api/v1/assets", {"q": decomposed[:2]}),
        ("/api/v1/projects/1/segments", {"q": decomposed[:2]}),
    ]:
        items = (await filled.get(path, params=query)).json()["items"]
        assert [item["name"] for item in items] == ["été"]
    refused = await filled.post("/api/v1/assets", json={"kind": "lora", "name": decomposed})
    assert refused.status_code == 409


@pytest.mark.parametrize("slug", ["", "A", "a b", "-a", "a-", "../x", "a/b", "ä", "x" * 101, "a\n"])
async def test_an_invalid_slug_is_refused(unchanging: httpx.AsyncClient, slug: str) -> None:
    problem(await unchanging.post("/api/v1/projects", json={"slug": slug, "name": "n"}), 422, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/v1/assets", {"kind": "hat", "name": "n"}, 422),
        ("POST", "/api/v1/assets", {"kind": "LORA", "name": "n"}, 422),
        ("POST", "/api/v1/assets", {"kind": "lora", "name": "n", "project_id": 404}, 404),
        ("POST", "/api/v1/assets", {"kind": "lora", "name": "n", "project_id": "1"}, 422),
        ("POST", "/api/v1/assets", {"kind": "other", "name": "clothed"}, 409),
        ("POST", "/api/v1/projects", {"slug": "rooftop", "name": "n"}, 409),
        ("POST", "/api/v1/projects/1/scenes", {"name": "night"}, 409),
        ("POST", "/api/v1/projects/404/scenes", {"name": "n"}, 404),
        ("POST", "/api/v1/scenes/1/segments", {"count": 0}, 422),
        ("POST", "/api/v1/scenes/1/segments", {"count": 10_001}, 422),
        ("POST", "/api/v1/scenes/1/segments", {"count": 1.5}, 422),
        ("POST", "/api/v1/scenes/1/segments", {"count": "2"}, 422),
        ("POST", "/api/v1/scenes/1/segments", {"count": True}, 422),
        ("POST", "/api/v1/scenes/1/segments", {"chained": 1}, 422),
        ("POST", "/api/v1/scenes/1/segments", {"position": 4}, 422),
        ("POST", "/api/v1/scenes/1/segments", {"position": 2**31}, 422),
        ("POST", "/api/v1/scenes/1/segments", {"count": 10**400}, 422),
        ("PATCH", "/api/v1/segments/1", {"position": 3}, 422),
        ("PATCH", "/api/v1/segments/404", {"position": 1}, 404),
        ("POST", "/api/v1/segments/1/select", {"take": 1}, 404),
        ("POST", "/api/v1/assets/1/activate", {"version": 3}, 404),
        ("POST", "/api/v1/assets/1/activate", {"version": 0}, 422),
        ("POST", "/api/v1/assets/1/activate", {"version": 2**31}, 422),
        ("POST", "/api/v1/assets/1/activate", {"version": 1, "force": True}, 422),
        ("PUT", "/api/v1/projects/1/pins/1", {"version": 3, "reason": "r"}, 404),
        ("PUT", "/api/v1/projects/1/pins/1", {"version": 1, "reason": ""}, 422),
        ("PUT", "/api/v1/projects/1/pins/404", {"version": 1, "reason": "r"}, 404),
        ("DELETE", "/api/v1/projects/1/pins/1", None, 404),
        ("POST", "/api/v1/waivers", {"asset_id": 1, "reason": "r"}, 422),
        ("POST", "/api/v1/waivers", {"asset_id": 1, "reason": "r", "project_id": 1, "scene_id": 1}, 422),
        ("POST", "/api/v1/waivers", {"asset_id": "links", "reason": "r", "project_id": 1}, 422),
        ("POST", "/api/v1/waivers", {"asset_id": 1, "reason": "r", "project_id": 1}, 409),
        ("POST", "/api/v1/waivers", {"asset_id": 1, "reason": "r", "project_id": 1, "expires_at": "soon"}, 422),
        (
            "POST",
            "/api/v1/waivers",
            {"asset_id": 1, "reason": "r", "project_id": 1, "expires_at": "2099-01-01T00:00:00"},
            422,
        ),
        ("DELETE", "/api/v1/waivers/404", None, 404),
        ("POST", "/api/v1/plans", {"project_id": 1, "selection": {}}, 422),
        ("POST", "/api/v1/plans", {"project_id": 404, "selection": {"all": True}}, 404),
        ("POST", "/api/v1/plans/404/start", None, 404),
        ("POST", "/api/v1/segments/1/render", {"engine": "none"}, 422),
        ("GET", "/api/v1/assets/1/impact?version=3", None, 404),
        ("GET", "/api/v1/assets/1/usage?version=3", None, 404),
        ("GET", "/api/v1/assets/1/usage?takes=some", None, 422),
        ("GET", "/api/v1/assets?kind=hat", None, 422),
        ("GET", "/api/v1/assets?digest=sha256:0", None, 422),
        ("GET", "/api/v1/projects/1/segments?state=rotten", None, 422),
        ("GET", "/api/v1/projects/1/staleness-report/groups/chain/segments", None, 404),
        ("GET", "/api/v1/projects/1/staleness-report/groups/hat-1/segments", None, 422),
        ("GET", "/api/v1/receipts?seed=1e3", None, 422),
        ("GET", "/api/v1/receipts?seed=18446744073709551616", None, 422),
        ("GET", "/api/v1/receipts?prompt=%00", None, 422),
        ("GET", "/api/v1/projects/1/segments?q=%00", None, 422),
        ("GET", "/api/v1/receipts?sead=1", None, 422),
    ],
    ids=str,
)
async def test_an_invalid_request_is_refused_and_changes_nothing(
    unchanging: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    before = await state_of(unchanging)
    answer = await unchanging.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    refusal = problem(answer, status, answer.json()["code"])
    assert refusal["hint"], refusal
    assert await state_of(unchanging) == before


async def state_of(client: httpx.AsyncClient) -> list[Any]:
    paths = ("projects", "projects/1/scenes", "projects/1/segments", "assets", "assets/1/activations", "events")
    return [(await client.get(f"/api/v1/{path}")).json()["items"] for path in paths]


async def test_two_users_activate_at_once(filled: httpx.AsyncClient) -> None:
    """Both requests succeed in turn; the log has every activation, each from the version of the previous one."""
    versions = [1, 2] * 6
    answers = await asyncio.gather(
        *(filled.post("/api/v1/assets/1/activate", json={"version": version}) for version in versions)
    )
    assert [answer.status_code for answer in answers] == [200] * len(versions)
    moves = (await filled.get("/api/v1/assets/1/activations")).json()["items"][::-1]
    assert all(move["from_version"] != move["to_version"] for move in moves)
    assert [move["from_version"] for move in moves[1:]] == [move["to_version"] for move in moves[:-1]]
    assert (await filled.get("/api/v1/assets/1")).json()["active_version"] == moves[-1]["to_version"]


async def test_two_users_upload_the_same_bytes_at_once(filled: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(filled.post("/api/v1/assets/1/versions", files={"file": ("a", b"three")}) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert {answer.json()["version"]["number"] for answer in answers} == {3}


async def test_archived_things_refuse_changes_and_can_be_restored(filled: httpx.AsyncClient) -> None:
    for thing, work, body in (
        ("segments/1", "segments/1/select", {"take": 1}),
        ("scenes/1", "scenes/1/segments", {"count": 1}),
        ("projects/1", "projects/1/scenes", {"name": "day"}),
        ("assets/1", "assets/1/activate", {"version": 1}),
    ):
        assert (await filled.post(f"/api/v1/{thing}/archive")).json()["archived"] is True
        problem(await filled.post(f"/api/v1/{work}", json=body), 409, "conflict")
        assert (await filled.post(f"/api/v1/{thing}/archive")).is_success, "twice changes nothing"
        assert (await filled.post(f"/api/v1/{thing}/restore")).json()["archived"] is False
    verbs = [event["verb"] for event in (await filled.get("/api/v1/events")).json()["items"]]
    for thing in ("segment", "scene", "project", "asset"):
        assert verbs.count(f"{thing}.archived") == verbs.count(f"{thing}.restored") == 1
