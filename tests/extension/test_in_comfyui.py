"""Runs that a user starts in a real ComfyUI: each has one receipt with the files that were used."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.capture import runs as capture_runs
from tests.comfyui import models
from tests.comfyui.builds import chosen_build
from tests.comfyui.studio import ComfyStudio
from tests.comfyui.workflows import Graph, node
from tests.conftest import LiveServer
from tests.extension.watched import Watched, digest_of_file, until, used, video

from genlock.engines.media import frames_digest

pytestmark = pytest.mark.long

PREFIX = "genlock/rooftop/night"
WRITTEN = "it was written to after it was loaded"


def gated(graph: Graph, gate: Path) -> Graph:
    """Return the graph with a gate between the LoRA and the sampler."""
    graph["99"] = node("TestGate", model=("2", 0), folder=str(gate))
    graph["3"]["inputs"]["model"] = ["99", 0]
    return graph


def frames_of(watched: Watched, capture: dict[str, Any], folder: Path) -> str:
    """Return the digest of the frames of a run's video in Genlock's store."""
    with watched.genlock.client() as client:
        path = folder / "video.webp"
        path.write_bytes(client.get(f"/api/v1/blobs/{capture['video']}").content)
        return frames_digest(path)


def test_a_run_by_hand_is_one_take_with_one_complete_receipt(watched: Watched) -> None:
    rain = watched.lora("rain.safetensors", 11)
    graph = video(f"{PREFIX}/1", "rain.safetensors", seed=2**63 + 12345678901)
    graph["5"]["inputs"]["text"] = ["51", 0]
    graph["51"] = node("StringConcatenate", string_a="mara walks", string_b="through the rain", delimiter=" ")
    capture = watched.run(graph)
    assert capture["state"] == "recorded", capture["why"]
    base = watched.comfy.base
    assert used(capture) == {
        "rain.safetensors": rain,
        "start.png": digest_of_file(base / "input" / "start.png"),
        "tiny_wan_i2v.safetensors": digest_of_file(base / "models/diffusion_models/tiny_wan_i2v.safetensors"),
        "tiny_clip_l.safetensors": digest_of_file(base / "models/text_encoders/tiny_clip_l.safetensors"),
        "tiny_wan_vae.safetensors": digest_of_file(base / "models/vae/tiny_wan_vae.safetensors"),
    }
    record = capture["record"]
    assert record["graph"] == graph, "exactly as it was sent"
    assert set(record["per_node_s"]) == set(graph)
    assert all(record["capture"]["sees"].values())
    assert record["environment"]["comfyui"] == chosen_build().version
    (saved,) = record["outputs"]
    assert saved["digest"] == digest_of_file(base / "output" / saved["subfolder"] / saved["filename"])

    provenance = watched.take(1)
    document = provenance["receipt"]["document"]
    assert (provenance["take"]["evidence"], provenance["take"]["missing"]) == ("recorded", [])
    assert (provenance["state"], provenance["take"]["unregistered"]) == ("unknown", ["source_image[0]"]), (
        "no asset has the picture"
    )
    assert provenance["receipt"]["id"] == capture["receipt_id"]
    assert document["outputs"]["video"]["digest"] == saved["digest"]
    assert document["observed"]["per_node_s"] == record["per_node_s"]
    shown = ("prompt", "negative_prompt", "seed", "sampler", "steps")
    assert [document["parameters"][name] for name in shown] == [
        *("mara walks through the rain", "blurry", "9223372049200454709", "euler", 3),
    ]
    assert {line["digest"] for line in document["inputs"]} >= set(used(capture).values())
    unmanaged = [asset for asset in watched.get("assets")["items"] if asset["kind"] in ("lora", "model", "vae")]
    assert sorted(asset["name"] for asset in unmanaged) == ["rain", "tiny_wan_i2v", "tiny_wan_vae"]
    for asset in unmanaged:
        (version,) = watched.get(f"assets/{asset['id']}/versions")["items"]
        assert version["details"] == {"unmanaged": True}
    assert len(watched.get("segments/1/takes")["items"]) == len(watched.captures()) == 1


def test_a_cached_run_is_noted_with_the_receipt_of_the_first(watched: Watched) -> None:
    graph = video(f"{PREFIX}/1", seed=501)
    first, again = watched.run(graph), watched.run(graph)
    assert (again["state"], again["receipt_id"]) == ("repeated", first["receipt_id"])
    assert sorted(again["record"]["cached_nodes"]) == sorted(graph)
    assert used(again) == used(first)
    assert len(watched.get("segments/1/takes")["items"]) == 1


def test_a_replaced_lora_that_is_still_cached_is_recorded_as_it_was_loaded(watched: Watched, tmp_path: Path) -> None:
    name = "storm.safetensors"
    old = watched.lora(name, 11)
    first = watched.run(video(f"{PREFIX}/1", name, seed=601))
    new = watched.lora(name, 12)
    assert old != new
    repeated = watched.run(video(f"{PREFIX}/1", name, seed=601))
    assert (repeated["state"], used(repeated)[name]) == ("repeated", old)
    stale = watched.run(video(f"{PREFIX}/2", name, seed=602))
    assert (stale["state"], used(stale)[name]) == ("recorded", old), "its loader came from the cache"
    nudged = video(f"{PREFIX}/2", name, seed=602)
    nudged["2"]["inputs"]["strength_model"] = 0.8000001
    cached = watched.run(nudged)
    assert "2" not in cached["record"]["cached_nodes"]
    assert used(cached)[name] == old, "its loader ran, and kept the weights that it had"
    httpx.post(f"{watched.comfy.url}/free", json={"unload_models": True, "free_memory": True}).raise_for_status()
    fresh = watched.run(video(f"{PREFIX}/2", name, seed=602))
    assert (fresh["record"]["cached_nodes"], used(fresh)[name]) == ([], new)
    assert frames_of(watched, fresh, tmp_path) != frames_of(watched, stale, tmp_path), "the weights are others"
    assert first["state"] == "recorded"
    assert watched.take(1)["state"] == "stale", "the LoRA has a newer version by now, which the extension met"


def test_a_lora_that_is_replaced_during_a_run_is_recorded_as_it_was_loaded(watched: Watched, gate: Path) -> None:
    old = watched.lora("wind.safetensors", 11)
    prompt_id = watched.submit(gated(video(f"{PREFIX}/1", "wind.safetensors", seed=701), gate))
    until((gate / "reached").exists)
    assert watched.lora("wind.safetensors", 12) != old
    (gate / "open").touch()
    capture = watched.captured(prompt_id)
    assert (capture["state"], used(capture)["wind.safetensors"]) == ("recorded", old)


def test_a_lora_that_is_overwritten_during_a_run_has_no_digest(watched: Watched, gate: Path) -> None:
    watched.lora("fog.safetensors", 11)
    prompt_id = watched.submit(gated(video(f"{PREFIX}/1", "fog.safetensors", seed=702), gate))
    until((gate / "reached").exists)
    path = watched.comfy.base / "models" / "loras" / "fog.safetensors"
    content = models.write(gate / "other", models.lora(12)).read_bytes()
    assert path.stat().st_size == len(content), "a file that shrinks would take ComfyUI down"
    with path.open("r+b") as file:
        file.write(content)
    (gate / "open").touch()
    capture = watched.captured(prompt_id)
    assert (capture["state"], used(capture)["fog.safetensors"]) == ("recorded", WRITTEN)
    provenance = watched.take(1)
    (line,) = [line for line in provenance["receipt"]["document"]["inputs"] if line["role"] == "lora"]
    assert "digest" not in line
    assert any("lora" in missing for missing in provenance["take"]["missing"])


def test_runs_captured_while_genlock_was_down_arrive_once(watched: Watched, gate: Path) -> None:
    live, comfy = watched.genlock, watched.comfy
    first = watched.submit(gated(video(f"{PREFIX}/1", seed=801), gate))
    until((gate / "reached").exists)
    live.stop()
    live.ended.wait()
    (gate / "open").touch()
    runs = [first, watched.submit(video(f"{PREFIX}/2", seed=802))]
    for prompt_id in runs:
        assert watched.ended(prompt_id)["status"]["status_str"] == "success", "generations go on"
    secret = secret_of(watched)
    until(lambda: watched.call("health", secret=secret).json()["last_error"])
    until(lambda: watched.call("health", secret=secret).json()["waiting"] == 2)
    comfy.kill()
    comfy.start()
    assert watched.call("health", secret=secret).json()["waiting"] == 2, "what waits survives ComfyUI"
    with LiveServer(live.database, live.store, live.settings, port=live.port).serving() as again:
        watched.genlock = again
        captures = [watched.captured(prompt_id) for prompt_id in runs]
        assert [capture["state"] for capture in captures] == ["recorded", "recorded"]
        until(lambda: watched.call("health", secret=secret).json()["waiting"] == 0)
        assert [capture["prompt_id"] for capture in reversed(watched.captures())] == runs
        assert [len(watched.get(f"segments/{number}/takes")["items"]) for number in (1, 2)] == [1, 1]


def test_a_failed_or_interrupted_run_is_stored_and_becomes_no_take(watched: Watched, gate: Path) -> None:
    broken = video(f"{PREFIX}/1", seed=901)
    broken["4"]["inputs"]["type"] = "stable_diffusion"  # whose texts are too narrow for this model
    failed = watched.run(broken)
    assert (failed["state"], failed["status"]) == ("failed", "error")
    assert "at node 10 (KSampler)" in failed["why"]
    prompt_id = watched.submit(gated(video(f"{PREFIX}/1", seed=902, steps=10_000), gate))
    until((gate / "reached").exists)
    (gate / "open").touch()
    httpx.post(f"{watched.comfy.url}/interrupt", json={"prompt_id": prompt_id}).raise_for_status()
    interrupted = watched.captured(prompt_id)
    assert (interrupted["state"], interrupted["status"]) == ("failed", "interrupted")
    assert used(interrupted)["mara_v1.safetensors"].startswith("sha256:")
    assert watched.get("segments/1/takes")["items"] == []


def test_the_segment_of_a_run_comes_from_a_node_the_prefix_or_a_user(watched: Watched) -> None:
    graph = video(f"{PREFIX}/1", seed=1001)
    graph["50"] = node("GenlockPlace", project="rooftop", scene="night", segment="2")
    placed = watched.run(graph)
    assert (placed["state"], placed["segment_id"]) == ("recorded", 2)
    nowhere = watched.run(video(f"{PREFIX}/99", seed=1002))
    assert (nowhere["state"], nowhere["why"]) == ("inbox", "There is no segment rooftop/night/99.")
    waiting = watched.run(video("anything", seed=1003))
    assert waiting["state"] == "inbox"
    listed = watched.command("inbox", "list", "--json").document
    assert [capture["id"] for capture in listed["items"]] == [waiting["id"], nowhere["id"]]
    assigned = watched.command("inbox", "assign", str(waiting["id"]), "rooftop/night/3")
    assert assigned.code == 0, assigned.err
    assert watched.take(3)["take"]["evidence"] == "recorded"
    assert watched.get("segments/1/takes")["items"] == []


async def test_a_run_is_for_review_where_the_selected_take_is_from_elsewhere_and_limited_to_projects(
    watched: Watched,
) -> None:
    content = capture_runs.video()
    headers = {"Authorization": f"Bearer {watched.genlock.token}"}
    async with httpx.AsyncClient(base_url=watched.genlock.url, headers=headers) as person:
        assert (await capture_runs.send(person, capture_runs.run_record(content), content)).status_code == 201
    capture = await asyncio.to_thread(watched.run, video(f"{PREFIX}/1", seed=1031))
    assert (capture["state"], capture["for_review"], capture["segment_id"]) == ("recorded", True, 1)
    assert [take["selected"] for take in watched.get("segments/1/takes")["items"]] == [False, True]
    listed = watched.command("inbox", "list", "--state", "review", "--json").document
    assert [item["id"] for item in listed["items"]] == [capture["id"]]
    for words in (("project", "add", "cellar"), ("comfyui", "install", str(watched.comfy.base), "--project", "cellar")):
        assert watched.command(*words).code == 0
    refused = await asyncio.to_thread(watched.run, video(f"{PREFIX}/2", seed=1032))
    assert refused["state"] == "inbox"
    assert refused["why"].endswith("may not record in the project rooftop.")


async def test_a_render_of_a_worker_does_not_wait_in_the_inbox(watched: Watched, tmp_path: Path) -> None:
    studio = ComfyStudio(watched.comfy, tmp_path / "studio")
    rendered = await studio.render(seed="1011")
    (capture,) = await asyncio.to_thread(until, watched.captures)
    assert (capture["state"], capture["why"]) == (
        "dismissed",
        "Genlock rendered this itself, and its worker records the receipt.",
    )
    stored = watched.get(f"captures/{capture['id']}")
    lora = json.loads(rendered.graph)["2"]["inputs"]["lora_name"]
    assert used(stored)[lora] == digest_of_file(studio.files["lora"]), "and it was rendered with what was asked for"
    assert watched.get("assets")["items"] == []


def test_runs_continue_when_records_cannot_be_written(watched: Watched) -> None:
    home = watched.comfy.base / "user" / "genlock"
    (home / "spool").rename(home / "away")
    (home / "spool").write_text("not a folder")
    prompt_id = watched.submit(video(f"{PREFIX}/1", seed=1021))
    assert watched.ended(prompt_id)["status"]["status_str"] == "success"
    until(lambda: "[genlock] keeping a run failed; the generation goes on." in watched.comfy.log.read_text())
    (home / "spool").unlink()
    capture = watched.run(video(f"{PREFIX}/1", seed=1022))
    assert capture["state"] == "recorded", "and records go on once they can be written"


def test_installing_again_keeps_user_settings(watched: Watched) -> None:
    config = watched.comfy.base / "custom_nodes" / "genlock" / "genlock.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps({**settings, "staging_bytes": 10**9}))
    watched.connect()
    assert json.loads(config.read_text()) == {**settings, "staging_bytes": 10**9}
    assert config.stat().st_mode & 0o077 == 0


def secret_of(watched: Watched) -> str:
    config = watched.comfy.base / "custom_nodes" / "genlock" / "genlock.json"
    assert config.stat().st_mode & 0o077 == 0
    return json.loads(config.read_text())["secret"]


def test_the_extension_serves_only_callers_with_the_secret(watched: Watched) -> None:
    bodies: dict[str, Any] = {"health": None, "have": {"digests": []}, "stage": {}}
    for path, body in bodies.items():
        for shown in (None, "", "guessed"):
            assert watched.call(path, body, shown).status_code == 401
    for path, status in (
        ("genlock.js", 200),
        ("genlock.json", 404),
        ("../genlock.json", 404),
        ("%2e%2e/genlock.json", 404),
    ):
        assert httpx.get(f"{watched.comfy.url}/extensions/genlock/{path}").status_code == status, path
    secret = secret_of(watched)
    assert watched.call("stage", {}, secret).status_code == 400
    assert watched.call("have", {"digests": "all"}, secret).status_code == 400


def test_a_version_from_genlock_is_staged_and_used(watched: Watched, tmp_path: Path) -> None:
    secret = secret_of(watched)
    file = models.write(tmp_path / "snow.safetensors", models.lora(21))
    added = watched.command("asset", "add", str(file), "--kind", "lora", "--json")
    assert added.code == 0, added.err
    digest = digest_of_file(file)
    assert watched.call("have", {"digests": [digest]}, secret).json() == {"have": {}}
    staged = watched.call("stage", {"category": "loras", "digest": digest, "name": file.name}, secret)
    assert (staged.status_code, staged.json()["outcome"]) == (200, "staged")
    name = staged.json()["name"]
    remembered = json.loads((watched.comfy.base / "user" / "genlock" / "staged.json").read_text())
    assert [path.endswith(name) for path in remembered] == [True]
    assert (watched.comfy.base / "models" / "loras" / name).stat().st_mode & 0o222 == 0
    capture = watched.run(video(f"{PREFIX}/1", name, seed=1101))
    assert used(capture)[name] == digest
    (line,) = [line for line in watched.take(1)["receipt"]["document"]["inputs"] if line["role"] == "lora"]
    assert (line["name"], line["version"], line["digest"]) == ("snow", 1, digest)
    assert watched.call("have", {"digests": [digest]}, secret).json() == {
        "have": {digest: {"category": "loras", "name": name}}
    }
    gone = "sha256:" + "0" * 64
    refused = watched.call("stage", {"category": "loras", "digest": gone, "name": "a.safetensors"}, secret)
    assert refused.status_code == 409
    assert "404" in refused.json()["error"]


def test_the_doctor_reports_no_problem_and_the_cost_of_the_hooks(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [watched.run(video(f"{PREFIX}/1", seed=1201 + number))["record"] for number in range(4)]
    diagnosis = watched.command("comfyui", "doctor", str(watched.comfy.base), "--comfyui", watched.comfy.url, "--json")
    items = {item["what"]: item for item in diagnosis.document["items"]}
    assert items.keys() == {"extension", "configuration", "Genlock", "ComfyUI", "sees", "costs", "records"}
    assert all(item["good"] for what, item in items.items() if what != "costs"), items
    shares = [record["capture"]["overhead_s"] / record["duration_s"] for record in records]
    assert all(share > 0 for share in shares)
    with capsys.disabled():
        print(f"\nhooks: {', '.join(f'{share:.3%}' for share in shares)} of each run; {items['costs']['detail']}")
    log = watched.comfy.log.read_text(errors="replace")
    assert "[genlock] watching: file_names, loads, opens, inputs, nodes, calls, cached_nodes, runs, results" in log
