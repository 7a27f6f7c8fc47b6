"""Responses about staleness stay small, however long chains are and however many segments are stale."""

from typing import Any

import httpx
import pytest
from tests.web.test_segments import get, record

from genlock.db.connection import Database
from genlock.digest import digest_of
from genlock.model import Actor, InputRole
from genlock.takes.claim import Claim, ClaimEngine, ClaimInput, Evidence, Output, Parameters
from genlock.takes.parts import Parts
from genlock.takes.record import Recording, record_takes

CHAIN = 1000


@pytest.fixture
async def chain(client: httpx.AsyncClient, db: Database, actor: Actor) -> httpx.AsyncClient:
    """Return a client of a project with one chain whose first segment used an outdated prompt."""
    await client.post("/api/v1/projects", json={"slug": "film", "name": "Film"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "night"})
    await client.post("/api/v1/scenes/1/segments", json={"count": 500})
    await client.post("/api/v1/scenes/1/segments", json={"count": CHAIN - 500})
    await client.post("/api/v1/assets", json={"kind": "prompt", "name": "tone"})
    await client.post("/api/v1/assets/1/versions", files={"file": ("a.txt", b"first")})
    async with db.transaction() as conn:
        await record_takes(conn, [_recording(number) for number in range(1, CHAIN + 1)], actor)
    await client.post("/api/v1/assets/1/versions", files={"file": ("a.txt", b"second")})
    return client


def _recording(number: int) -> Recording:
    """Return the take of a segment, which continues the last frame of the previous segment."""
    if number == 1:
        lines = (ClaimInput(role=InputRole.PROMPT, asset=1, version=1),)
    else:
        lines = (ClaimInput(role=InputRole.SEED_FRAME, digest=_digest("frame", number - 1), part="last_frame"),)
    claim = Claim(
        inputs=lines,
        parameters=Parameters(prompt="rain", seed=str(number), cfg=4.0, width=64, height=64, frames=4),
        engine=ClaimEngine(name="other", version="1"),
        evidence=Evidence.RECORDED,
    )
    outputs = {
        part: Output(digest=_digest(kind, number), size_bytes=1)
        for part, kind in (("video", "video"), ("last_frame", "frame"))
    }
    uploaded = {part: output.digest for part, output in outputs.items()}
    return Recording(number, claim, Parts(outputs, uploaded=uploaded))


def _digest(kind: str, number: int) -> str:
    return digest_of(f"{kind} {number}".encode())


async def test_a_page_of_a_long_chain_is_at_most_a_megabyte(chain: httpx.AsyncClient) -> None:
    first = await chain.get("/api/v1/projects/1/segments", params={"state": "stale", "limit": 500})
    second = await chain.get(
        "/api/v1/projects/1/segments", params={"state": "stale", "limit": 500, "cursor": first.json()["next"]}
    )
    for page in (first, second):
        assert len(page.json()["items"]) == 500
        assert page.json()["total"] == CHAIN
        assert len(page.content) <= 2**20
    assert second.json()["next"] is None
    last = second.json()["items"][-1]["causes"][0]
    assert (len(last["path"]), last["path_total"]) == (6, CHAIN + 1)


async def test_the_rest_of_a_path_is_on_further_pages(chain: httpx.AsyncClient) -> None:
    cause = (await get(chain, f"/segments/{CHAIN}"))["causes"][0]
    steps: list[Any] = cause["path"]
    url = cause["path_rest"]
    while url is not None:
        page = (await chain.get(url)).json()
        assert page["total"] == CHAIN + 1
        steps += page["items"]
        url = page["next"] and f"/api/v1/segments/{CHAIN}/path?root=asset-1-1-2&limit=500&cursor={page['next']}"
    assert steps[0] == {"type": "version", "id": 1, "number": 1, "name": "tone"}
    assert [step["id"] for step in steps[1:]] == list(range(1, CHAIN + 1))


async def test_a_path_of_a_root_that_a_segment_does_not_have_is_not_found(chain: httpx.AsyncClient) -> None:
    for root in ("chain", "asset-1-2-1", "unmatched-1"):
        answer = await chain.get("/api/v1/segments/5/path", params={"root": root})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), answer.text


async def test_events_of_staleness_carry_counts_and_the_report(chain: httpx.AsyncClient) -> None:
    events = (await get(chain, "/events"))["items"]
    (detected,) = [event for event in events if event["verb"] == "staleness.detected"]
    assert detected["data"]["segments"] == CHAIN
    assert detected["data"]["groups"] == 1
    assert "sentences" not in detected["data"]
    answer = await chain.get(detected["data"]["report"])
    assert answer.json()["totals"] == detected["data"]["totals"]


async def test_the_groups_of_a_what_if_come_in_pages(client: httpx.AsyncClient) -> None:
    await client.post("/api/v1/projects", json={"slug": "film", "name": "Film"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "night"})
    await client.post("/api/v1/scenes/1/segments", json={"count": 3, "chained": False})
    await client.post("/api/v1/assets", json={"kind": "prompt", "name": "tone"})
    for content in (b"first", b"second", b"third", b"fourth"):
        await client.post("/api/v1/assets/1/versions", files={"file": ("a.txt", content)})
    await client.post("/api/v1/assets", json={"kind": "model", "name": "any"})
    await client.post("/api/v1/assets/2/versions", files={"file": ("m.bin", b"model")})
    for segment in (1, 2, 3):
        await record(client, segment, [{"role": "prompt", "asset": 1, "version": segment}], seed="1")
    groups: list[str] = []
    params: dict[str, Any] = {"version": 1, "project_id": 1, "limit": 1}
    while True:
        (project,) = (await client.get("/api/v1/assets/1/impact", params=params)).json()["projects"]
        groups += [group["id"] for group in project["groups"]]
        if project["next"] is None:
            break
        params["cursor"] = project["next"]
    assert groups == ["unmatched-2", "asset-1-2-1", "asset-1-3-1"]
    assert project["total"] == 3
    refused = await client.get("/api/v1/assets/1/impact", params={"version": 1, "cursor": params["cursor"]})
    assert refused.status_code == 422


async def test_an_archived_segment_keeps_its_state_and_takes(chain: httpx.AsyncClient) -> None:
    before = await get(chain, "/segments/1")
    await chain.post("/api/v1/segments/1/archive")
    alone = await get(chain, "/segments/1")
    assert (alone["archived"], alone["state"], before["state"]) == (True, "stale", "stale")
    assert alone["selected_take"] == before["selected_take"]
    assert alone["selected_take"]["selected"]
    provenance = await get(chain, "/segments/1/provenance")
    assert provenance["receipt"]["id"] == before["selected_take"]["receipt_id"]
    assert [cause["kind"] for cause in provenance["causes"]] == ["superseded"]
    report = await get(chain, "/projects/1/staleness-report")
    assert report["totals"]["segments"] == 0


async def test_the_pins_of_a_project_come_in_pages_and_a_segment_has_the_first(client: httpx.AsyncClient) -> None:
    await client.post("/api/v1/projects", json={"slug": "film", "name": "Film"})
    for scene in ("night", "day"):
        await client.post("/api/v1/projects/1/scenes", json={"name": scene})
    await client.post("/api/v1/scenes/1/segments", json={"count": 2})
    await client.post("/api/v1/scenes/2/segments", json={"count": 1})
    for asset in range(1, 8):
        await client.post("/api/v1/assets", json={"kind": "prompt", "name": f"tone {asset}"})
        await client.post(f"/api/v1/assets/{asset}/versions", files={"file": ("a.txt", f"tone {asset}".encode())})
        place = "projects/1" if asset < 6 else "scenes/1"
        answer = await client.put(f"/api/v1/{place}/pins/{asset}", json={"version": 1, "reason": "as it was"})
        assert answer.status_code == 200, answer.text
    await client.put("/api/v1/scenes/2/pins/1", json={"version": 1, "reason": "as it was"})

    async def pages(**filters: int) -> tuple[list[tuple[int | None, int]], set[int]]:
        pins: list[tuple[int | None, int]] = []
        totals: set[int] = set()
        cursor: dict[str, str] = {}
        while True:
            page = (await client.get("/api/v1/projects/1/pins", params={"limit": 3, **filters, **cursor})).json()
            pins += [(pin["scene_id"], pin["asset_id"]) for pin in page["items"]]
            totals.add(page["total"])
            if page["next"] is None:
                return pins, totals
            cursor = {"cursor": page["next"]}

    of_project: list[tuple[int | None, int]] = [(None, asset) for asset in range(1, 6)]
    assert await pages() == ([*of_project, (1, 6), (1, 7), (2, 1)], {8})
    assert await pages(scene_id=1) == ([*of_project, (1, 6), (1, 7)], {7})
    assert await pages(scene_id=2, asset_id=1) == ([(None, 1), (2, 1)], {2})
    segments = (await get(client, "/projects/1/segments"))["items"]
    assert [len(segment["pins"]) for segment in segments] == [5, 5, 5]
    assert [segment["pins_total"] for segment in segments] == [7, 7, 6]
