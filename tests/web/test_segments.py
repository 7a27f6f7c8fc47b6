"""A segment is the same in a list and alone, except for its takes, which are only returned for a single segment."""

import json
from typing import Any

import httpx
import pytest


@pytest.fixture
async def film(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Create two scenes of two segments; a take without a seed in the first, which the second continues; two pins."""
    await client.post("/api/v1/projects", json={"slug": "film", "name": "Film"})
    for name in ("night", "day"):
        scene = (await client.post("/api/v1/projects/1/scenes", json={"name": name})).json()
        await client.post(f"/api/v1/scenes/{scene['id']}/segments", json={"count": 2})
    for name in ("tone", "voice"):
        asset = (await client.post("/api/v1/assets", json={"kind": "prompt", "name": name})).json()
        for content in (b"one", b"two"):
            await client.post(f"/api/v1/assets/{asset['id']}/versions", files={"file": ("a.txt", content)})
    for place in ("projects/1/pins/1", "scenes/1/pins/2"):
        await client.put(f"/api/v1/{place}", json={"version": 1, "reason": "locked"})
    first = await record(client, 1, [{"role": "prompt", "asset": 1, "version": 2}], seed=None)
    await record(client, 2, [{"role": "seed_frame", "take": first["id"], "part": "last_frame"}], seed="1")
    return client


async def record(client: httpx.AsyncClient, segment: int, inputs: list[dict[str, Any]], seed: str | None) -> Any:
    claim: dict[str, Any] = {
        "inputs": [*inputs, {"role": "model", "digest": f"sha256:{'0' * 64}", "asset": 2}],
        "parameters": {"prompt": "", "seed": seed, "cfg": 4, "width": 64, "height": 64, "frames": 4},
        "graph": {"1": {"class_type": "Any", "inputs": {}}},
        "engine": {"name": "diffusers", "version": "1"},
    }
    parts = [
        ("claim", (None, json.dumps(claim))),
        ("video", ("take.bin", b"a video")),
        ("last_frame", ("last.bin", b"a frame")),
    ]
    answer = await client.post(f"/api/v1/segments/{segment}/takes", files=parts)
    assert answer.status_code == 201, answer.text
    return answer.json()["take"]


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"/api/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_list_contains_each_segment_as_it_is_alone(film: httpx.AsyncClient) -> None:
    listed = (await get(film, "/projects/1/segments"))["items"]
    alone = [await get(film, f"/segments/{segment['id']}") for segment in listed]
    assert [len(segment["takes"]) for segment in alone] == [1, 1, 0, 0]
    assert [segment["takes_total"] for segment in alone] == [1, 1, 0, 0]
    assert listed == [{**segment, "takes": [], "takes_total": None} for segment in alone]
    assert [[pin["name"] for pin in segment["pins"]] for segment in listed] == [["tone", "voice"]] * 2 + [["tone"]] * 2
    (group,) = (await get(film, "/projects/1/staleness-report"))["groups"][:1]
    grouped = (await get(film, f"/projects/1/staleness-report/groups/{group['id']}/segments"))["items"]
    assert grouped
    assert all(segment in listed for segment in grouped)


async def test_a_list_has_the_reason_of_unknown_segments(film: httpx.AsyncClient) -> None:
    await film.post("/api/v1/waivers", json={"project_id": 1, "asset_id": 1, "reason": "fine"})
    await film.post("/api/v1/waivers", json={"project_id": 1, "asset_id": 2, "reason": "fine"})
    listed = (await get(film, "/projects/1/segments?state=unknown"))["items"]
    assert [(segment["id"], segment["unknown_because"]) for segment in listed] == [
        (1, ["missing: seed"]),
        (2, ["upstream"]),
    ]
