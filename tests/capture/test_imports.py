"""Import of existing work over HTTP: what is recorded and how strong its evidence is; importing twice adds nothing."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.capture.files import FRAMES, apng, comfyui_tags, gif, png, save, video
from tests.capture.importing import counts, graph_of, register, register_all, send, start_image
from tests.capture.test_embedded import TEXT
from tests.library.identity.files import safetensors, tensor

from genlock.blobs.disk import DiskStore
from genlock.digest import digest_of
from genlock.engines.media import examine
from genlock.sdk.old_work import Pattern, find_old_work


@pytest.mark.parametrize("extension", ["mp4", "mov", "webm", "mkv", "webp", "apng", "png"])
async def test_a_file_of_comfyui_becomes_an_explained_take(
    client: httpx.AsyncClient, store: DiskStore, tmp_path: Path, extension: str
) -> None:
    """Models by name, the start image by the digest that ComfyUI left, everything else from the graph."""
    await register_all(client, start_image())
    path = save(tmp_path / f"walk_00001_.{extension}", graph_of(start_image()))
    imported = await send(client, path, status=201)
    assert (imported["outcome"], imported["source"], imported["evidence"]) == ("recorded", "graph", "matched_by_name")
    assert (imported["missing"], imported["explained"], imported["notes"]) == (["engine.version"], True, [])
    assert imported["created"] == ["project", "scene", "segment"]
    assert [(line["role"], line["name"], line["version"]) for line in imported["inputs"]] == [
        ("text_encoder", "umt5", 1),
        ("source_image", "start", 1),
        ("vae", "wan_vae", 1),
        ("model", "wan", 1),
        ("lora", "rain", 1),
    ]
    receipt = (await client.get(f"/api/v1/receipts/{imported['receipt_id']}")).json()
    document = receipt["document"]
    assert document["engine"] == {"name": "comfyui"} and document["recorder"]["name"] == "genlock import"
    assert document["parameters"] == {
        "prompt": "she walks",
        "negative_prompt": "blurry",
        "seed": "42",
        "steps": 3,
        "cfg": 4,
        "sampler": "euler",
        "scheduler": "simple",
        "denoise": 1,
        "width": 64,
        "height": 48,
        "frames": 9,
        "fps": 8,
        "resolution_tier": "below 240p",
    }
    assert document["outputs"]["video"]["digest"] == digest_of(path.read_bytes())
    assert {"frames", "last_frame"} <= document["outputs"].keys()
    assert json.loads(store.read_verified(document["graph"])) == graph_of(), "the graph without its fingerprints"
    segment = (await client.get(f"/api/v1/segments/{imported['segment_id']}")).json()
    assert (segment["name"], segment["chained"]) == ("walk", False)
    assert segment["selected_take"]["number"] == 1


async def test_importing_again_adds_nothing(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Also when an asset that would match better was registered in the meantime."""
    path = save(tmp_path / "walk_00001_.mp4", graph_of(start_image()))
    first = await send(client, path, status=201)
    assert not first["explained"]
    await register_all(client, start_image())
    before = await counts(client)
    again = await send(client, path, status=200)
    assert (again["outcome"], again["take_id"], again["receipt_id"]) == (
        "exists",
        first["take_id"],
        first["receipt_id"],
    )
    assert await counts(client) == before


async def test_a_digest_alone_is_looked_up(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """So that a second import need not upload anything."""
    path = save(tmp_path / "walk_00001_.mp4", graph_of())
    lookup = {"digest": digest_of(path.read_bytes())}
    take = {"project": "rooftop", "scene": "night", "segment": "walk", "name": "walk.mp4", **lookup}
    form: list[Any] = [("take", (None, json.dumps(take)))]
    assert (await client.post("/api/v1/imports", files=form)).json()["code"] == "not_imported"
    recorded = await send(client, path, status=201)
    answer = await client.post("/api/v1/imports", files=form)
    assert (answer.status_code, answer.json()["receipt_id"]) == (200, recorded["receipt_id"])
    assert answer.json()["explained"] == recorded["explained"] and answer.json()["missing"] == recorded["missing"]


async def test_takes_are_looked_up_by_the_digests_of_their_videos(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """In the order of the lookup, each as importing it again answers; assets registered since then are matched."""
    start = start_image()
    paths = [save(tmp_path / f"walk_{shade:05d}_.mp4", graph_of(start), shade=shade) for shade in (1, 2, 3)]
    for path in paths[:2]:
        await send(client, path, status=201)
    await register_all(client, start)
    takes = [
        {"project": "rooftop", "scene": "night", "segment": "walk", "name": f"rooftop/{path.name}"}
        | {"digest": digest_of(path.read_bytes())}
        for path in paths
    ]
    elsewhere = {**takes[0], "segment": "run"}
    lookup = {"takes": [takes[2], takes[1], elsewhere, takes[0]]}
    answer = await client.post("/api/v1/imports:find", json=lookup)
    assert answer.status_code == 200, answer.text
    again = [await send(client, path, status=200) for path in (paths[1], paths[0])]
    assert answer.json()["items"] == [None, again[0], None, again[1]]
    assert [each["version"] for each in again[0]["inputs"] if each["role"] == "source_image"] == [1]
    for wrong in ([], [{**takes[0], "digest": None}], takes * 67):
        assert (await client.post("/api/v1/imports:find", json={"takes": wrong})).status_code == 422


async def test_one_stem_in_several_containers_is_one_take(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """The most complete file is the video; the graph may be in the other; both are recognised again."""
    silent, telling = video(tmp_path / "walk_00001_.mp4", {}), save(tmp_path / "walk_00001_.png", graph_of())
    imported = await send(client, telling, silent, status=201)
    assert imported["source"] == "graph"
    receipt = (await client.get(f"/api/v1/receipts/{imported['receipt_id']}")).json()
    outputs = {part: it["digest"] for part, it in receipt["document"]["outputs"].items()}
    assert outputs["video"] == digest_of(silent.read_bytes()) and outputs["png"] == digest_of(telling.read_bytes())


@pytest.mark.parametrize("extension", ["gif", "mov", "png"])
async def test_a_moving_picture_has_all_its_frames_and_its_graph(
    client: httpx.AsyncClient, tmp_path: Path, extension: str
) -> None:
    """A GIF has no metadata, and some videos have none: their graph is in the PNG of the first frame next to them."""
    path = tmp_path / f"walk_00001.{extension}"
    if extension == "png":
        files = [apng(path, comfyui_tags(graph_of()))]
    else:
        files = [
            png(tmp_path / "walk_00001.png", comfyui_tags(graph_of())),
            gif(path) if extension == "gif" else video(path, {}),
        ]
    work = find_old_work(tmp_path, Pattern("{segment}", project="rooftop", scene="night"))
    assert [sorted(take.files) for take in work.takes] == [sorted(file.suffix[1:] for file in files)]
    imported = await send(client, *files, status=201)
    assert (imported["source"], imported["take"]) == ("graph", 1)
    document = (await client.get(f"/api/v1/receipts/{imported['receipt_id']}")).json()["document"]
    assert (document["parameters"]["frames"], document["parameters"]["seed"]) == (FRAMES, "42")
    assert document["outputs"]["video"]["digest"] == digest_of(path.read_bytes())
    assert examine(path).facts.frames == FRAMES


async def test_takes_of_a_segment_are_numbered_in_the_order_of_import(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """The last one is selected, unless there is a take that Genlock rendered."""
    for number in (1, 2):
        path = save(tmp_path / f"walk_0000{number}_.mp4", graph_of(), shade=number)
        assert (await send(client, path, status=201))["take"] == number
    segment_id = (await send(client, path, status=200))["segment_id"]
    assert (await client.get(f"/api/v1/segments/{segment_id}")).json()["selected_take"]["number"] == 2
    claim = {"engine": {"name": "diffusers", "version": "1"}, "parameters": {"seed": "1"}}
    files = {"claim": (None, json.dumps(claim)), "video": save(tmp_path / "own.mp4", graph_of(), shade=9).read_bytes()}
    assert (await client.post(f"/api/v1/segments/{segment_id}/takes", files=files)).status_code == 201
    await send(client, save(tmp_path / "walk_00003_.mp4", graph_of(), shade=3), status=201)
    assert (await client.get(f"/api/v1/segments/{segment_id}")).json()["selected_take"]["number"] == 3


@pytest.mark.parametrize("evidence", ["recorded", "matched_by_name", "declared"])
async def test_a_take_that_genlock_recorded_is_not_imported_again(
    client: httpx.AsyncClient, tmp_path: Path, evidence: str
) -> None:
    """A receipt written at render time is better than any import, in any segment.

    Also if it contains less, as for a captured run whose files were overwritten after they were loaded.
    """
    path = save(tmp_path / "walk_00001_.mp4", graph_of())
    await client.post("/api/v1/projects", json={"slug": "own", "name": "own"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "own"})
    (segment,) = (await client.post("/api/v1/scenes/1/segments", json={"count": 1})).json()["items"]
    claim = {"engine": {"name": "comfyui", "version": "1"}, "parameters": {"seed": "1"}, "evidence": evidence}
    files = {"claim": (None, json.dumps(claim)), "video": path.read_bytes()}
    assert (await client.post(f"/api/v1/segments/{segment['id']}/takes", files=files)).status_code == 201
    answer = await send(client, path, status=200)
    assert (answer["outcome"], answer["segment_id"]) == ("exists", segment["id"])


async def test_a_truncated_file_is_refused_by_its_own_name(client: httpx.AsyncClient, tmp_path: Path) -> None:
    path = tmp_path / "walk_00001_.webp"
    frames = [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in (10, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    path.write_bytes(path.read_bytes()[:-40])
    refusal = await send(client, path, status=422)
    assert refusal["detail"].startswith(f"'rooftop/{path.name}' is not a video that can be read")


async def test_a_number_is_the_segment_at_that_position(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """As in references: rooftop/night/2. If there is none, a segment of that name is created."""
    await client.post("/api/v1/projects", json={"slug": "rooftop", "name": "Rooftop"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "night"})
    created = (await client.post("/api/v1/scenes/1/segments", json={"count": 2})).json()["items"]
    path = save(tmp_path / "02_00001_.mp4", graph_of())
    assert (await send(client, path, status=201, segment="02"))["segment_id"] == created[1]["id"]
    assert (await send(client, path, status=201, segment="07"))["segment"] == "07"


async def test_after_a_reorder_a_number_is_still_the_position(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Generated names count from 1 too, and stay with their segments when these are reordered."""
    await client.post("/api/v1/projects", json={"slug": "rooftop", "name": "Rooftop"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "night"})
    first, second, third = (await client.post("/api/v1/scenes/1/segments", json={"count": 3})).json()["items"]
    answer = await client.patch(f"/api/v1/segments/{third['id']}", json={"position": 1})
    assert answer.is_success, answer.text
    for number, segment in enumerate((third, first, second), 1):
        path = save(tmp_path / f"0{number}_00001_.mp4", graph_of(), shade=number)
        assert (await send(client, path, status=201, segment=f"0{number}"))["segment_id"] == segment["id"]
        assert (await send(client, path, status=200, segment=f"0{number}"))["outcome"] == "exists"


async def test_a_segment_whose_name_is_a_number_has_that_number(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Imports of 01, 03 and 05 leave segments of these names: 03 is not the third, nor is 02 the second."""

    async def segment(name: str, shade: int) -> str:
        path = save(tmp_path / f"{name}_{shade:05d}_.mp4", graph_of(), shade=shade)
        return (await send(client, path, status=201, segment=name))["segment"]

    assert [await segment(name, shade) for shade, name in enumerate(("01", "03", "05"), 1)] == ["01", "03", "05"]
    assert [await segment(name, shade) for shade, name in enumerate(("03", "3", "02"), 4)] == ["03", "03", "02"]
    await client.patch("/api/v1/segments/3", json={"position": 1})
    assert [await segment(name, shade) for shade, name in enumerate(("01", "05"), 7)] == ["01", "05"]


# matching -----------------------------------------------------------------------------------------


async def test_a_filename_of_several_versions_matches_none_of_them(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """The asset is known, the version is not: a LoRA was overwritten under its name."""
    await register_all(client, start_image())
    await register(client, "lora", "rain", "rain.safetensors", safetensors({"w": tensor(0, 4)}, b"new!"))
    imported = await send(client, save(tmp_path / "walk_00001_.mp4", graph_of(start_image())), status=201)
    lora = next(line for line in imported["inputs"] if line["role"] == "lora")
    assert (lora["name"], lora["version"]) == ("rain", None) and lora["asset_id"]
    assert "lora[0].digest" in imported["missing"] and not imported["explained"]


async def test_a_digest_that_no_version_has_is_recorded(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """The image of that name has other bytes: the receipt keeps the digest that was used."""
    await register_all(client, start_image())
    other = start_image(51)
    imported = await send(client, save(tmp_path / "walk_00001_.mp4", graph_of(other)), status=201)
    image = next(line for line in imported["inputs"] if line["role"] == "source_image")
    assert (image["name"], image["version"], image["digest"]) == ("start", None, digest_of(other))
    assert not imported["explained"] and "source_image[0].digest" not in imported["missing"]
    await register(client, "source_image", "start", "start.png", other)
    usage = (await client.get(f"/api/v1/assets/{image['asset_id']}/usage", params={"version": 2})).json()
    assert usage["total"] == 1, "registered later, it matches from then on"


async def test_a_variant_is_recognised_by_its_bytes(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """A graph only shows that it loads an image; the library knows that it is a variant."""
    await register(client, "variant", "clothed", "clothed.png", start_image())
    imported = await send(client, save(tmp_path / "walk_00001_.mp4", graph_of(start_image())), status=201)
    assert ("variant", "clothed", 1) in [(line["role"], line["name"], line["version"]) for line in imported["inputs"]]


async def test_a_workflow_is_recognised_by_its_skeleton(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """A workflow with another seed and prompt is the same workflow."""
    graph = graph_of()
    graph["10"]["inputs"]["seed"], graph["5"]["inputs"]["text"] = 7, "she sits"
    await register(client, "workflow", "walk", "walk.json", json.dumps(graph).encode())
    imported = await send(client, save(tmp_path / "walk_00001_.mp4", graph_of()), status=201)
    assert imported["inputs"][0]["role"] == "workflow" and imported["inputs"][0]["version"] == 1


async def test_an_image_equal_to_the_last_frame_of_a_take_is_a_seed_frame(
    client: httpx.AsyncClient, store: DiskStore, tmp_path: Path
) -> None:
    """A user carried the last frame over by hand: the digest identifies its take."""
    first = await send(client, save(tmp_path / "a_00001_.mp4", graph_of()), status=201, segment="a")
    receipt = (await client.get(f"/api/v1/receipts/{first['receipt_id']}")).json()
    frame = store.read_verified(receipt["document"]["outputs"]["last_frame"]["digest"])
    second = await send(client, save(tmp_path / "b_00001_.mp4", graph_of(frame), shade=2), status=201, segment="b")
    document = (await client.get(f"/api/v1/receipts/{second['receipt_id']}")).json()["document"]
    (seed,) = (line for line in document["inputs"] if line["role"] == "seed_frame")
    assert (seed["take"], seed["digest"]) == (first["take_id"], digest_of(frame))


# evidence -----------------------------------------------------------------------------------------


async def test_a_file_without_metadata_is_an_unexplained_take(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Only the folder that a user chose identifies it."""
    imported = await send(client, video(tmp_path / "walk.mp4", {}), status=201)
    assert (imported["source"], imported["evidence"], imported["explained"]) == ("nothing", "declared", False)
    assert {"workflow", "model", "prompt", "seed", "cfg", "engine.version"} <= set(imported["missing"])
    segment = (await client.get(f"/api/v1/segments/{imported['segment_id']}")).json()
    assert segment["state"] == "unknown"


async def test_the_text_of_a_web_interface_becomes_a_receipt(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Ten digits of a hash are too few to prove a model; the name of the LoRA is in the prompt."""
    await register(client, "lora", "rain", "rain.safetensors", safetensors({"w": tensor(0, 4)}, b"rain"))
    imported = await send(client, png(tmp_path / "walk.png", {"parameters": TEXT}), status=201)
    assert (imported["source"], imported["evidence"], imported["explained"]) == ("webui", "declared", False)
    assert [(line["role"], line["name"], line["version"]) for line in imported["inputs"]] == [
        ("model", "sd_xl_base_1.0", None),
        ("lora", "rain", 1),
    ]
    document = (await client.get(f"/api/v1/receipts/{imported['receipt_id']}")).json()["document"]
    assert document["engine"] == {"name": "stable-diffusion-webui", "version": "v1.10.1"}
    assert (document["parameters"]["seed"], document["parameters"]["width"]) == ("42", 512)


async def test_the_engines_version_can_be_declared(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """No file contains it, but the user may know it."""
    await register_all(client, start_image())
    path = save(tmp_path / "walk_00001_.mp4", graph_of(start_image()))
    imported = await send(client, path, status=201, engine_version="0.3.75")
    assert (imported["missing"], imported["explained"]) == ([], True)


async def test_values_that_could_not_be_read_from_a_graph_are_noted(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """The prompt comes from a node of an unknown class."""
    graph = graph_of()
    graph["5"]["inputs"]["text"] = ["60", 0]
    graph["60"] = {"class_type": "RandomWords", "inputs": {"list": "coats"}}
    imported = await send(client, save(tmp_path / "walk_00001_.mp4", graph), status=201)
    assert "prompt" in imported["missing"]
    assert any("RandomWords" in note for note in imported["notes"])


# refusals -----------------------------------------------------------------------------------------


async def test_hostile_files_are_refused_and_leave_nothing(
    client: httpx.AsyncClient, store: DiskStore, tmp_path: Path
) -> None:
    """Each by name, with the reason; they leave neither a project nor a receipt nor bytes."""
    deep = video(tmp_path / "deep.mp4", {"prompt": '{"a":' * 100_000})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video(tmp_path / "whole.mp4", {}).read_bytes()[:900])
    renamed = tmp_path / "picture.mp4"
    renamed.write_bytes(png(tmp_path / "a.png", {}).read_bytes())
    for path, code in ((deep, "bad_json"), (cut, None), (renamed, "wrong_container")):
        refused = await send(client, path, status=422)
        assert path.name in refused["detail"] and refused["hint"], refused
        assert code in (None, refused["code"])
    assert (await counts(client))[:2] == (0, 0)
    assert list(store.digests()) == []


@pytest.mark.parametrize(
    "wrong",
    [{"project": "Roof Top"}, {"scene": "../up"}, {"segment": ""}, {"surplus": 1}, {"dry_run": "yes"}],
    ids=["slug", "scene", "segment", "surplus", "type"],
)
async def test_an_invalid_place_is_refused(client: httpx.AsyncClient, tmp_path: Path, wrong: dict[str, Any]) -> None:
    """With the same rules as in every other route."""
    refused = await send(client, video(tmp_path / "walk.mp4", {}), status=422, **wrong)
    assert refused["errors"], refused


async def test_an_archived_segment_refuses_imports(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """No second segment is created under a name that is taken."""
    segment_id = (await send(client, video(tmp_path / "walk.mp4", {}), status=201))["segment_id"]
    await client.post(f"/api/v1/segments/{segment_id}/archive")
    refused = await send(client, video(tmp_path / "walk2.mp4", {}, shade=2), status=409)
    assert "archived" in refused["detail"]
