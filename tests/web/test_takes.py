"""External takes are recorded over HTTP: once, with their parts, and can be searched."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.web.test_problems import problem

from genlock.blobs.disk import DiskStore
from genlock.digest import digest_of
from genlock.engines.media import encode_video


def video(folder: Path, shade: int = 90) -> bytes:
    """Return a video of four small frames of one colour."""
    path = folder / f"{shade}.mp4"
    encode_video(path, [np.full((32, 32, 3), shade, np.uint8)] * 4, 8)
    return path.read_bytes()


@pytest.fixture
async def scene(client: httpx.AsyncClient) -> dict[str, int]:
    """Create a scene of three chained segments, and an asset with one version."""
    await client.post("/api/v1/projects", json={"slug": "rooftop", "name": "Rooftop"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "night"})
    created = await client.post("/api/v1/scenes/1/segments", json={"count": 3})
    assert [segment["position"] for segment in created.json()["items"]] == [1, 2, 3]
    asset = await client.post("/api/v1/assets", json={"kind": "prompt", "name": "rain"})
    await client.post(f"/api/v1/assets/{asset.json()['id']}/versions", files={"file": ("rain.txt", b"rain v1")})
    return {"segment": created.json()["items"][0]["id"], "asset": asset.json()["id"]}


def claim(**more: Any) -> dict[str, Any]:
    return {
        "inputs": [{"role": "prompt", "asset": "prompt:rain", "version": 1}],
        "parameters": {"prompt": "a wet roof", "seed": "18446744073709551615", "cfg": 5.0},
        "engine": {"name": "diffusers", "version": "1"},
        **more,
    }


async def record(
    client: httpx.AsyncClient, segment: int, claim_or_text: Any, parts: dict[str, bytes], **query: Any
) -> Any:
    text = claim_or_text if isinstance(claim_or_text, str) else json.dumps(claim_or_text)
    files: list[Any] = [("claim", (None, text)), *((name, (name, content)) for name, content in parts.items())]
    return await client.post(f"/api/v1/segments/{segment}/takes", files=files, params=query)


@pytest.mark.parametrize("part", ["video", "last_frame", "thumbnail"])
async def test_a_part_without_bytes_is_refused_and_nothing_is_recorded(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path, part: str
) -> None:
    parts = {"video": video(tmp_path), part: b""}
    problem(await record(client, scene["segment"], claim(), parts), 422, "empty_file")
    takes = await client.get(f"/api/v1/segments/{scene['segment']}/takes")
    assert takes.json()["items"] == []


async def test_a_recorded_take_is_found_in_every_query(
    client: httpx.AsyncClient, scene: dict[str, int], store: DiskStore, tmp_path: Path
) -> None:
    content = video(tmp_path)
    answer = await record(client, scene["segment"], claim(), {"video": content})
    assert answer.status_code == 201, answer.text
    take, receipt = answer.json()["take"], answer.json()["receipt"]
    assert (take["number"], take["selected"], take["outputs"]["video"]) == (1, True, digest_of(content))
    assert set(take["outputs"]) == {"video", "frames", "last_frame"}, "what a chain needs was decoded"
    assert store.read_verified(take["outputs"]["last_frame"]).startswith(b"\x89PNG")
    outputs = receipt["document"]["outputs"]
    assert outputs["video"] == {"digest": digest_of(content), "media_type": "video/mp4", "size_bytes": len(content)}
    document = await client.get(f"/api/v1/receipts/{receipt['id']}/document")
    assert digest_of(document.content) == receipt["receipt_digest"]
    assert document.json()["parameters"]["seed"] == "18446744073709551615"

    provenance = (await client.get(f"/api/v1/segments/{scene['segment']}/provenance")).json()
    assert (provenance["segment"]["id"], provenance["take"], provenance["receipt"]) == (scene["segment"], take, receipt)
    usage = (await client.get(f"/api/v1/assets/{scene['asset']}/usage", params={"version": 1})).json()
    assert (usage["total"], usage["items"][0]["take_id"]) == (1, take["id"])
    assert usage["items"][0]["uses"][0]["role"] == "prompt"
    assert usage["items"][0]["state"] == provenance["state"]
    for query in ({"seed": "18446744073709551615"}, {"prompt": "roof"}, {"output": digest_of(content)}):
        matches = (await client.get("/api/v1/receipts", params=query)).json()["items"]
        assert [line["id"] for line in matches] == [receipt["id"]], query
    asset = (await client.get(f"/api/v1/assets/{scene['asset']}")).json()
    assert asset["used_by"] == {"segments": 1, "stale": 0}
    await client.post(f"/api/v1/assets/{scene['asset']}/versions", files={"file": ("rain.txt", b"rain v2")})
    asset = (await client.get(f"/api/v1/assets/{scene['asset']}")).json()
    assert asset["used_by"] == {"segments": 1, "stale": 1}
    version = (await client.get(f"/api/v1/assets/{scene['asset']}/versions/2")).json()
    assert version["used_by"] == {"segments": 0, "stale": 0}
    blob = await client.get(f"/api/v1/blobs/{take['outputs']['video']}")
    assert (blob.headers["content-type"], blob.content) == ("video/mp4", content)


async def test_the_same_claim_with_the_same_parts_is_the_same_take(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path
) -> None:
    first = await record(client, scene["segment"], claim(), {"video": video(tmp_path)})
    again = await record(client, scene["segment"], claim(), {"video": video(tmp_path)})
    assert again.status_code == 200
    assert (again.json()["take"], again.json()["receipt"]) == (first.json()["take"], first.json()["receipt"])
    other = await record(client, scene["segment"], claim(), {"video": video(tmp_path, 200)})
    assert (other.status_code, other.json()["take"]["number"]) == (201, 2)


async def test_concurrent_equal_claims_are_one_take(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path
) -> None:
    content = video(tmp_path)
    answers = await asyncio.gather(*(record(client, scene["segment"], claim(), {"video": content}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["receipt"]["id"] for answer in answers}) == 1
    assert (await client.get(f"/api/v1/segments/{scene['segment']}/takes")).json()["total"] == 1


async def test_another_take_is_selected_unless_the_request_declines(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path
) -> None:
    segment = scene["segment"]
    await record(client, segment, claim(), {"video": video(tmp_path)})
    second = await record(client, segment, claim(note="second"), {"video": video(tmp_path)}, select="false")
    assert second.json()["take"]["selected"] is False
    selected = await client.post(f"/api/v1/segments/{segment}/select", json={"take": 2})
    assert (selected.status_code, selected.json()["number"], selected.json()["selected"]) == (200, 2, True)
    problem(await client.post(f"/api/v1/segments/{segment}/select", json={"take": 3}), 404, "not_found")


async def test_two_receipts_are_compared(client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path) -> None:
    first = await record(client, scene["segment"], claim(), {"video": video(tmp_path)})
    other_claim = claim(parameters={"prompt": "a dry roof", "seed": "1"})
    second = await record(client, scene["segment"], other_claim, {"video": video(tmp_path)})
    ids = [answer.json()["receipt"]["id"] for answer in (first, second)]
    difference = (await client.get(f"/api/v1/receipts/{ids[0]}/diff/{ids[1]}")).json()
    assert {change["name"] for change in difference["parameters"]} >= {"prompt", "seed", "cfg"}
    problem(await client.get(f"/api/v1/receipts/{ids[0]}/diff/404"), 404, "not_found")


async def test_an_unknown_digest_is_recorded_as_unmatched(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path
) -> None:
    unmatched_claim = claim(inputs=[{"role": "prompt", "asset": scene["asset"], "digest": digest_of(b"overwritten")}])
    assert (await record(client, scene["segment"], unmatched_claim, {"video": video(tmp_path)})).status_code == 201
    report = (await client.get("/api/v1/projects/1/staleness-report")).json()
    assert (report["totals"]["unmatched"], report["groups"][0]["kind"]) == (1, "unmatched")
    group = report["groups"][0]["id"]
    members = (await client.get(f"/api/v1/projects/1/staleness-report/groups/{group}/segments")).json()
    assert members["items"][0]["causes"][0]["kind"] == "unmatched"


@pytest.mark.parametrize(
    "invalid_claim",
    [
        claim(inputs=[{"role": "lora", "asset": 404}]),
        claim(inputs=[{"role": "prompt", "asset": "prompt:snow"}]),
        claim(inputs=[{"role": "prompt", "asset": "prompt:rain", "version": 2}]),
        claim(inputs=[{"role": "hat"}]),
        claim(inputs=[{"role": "lora", "name": "x", "strength_model": float("nan")}]),
        claim(inputs=[{"role": "lora", "name": "x", "strength_model": float("inf")}]),
        claim(inputs=[{"role": "lora", "ordinal": 0, "name": "a"}, {"role": "lora", "ordinal": 0, "name": "b"}]),
        claim(parameters={"seed": 42}),
        claim(parameters={"seed": "-1"}),
        claim(parameters={"seed": "18446744073709551616"}),
        claim(parameters={"seed": "1e3"}),
        claim(parameters={"seed": "007"}),
        claim(parameters={"prompt": "a\x00b"}),
        claim(engine={}),
        claim(colour="red"),
        claim(outputs={"video": digest_of(b"never stored")}),
        "{",
        "[]",
        "null",
        '{"engine": {"name": "a"}, "parameters": {"x": 1e999}}',
        '{"engine": {"name": "\\ud800"}}',
    ],
    ids=lambda invalid_claim: str(invalid_claim)[:60],
)
async def test_an_invalid_claim_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, scene: dict[str, int], invalid_claim: Any
) -> None:
    answer = await record(client, scene["segment"], invalid_claim, {})
    assert answer.status_code == 422, answer.text
    assert answer.json()["hint"]
    assert (await client.get(f"/api/v1/segments/{scene['segment']}/takes")).json()["total"] == 0
    assert (await client.get("/api/v1/receipts")).json()["items"] == []


async def test_a_damaged_video_is_refused_and_an_unknown_format_stored(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path
) -> None:
    whole = video(tmp_path)
    problem(await record(client, scene["segment"], claim(), {"video": whole[: len(whole) // 2]}), 422, "not_a_video")
    answer = await record(client, scene["segment"], claim(), {"video": b"a form of its own"})
    assert answer.status_code == 201
    assert set(answer.json()["take"]["outputs"]) == {"video"}


async def test_a_batch_is_recorded_completely_or_not_at_all(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path
) -> None:
    stored = await record(client, scene["segment"], claim(), {"video": video(tmp_path)})
    outputs = {"video": stored.json()["take"]["outputs"]["video"]}
    takes = [{"segment_id": scene["segment"] + n % 3, "claim": claim(outputs=outputs, note=str(n))} for n in range(60)]
    lost = {"segment_id": scene["segment"], "claim": claim(outputs={"video": digest_of(b"lost")})}
    problem(await client.post("/api/v1/takes:batch", json={"takes": [*takes, lost]}), 422, "not_stored")
    problem(
        await client.post("/api/v1/takes:batch", json={"takes": [*takes, {**takes[0], "segment_id": 99}]}),
        404,
        "not_found",
    )
    assert len((await client.get("/api/v1/receipts")).json()["items"]) == 1
    answer = await client.post("/api/v1/takes:batch", json={"takes": takes})
    assert answer.status_code == 201, answer.text
    assert [item["segment_id"] for item in answer.json()["items"]] == [take["segment_id"] for take in takes]
    again = await client.post("/api/v1/takes:batch", json={"takes": takes})
    ids = [[item["receipt_id"] for item in batch.json()["items"]] for batch in (answer, again)]
    assert ids[0] == ids[1]
    assert not any(item["created"] for item in again.json()["items"])
    problem(await client.post("/api/v1/takes:batch", json={"takes": takes * 17}), 422, "invalid")


async def test_a_graph_is_stored_as_it_was_submitted(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path
) -> None:
    graph = {"3": {"class_type": "KSampler", "inputs": {"seed": 1.0, "steps": 20}}}
    answer = await record(client, scene["segment"], claim(graph=graph), {"video": video(tmp_path)})
    digest = answer.json()["receipt"]["document"]["graph"]
    assert json.loads((await client.get(f"/api/v1/blobs/{digest}")).content) == graph
    assert (await client.get("/api/v1/receipts", params={"digest": digest})).json()["items"]


async def test_a_missing_segment_is_refused_before_the_upload(client: httpx.AsyncClient) -> None:
    problem(await record(client, 404, claim(), {"video": b"x"}), 404, "not_found")


async def test_concurrent_uploads_under_one_key_are_done_once(
    client: httpx.AsyncClient, scene: dict[str, int], tmp_path: Path
) -> None:
    url, content, key = f"/api/v1/segments/{scene['segment']}/takes", video(tmp_path), {"Idempotency-Key": "one"}

    async def send() -> httpx.Response:
        files: list[Any] = [("claim", (None, json.dumps(claim()))), ("video", ("video", content))]
        return await client.post(url, files=files, headers=key)

    answers = await asyncio.gather(*(send() for _ in range(6)))
    done = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409} and done
    assert len({answer.content for answer in done}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in done) == 1
    assert (await send()).content == done[0].content
    assert (await client.get(url)).json()["total"] == 1


async def test_a_segment_is_found_by_its_position(client: httpx.AsyncClient, scene: dict[str, int]) -> None:
    url = "/api/v1/projects/1/segments"
    page = (await client.get(url, params={"scene_id": 1, "position": 2})).json()
    assert ([segment["position"] for segment in page["items"]], page["total"], page["next"]) == ([2], 1, None)
    assert (await client.get(url, params={"scene_id": 1, "position": 4})).json()["items"] == []
    problem(await client.get(url, params={"position": 2}), 422, "invalid")
    problem(await client.get(url, params={"scene_id": 1, "position": 2, "q": "seg"}), 422, "invalid")
    await client.post("/api/v1/projects", json={"slug": "other", "name": "Other"})
    elsewhere = await client.get("/api/v1/projects/2/segments", params={"scene_id": 1, "position": 2})
    assert elsewhere.json()["items"] == []
    await client.post(f"/api/v1/segments/{scene['segment']}/archive")
    shifted = (await client.get(url, params={"scene_id": 1, "position": 1})).json()["items"]
    assert [segment["id"] for segment in shifted] == [page["items"][0]["id"]], "positions close up"
    await client.post("/api/v1/scenes/1/archive")
    assert (await client.get(url, params={"scene_id": 1, "position": 1})).json()["items"] == []


async def test_the_answer_of_recording_equals_the_later_answer(
    client: httpx.AsyncClient, scene: dict[str, int]
) -> None:
    sent_claim = claim(parameters={"prompt": "é", "seed": "7", "cfg": 5.0, "shift": 1e-7}, observed={"duration_s": 3.0})
    recorded = await record(client, scene["segment"], sent_claim, {})
    again = await record(client, scene["segment"], sent_claim, {})
    assert (recorded.status_code, again.status_code) == (201, 200)
    assert recorded.json() | {"created": False} == again.json()
    assert recorded.text.replace('"created":true', '"created":false') == again.text
