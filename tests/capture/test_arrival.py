"""The outcome of captured runs: takes with receipts, the inbox, and runs without an output."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.capture.files import apng, gif, png
from tests.capture.runs import digest, files, graph, run_record, send, video

from genlock.digest import digest_of
from genlock.engines.media import frames_digest


async def captured(client: httpx.AsyncClient, record: dict[str, Any], *contents: bytes) -> dict[str, Any]:
    answer = await send(client, record, *contents)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"/api/v1/{path}")
    assert answer.is_success, answer.text
    return answer.json()


async def test_a_run_whose_prefix_names_a_segment_is_a_take_with_a_complete_receipt(rooftop: httpx.AsyncClient) -> None:
    content = video()
    result = await captured(rooftop, run_record(content), content)
    assert (result["capture"]["state"], result["warnings"]) == ("recorded", [])
    provenance = await get(rooftop, "segments/1/provenance")
    assert (provenance["state"], provenance["take"]["evidence"]) == ("unknown", "recorded"), (
        "the picture is not registered"
    )
    assert provenance["take"]["missing"] == ["negative_prompt"] or provenance["take"]["missing"] == []
    document = provenance["receipt"]["document"]
    assert provenance["receipt"]["id"] == result["capture"]["receipt_id"]
    assert document["parameters"]["prompt"] == "she walks through the rain", "the text that reached the node"
    assert document["parameters"]["seed"] == "42"
    assert document["observed"]["per_node_s"] == {"6": 1.25}
    assert document["engine"] == {
        "name": "comfyui",
        "version": "0.3.75",
        "environment": {"comfyui": "0.3.75", "torch": "2.13.0"},
    }
    used = {line["role"]: (line["name"], line["digest"]) for line in document["inputs"]}
    assert used == {
        "model": ("wan", digest("wan.safetensors v1")),
        "lora": ("rain", digest("rain.safetensors v1")),
        "source_image": ("portrait.png", digest("portrait.png v1")),
    }
    stored = await rooftop.get(f"/api/v1/blobs/{document['graph']}")
    assert stored.json() == graph()


@pytest.mark.parametrize("has_words", [True, False])
async def test_the_lora_of_a_language_model_is_not_the_pictures_lora(
    rooftop: httpx.AsyncClient, has_words: bool
) -> None:
    """Where the words that it wrote are recorded, they are what made the picture; else it is an input as well."""
    content = video()
    record = run_record(content)
    record["resolved"] = record["resolved"] if has_words else {}
    record["graph"]["3"]["inputs"]["text"] = ["21", 0]
    record["graph"]["20"] = {
        "class_type": "LoraLoader",
        "inputs": {"model": ["1", 0], "clip": ["1", 1], "lora_name": "writer.safetensors", "strength_model": 1.0},
    }
    record["graph"]["21"] = {"class_type": "TextGenerate", "inputs": {"clip": ["20", 1], "prompt": "walk"}}
    loaded = {"node": "20", "input": "lora_name", "category": "loras", "name": "writer.safetensors", "size_bytes": 100}
    record["files"] += [{**loaded, "digest": digest("writer v1")}]
    capture = (await captured(rooftop, record, content))["capture"]
    document = (await get(rooftop, f"receipts/{capture['receipt_id']}"))["document"]
    assert document["parameters"].get("prompt") == ("she walks through the rain" if has_words else None)
    used = {(line["role"], line["name"]): line.get("version") for line in document["inputs"]}
    writer = {} if has_words else {("other", "writer"): 1}
    assert used == {("model", "wan"): 1, ("lora", "rain"): 1, ("source_image", "portrait.png"): None} | writer
    kinds = [asset["kind"] for asset in (await get(rooftop, "assets"))["items"] if asset["name"] == "writer"]
    assert kinds == ["lora"], "with its asset, whatever the role of the input"
    provenance = await get(rooftop, "segments/1/provenance")
    assert provenance["take"]["unregistered"] == ["source_image[0]"]


async def test_an_animated_png_is_a_video_and_a_first_frame_next_to_a_video_is_not(
    rooftop: httpx.AsyncClient, tmp_path: Path
) -> None:
    """SaveAnimatedPNG names its files like SaveImage; other savers write a PNG with the graph next to their video."""
    first_frame = png(tmp_path / "a.png", {}).read_bytes()
    for number, moving in enumerate((apng(tmp_path / "b.png", {}), gif(tmp_path / "b.gif")), 1):
        contents = {"image/png": first_frame, f"image/{moving.suffix[1:]} moving": moving.read_bytes()}
        outputs = [
            {
                **{"node": "8", "filename": f"walk_{place:05}_.x", "media_type": media_type.partition(" ")[0]},
                **{"digest": digest_of(content), "size_bytes": len(content)},
            }
            for place, (media_type, content) in enumerate(contents.items())
        ]
        place = {"project": "rooftop", "scene": "night", "segment": str(number)}
        result = await captured(rooftop, run_record(outputs=outputs, place=place), *contents.values())
        assert result["capture"]["state"] == "recorded", result["capture"]["why"]
        document = (await get(rooftop, f"receipts/{result['capture']['receipt_id']}"))["document"]
        assert document["outputs"]["video"]["digest"] == digest_of(moving.read_bytes())
        assert document["outputs"]["frames"]["digest"] == frames_digest(moving)


async def test_a_run_that_genlock_rendered_itself_makes_no_second_take(rooftop: httpx.AsyncClient) -> None:
    content = video()
    for status in ("success", "error"):
        result = await captured(rooftop, run_record(content, rendered_by_genlock=True, status=status), content)
        assert (result["capture"]["state"], result["warnings"]) == ("dismissed", [])
        assert result["capture"]["why"] == "Genlock rendered this itself, and its worker records the receipt."
    assert (await get(rooftop, "segments/1/takes"))["items"] == []
    assert (await get(rooftop, "assets"))["items"] == []


async def test_a_run_that_is_sent_repeatedly_is_ingested_once(rooftop: httpx.AsyncClient) -> None:
    content = video()
    record = run_record(content)
    answers = await asyncio.gather(*(send(rooftop, record, content) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers).count(201) == 1
    again = await send(rooftop, record, content)
    assert again.status_code == 200
    assert (await get(rooftop, "captures?state=all"))["items"] == [again.json()["capture"]]
    assert len((await get(rooftop, "segments/1/takes"))["items"]) == 1


async def test_a_node_in_the_graph_wins_over_the_prefix_and_is_no_part_of_the_workflow(
    rooftop: httpx.AsyncClient,
) -> None:
    created = await rooftop.post("/api/v1/assets", json={"kind": "workflow", "name": "walk"})
    await rooftop.post(
        f"/api/v1/assets/{created.json()['id']}/versions",
        files={"file": ("walk.json", json.dumps(graph(7)).encode())},
    )
    place = {"project": "rooftop", "scene": "night", "segment": "2"}
    content = video()
    record = run_record(content, place=place)
    record["graph"]["9"] = {"class_type": "GenlockPlace", "inputs": place}
    assert (await captured(rooftop, record, content))["capture"]["segment_id"] == 2
    inputs = (await get(rooftop, "segments/2/provenance"))["receipt"]["document"]["inputs"]
    assert [(line["name"], line["version"]) for line in inputs if line["role"] == "workflow"] == [("walk", 1)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"outputs": []}, "does not say which segment"),
        ({"place": {"project": "rooftop", "scene": "night", "segment": "9"}}, "no segment rooftop/night/9"),
        ({"place": {"project": "cellar", "scene": "night", "segment": "1"}}, "no segment cellar/night/1"),
        ({"graph": {"1": {"class_type": "UNETLoader", "inputs": {"unet_name": ["9", 0]}}}}, "not there"),
        ({"graph": {}}, ""),
    ],
    ids=["nothing said", "no such segment", "no such project", "no graph", "empty"],
)
async def test_a_run_without_a_segment_waits_in_the_inbox_with_the_reason(
    rooftop: httpx.AsyncClient, changes: dict[str, Any], why: str
) -> None:
    content = video()
    sent = [] if changes.get("outputs") == [] else [content]
    result = await captured(rooftop, run_record(content, **changes), *sent)
    assert (result["capture"]["state"], result["capture"]["receipt_id"]) == ("inbox", None)
    assert why in result["capture"]["why"]
    assert (await get(rooftop, "captures"))["items"] == [result["capture"]]


async def test_a_run_names_its_segment_as_an_import_does(rooftop: httpx.AsyncClient) -> None:
    """By its current position, unless a segment has that number as its name."""

    async def segment_of(name: str, shade: int) -> int:
        content = video(shade)
        record = run_record(content, place={"project": "rooftop", "scene": "night", "segment": name})
        return (await captured(rooftop, record, content))["capture"]["segment_id"]

    await rooftop.patch("/api/v1/segments/3", json={"position": 1})
    assert [await segment_of("1", 10), await segment_of("02", 20)] == [3, 1]
    await rooftop.patch("/api/v1/segments/2", json={"name": "01"})
    assert await segment_of("1", 30) == 2


async def test_a_run_from_the_inbox_is_assigned_once(rooftop: httpx.AsyncClient) -> None:
    content = video()
    record = run_record(content)
    record["outputs"][0]["subfolder"] = ""
    capture = (await captured(rooftop, record, content))["capture"]
    path = f"/api/v1/captures/{capture['id']}"
    assert (await rooftop.post(f"{path}/assign", json={"segment_id": 404})).status_code == 404
    assert (await get(rooftop, f"captures/{capture['id']}"))["record"]["graph"] == record["graph"]
    assert (await rooftop.delete(path)).json()["state"] == "dismissed"
    answers = await asyncio.gather(
        *(rooftop.post(f"{path}/assign", json={"segment_id": 3, "select": False}) for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    segment = await get(rooftop, "segments/3")
    assert ([take["number"] for take in segment["takes"]], segment["selected_take"]) == ([1], None)
    assert (await rooftop.delete(path)).status_code == 409, "a take stays"


async def test_runs_without_an_output_do_not_become_takes(rooftop: httpx.AsyncClient) -> None:
    content = video()
    first = await captured(rooftop, run_record(content), content)
    error = {"node": "6", "type": "KSampler", "message": "mat1 and mat2"}
    failed = await captured(rooftop, run_record(status="error", error=error))
    assert failed["capture"]["why"] == "It failed at node 6 (KSampler): mat1 and mat2"
    stopped = await captured(rooftop, run_record(status="interrupted", error={"node": "6", "type": "KSampler"}))
    assert stopped["capture"]["state"] == "failed"
    repeated = await captured(rooftop, run_record(content, cached_nodes=list(graph())))
    assert repeated["capture"]["state"] == "repeated"
    assert repeated["capture"]["receipt_id"] == first["capture"]["receipt_id"]
    silent = await captured(rooftop, run_record(cached_nodes=list(graph())))
    assert silent["capture"]["receipt_id"] == first["capture"]["receipt_id"], "found by its graph"
    for result in (failed, stopped, repeated):
        path = f"/api/v1/captures/{result['capture']['id']}/assign"
        assert (await rooftop.post(path, json={"segment_id": 1})).status_code == 409
    assert len((await get(rooftop, "segments/1/takes"))["items"]) == 1


async def test_unregistered_weights_become_unmanaged_assets_with_versions(rooftop: httpx.AsyncClient) -> None:
    first, second, third = video(60), video(90), video(120)
    await captured(rooftop, run_record(first), first)
    kinds = {(asset["kind"], asset["name"]): asset for asset in (await get(rooftop, "assets"))["items"]}
    assert set(kinds) == {("model", "wan"), ("lora", "rain")}
    version = await get(rooftop, f"assets/{kinds['lora', 'rain']['id']}/versions/1")
    assert version["details"] == {"unmanaged": True}
    assert (version["digest"], version["size_bytes"]) == (digest("rain.safetensors v1"), 100)
    gone = await rooftop.get(f"/api/v1/assets/{kinds['lora', 'rain']['id']}/versions/1/content")
    assert gone.status_code == 404, "the bytes are not here"

    record = run_record(second, files=files(lora_name="v2"))
    record["outputs"][0]["filename"] = "2_00001_.mp4"
    assert (await captured(rooftop, record, second))["warnings"] == []
    assert (await get(rooftop, f"assets/{kinds['lora', 'rain']['id']}"))["active_version"] == 2
    assert (await get(rooftop, "segments/1"))["state"] == "stale", "it was made with v1"

    record = run_record(third)
    record["outputs"][0]["filename"] = "3_00001_.mp4"
    stale = await captured(rooftop, record, third)
    assert stale["warnings"] == ["lora rain: this run used v1, v2 is active"]
    assert (await get(rooftop, "segments/3"))["state"] == "stale"


async def test_bytes_under_the_name_of_a_registered_asset_are_unmatched(rooftop: httpx.AsyncClient) -> None:
    created = (await rooftop.post("/api/v1/assets", json={"kind": "lora", "name": "rain"})).json()
    await rooftop.post(f"/api/v1/assets/{created['id']}/versions", files={"file": ("rain.ckpt", b"registered")})
    content = video()
    await captured(rooftop, run_record(content), content)
    provenance = await get(rooftop, "segments/1/provenance")
    assert [cause["kind"] for cause in provenance["causes"]] == ["unmatched"]
    assert (await get(rooftop, f"assets/{created['id']}"))["versions_total"] == 1


async def test_an_unknown_digest_is_missing_and_not_guessed(rooftop: httpx.AsyncClient) -> None:
    content, other = video(60), video(90)
    await captured(rooftop, run_record(content), content)
    record = run_record(other, files=files(lora_name=None))
    record["outputs"][0]["filename"] = "2_00001_.mp4"
    await captured(rooftop, record, other)
    provenance = await get(rooftop, "segments/2/provenance")
    lora = next(line for line in provenance["receipt"]["document"]["inputs"] if line["role"] == "lora")
    assert "digest" not in lora
    assert "lora[0].digest" in provenance["take"]["missing"]
    assert provenance["state"] == "unknown"


async def test_seeds_of_64_bits_stay_exact(rooftop: httpx.AsyncClient) -> None:
    content, seed = video(), 2**64 - 1
    result = await captured(rooftop, run_record(content, graph=graph(seed)), content)
    receipt = await get(rooftop, f"receipts/{result['capture']['receipt_id']}")
    assert receipt["document"]["parameters"]["seed"] == str(seed)
    stored = await rooftop.get(f"/api/v1/blobs/{receipt['document']['graph']}")
    assert stored.json()["6"]["inputs"]["seed"] == seed
    assert (await get(rooftop, f"captures/{result['capture']['id']}"))["record"]["graph"]["6"]["inputs"]["seed"] == seed


@pytest.mark.parametrize(
    ("changes", "contents"),
    [
        ({"schema": "genlock.run/2"}, []),
        ({"surprise": 1}, []),
        ({"status": "fine"}, []),
        ({"run": ""}, []),
        ({"duration_s": -1}, []),
        ({"files": [{"node": "1", "name": "a", "digest": "1a"}]}, []),
        ({}, [b"other bytes"]),
        ({"outputs": []}, [b"of no output"]),
        ({"prompt_id": "a\0b"}, []),
        ({"resolved": {"3": {"text": "\0"}}}, []),
    ],
    ids=str,
)
async def test_an_invalid_record_is_refused_and_leaves_nothing(
    rooftop: httpx.AsyncClient, changes: dict[str, Any], contents: list[bytes]
) -> None:
    answer = await send(rooftop, run_record(video(), **changes), *contents)
    assert (answer.status_code, bool(answer.json()["hint"])) == (422, True), answer.text
    assert (await get(rooftop, "captures?state=all"))["items"] == []
    assert (await get(rooftop, "assets"))["items"] == []


async def test_a_damaged_video_waits_in_the_inbox_with_the_reason(rooftop: httpx.AsyncClient) -> None:
    content = video()[:-200]
    result = await captured(rooftop, run_record(content), content)
    assert result["capture"]["state"] == "inbox"
    refused = await rooftop.post(f"/api/v1/captures/{result['capture']['id']}/assign", json={"segment_id": 1})
    assert refused.status_code == 409
    assert refused.json()["detail"] == result["capture"]["why"]


async def test_the_inbox_is_read_page_by_page(rooftop: httpx.AsyncClient) -> None:
    for _ in range(5):
        await captured(rooftop, run_record())
    listed: list[int] = []
    page = await get(rooftop, "captures?limit=2")
    while True:
        listed += [capture["id"] for capture in page["items"]]
        if page["next"] is None:
            break
        page = await get(rooftop, f"captures?limit=2&cursor={page['next']}")
    assert listed == sorted(listed, reverse=True)
    assert len(listed) == 5
    assert (await rooftop.get("/api/v1/captures?state=lost")).status_code == 422
