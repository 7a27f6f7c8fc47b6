"""What ComfyUI's page asks about: the receipt of a run, and the files of an open graph that are out of date."""

from typing import Any

import httpx
import pytest
from tests.capture.importing import register
from tests.capture.runs import files, graph, run_record, send, video
from tests.capture.test_review import Studio, studio
from tests.library.identity.files import safetensors, tensor

from genlock.digest import digest_of

__all__ = ["studio"]

PLACE = {"project": "rooftop", "scene": "night", "segment": "1"}


def weights(number: int) -> bytes:
    return safetensors({"w": tensor(0, 4)}, bytes([number] * 4))


def loaded(**contents: bytes) -> list[dict[str, Any]]:
    """Return the plain graph's files, with the digests of ``contents`` by input."""
    return [{**file, "digest": digest_of(contents[file["input"]])} for file in files() if file["input"] in contents]


async def check(client: httpx.AsyncClient, **body: Any) -> dict[str, tuple[str, int | None, int | None]]:
    """Return the state, version and expected version of each file of the plain graph."""
    answer = await client.post("/api/v1/captures:check", json={"graph": graph(), **body})
    assert answer.status_code == 200, answer.text
    return {
        f"{file['node']}.{file['input']}": (file["state"], file["version"], file["expected_version"])
        for file in answer.json()["files"]
    }


async def test_a_run_has_its_receipt_and_what_is_out_of_date_since(studio: Studio) -> None:
    desk = await studio.comfyui()
    content = video()
    record = run_record(content)
    capture = (await send(desk, record, content)).json()["capture"]
    path = f"/api/v1/captures/by-prompt/{record['prompt_id']}"
    shown = (await desk.get(path)).json()
    assert (shown["capture"], shown["receipt"]["id"], shown["take"]["number"]) == (capture, capture["receipt_id"], 1)
    assert (shown["state"], shown["causes"], shown["take"]["selected"]) == ("unknown", [], True)
    record = run_record(content, files=files(lora_name="v2"), place={**PLACE, "segment": "2"})
    await send(desk, record, content)
    shown = (await desk.get(path)).json()
    assert shown["state"] == "stale" and len(shown["causes"]) == 1
    assert (await desk.get("/api/v1/captures/by-prompt/nothing")).status_code == 404


async def test_a_run_without_a_take_says_why(studio: Studio) -> None:
    desk = await studio.comfyui()
    record = run_record(outputs=[])
    await send(desk, record)
    shown = (await desk.get(f"/api/v1/captures/by-prompt/{record['prompt_id']}")).json()
    assert (shown["capture"]["state"], shown["receipt"], shown["take"], shown["state"]) == ("inbox", None, None, None)
    assert "does not say which segment" in shown["capture"]["why"]


async def test_a_token_sees_its_own_runs_and_receipts_of_its_projects(studio: Studio) -> None:
    desk, laptop = await studio.comfyui("desk", projects=(1,)), await studio.comfyui("laptop")
    content = video()
    record = run_record(content, place={**PLACE, "project": "cellar"})
    capture = (await send(desk, record, content)).json()["capture"]
    path = f"/api/v1/captures/by-prompt/{record['prompt_id']}"
    assert (await laptop.get(path)).status_code == 404
    assert (await studio.person.get(path)).status_code == 200
    await studio.person.post(f"/api/v1/captures/{capture['id']}/assign", json={"segment_id": 3})
    shown = (await desk.get(path)).json()
    assert (shown["capture"]["state"], shown["receipt"]) == ("recorded", None), "the project is not one of its own"
    assert (await studio.person.get(path)).json()["receipt"]["project_id"] == 2


async def test_the_files_of_a_graph_are_compared_with_the_expected_versions(studio: Studio) -> None:
    desk = await studio.comfyui()
    everything = {"1.unet_name", "2.lora_name", "4.image"}
    assert await check(desk) == dict.fromkeys(everything, ("unregistered", None, None))
    await register(studio.person, "lora", "rain", "rain.safetensors", weights(1))
    await register(studio.person, "model", "wan", "wan.safetensors", weights(3))
    old, new = ({"lora_name": weights(number), "unet_name": weights(3)} for number in (1, 2))
    assert (await check(desk, files=loaded(**old)))["2.lora_name"] == ("current", 1, 1)
    await register(studio.person, "lora", "rain", "rain.safetensors", weights(2))
    assert await check(desk, files=loaded(**old)) == {
        "1.unet_name": ("current", 1, 1),
        "2.lora_name": ("superseded", 1, 2),
        "4.image": ("unregistered", None, None),
    }
    assert (await check(desk, files=loaded(**new)))["2.lora_name"] == ("current", 2, 2)
    assert (await check(desk, files=loaded(lora_name=weights(9))))["2.lora_name"] == ("unknown", None, 2)
    assert (await check(desk))["2.lora_name"] == ("unknown", None, 2), "a name of several versions"
    assert (await check(desk))["1.unet_name"] == ("current", 1, 1), "the only version of that name"


@pytest.mark.parametrize("named_by", ["node", "prefix", "nothing"])
async def test_the_pins_of_the_named_segment_count_where_the_token_may_record(studio: Studio, named_by: str) -> None:
    for number in (1, 2):
        await register(studio.person, "lora", "rain", "rain.safetensors", weights(number))
    await studio.person.post("/api/v1/assets/1/activate", json={"version": 2})
    pinned = await studio.person.put("/api/v1/scenes/1/pins/1", json={"version": 1, "reason": "as agreed"})
    assert pinned.is_success, pinned.text
    body: dict[str, Any] = {"files": loaded(lora_name=weights(1)), "graph": graph(prefix="walk")}
    if named_by == "prefix":
        body["graph"] = graph()
    if named_by == "node":
        body["place"] = PLACE
    is_pinned = named_by != "nothing"
    pinned_state, active_state = ("current", 1, 1), ("superseded", 1, 2)
    assert (await check(await studio.comfyui(), **body))["2.lora_name"] == (pinned_state if is_pinned else active_state)
    assert (await check(await studio.comfyui("other", projects=(2,)), **body))["2.lora_name"] == active_state


async def test_what_cannot_be_checked_is_refused(studio: Studio) -> None:
    desk = await studio.comfyui()
    bodies: list[Any] = [{}, {"graph": []}, {"graph": {"1": 5}}, {"graph": graph(), "files": files() * 400}]
    for body in bodies:
        assert (await desk.post("/api/v1/captures:check", json=body)).status_code == 422, body
