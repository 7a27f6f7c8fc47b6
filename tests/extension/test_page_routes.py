"""What ComfyUI's page asks its extension, in a real ComfyUI: receipts of runs, and stale files of the open graph."""

import json
from typing import Any

import httpx
import pytest
from tests.comfyui import models
from tests.extension.watched import Watched, until, video

pytestmark = pytest.mark.long

PAGE = {"X-Genlock-Page": "1"}
PREFIX = "genlock/rooftop/night/1"


def receipt_of(watched: Watched, prompt_id: str) -> httpx.Response:
    return httpx.get(f"{watched.comfy.url}/genlock/runs/{prompt_id}", headers=PAGE)


def checked(watched: Watched, graph: dict[str, Any]) -> dict[str, tuple[str, int | None, int | None]]:
    """Return the state, version and expected version of each file of an open graph, by node."""

    def complete() -> dict[str, Any] | None:
        answer = httpx.post(f"{watched.comfy.url}/genlock/graph", json={"graph": graph}, headers=PAGE, timeout=60)
        assert answer.status_code == 200, answer.text
        return None if answer.json()["pending"] else answer.json()

    return {
        file["node"]: (file["state"], file["version"], file["expected_version"]) for file in until(complete)["files"]
    }


def test_a_run_and_the_open_graph_say_what_is_out_of_date(watched: Watched) -> None:
    watched.lora("rain.safetensors", 21)
    graph = video(PREFIX, "rain.safetensors", seed=2001)
    assert checked(watched, graph)["2"] == ("unregistered", None, None)
    capture = watched.run(graph)
    shown = receipt_of(watched, capture["prompt_id"]).json()
    assert shown["capture"]["receipt_id"] == shown["receipt"]["id"] == capture["receipt_id"]
    assert (shown["take"]["number"], shown["take"]["selected"], shown["take"]["missing"]) == (1, True, [])
    assert shown["causes"] == []
    before = checked(watched, graph)
    assert before["2"] == ("current", 1, 1), "the run registered it"
    assert {before[node][0] for node in ("1", "4", "7")} == {"current"}
    assert before["8"][0] == "unregistered", "no asset has the picture"

    newer = models.write(watched.comfy.base / "newer.safetensors", models.lora(22))
    (rain,) = [asset for asset in watched.get("assets")["items"] if asset["name"] == "rain"]
    added = watched.command("asset", "add", str(newer), "--kind", "lora", "--name", "rain")
    assert added.code == 0, added.err
    assert checked(watched, graph)["2"] == ("superseded", 1, 2)
    shown = receipt_of(watched, capture["prompt_id"]).json()
    assert shown["state"] == "stale"
    assert [cause["root"]["asset_id"] for cause in shown["causes"]] == [rain["id"]]
    watched.lora("rain.safetensors", 22)
    assert checked(watched, graph)["2"] == ("current", 2, 2)


def test_only_the_page_may_ask_and_only_within_bounds(watched: Watched) -> None:
    url = f"{watched.comfy.url}/genlock"
    for headers in ({}, {**PAGE, "Sec-Fetch-Site": "cross-site"}):
        assert httpx.get(f"{url}/runs/a", headers=headers).status_code == 403
        assert httpx.post(f"{url}/graph", json={"graph": {}}, headers=headers).status_code == 403
    assert receipt_of(watched, "no-such-run").status_code == 404
    assert receipt_of(watched, "a%20b").status_code == 400
    for content, status in ((b"no json", 400), (b"[]", 400), (b'{"graph": 5}', 400), (b'{"graph": {}}', 422)):
        answer = httpx.post(f"{url}/graph", content=content, headers=PAGE)
        assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    large = json.dumps({"graph": {"1": "x" * (8 * 2**20)}}).encode()
    assert httpx.post(f"{url}/graph", content=large, headers=PAGE, timeout=60).status_code == 413
    assert httpx.post(f"{url}/graph", content=iter([b"{}"]), headers=PAGE).status_code == 413, "of unknown length"


def test_a_genlock_that_is_down_is_reported(watched: Watched) -> None:
    config = watched.comfy.base / "custom_nodes" / "genlock" / "genlock.json"
    settings = config.read_text()
    config.write_text(json.dumps({**json.loads(settings), "url": "http://127.0.0.1:1"}))
    try:
        answer = receipt_of(watched, "a")
        assert answer.status_code == 502 and "does not answer" in answer.json()["error"]
    finally:
        config.write_text(settings)
