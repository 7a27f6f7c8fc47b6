"""A dry run of an import answers as the import does, and writes nothing."""

from pathlib import Path

import httpx
from tests.capture.files import save, video
from tests.capture.importing import counts, graph_of, register_all, send, start_image

from genlock.blobs.disk import DiskStore


async def test_a_dry_run_answers_as_the_import_and_writes_nothing(
    client: httpx.AsyncClient, store: DiskStore, tmp_path: Path
) -> None:
    """It writes neither rows nor bytes."""
    await register_all(client, start_image())
    before, bytes_before = await counts(client), list(store.digests())
    path = save(tmp_path / "walk_00001_.webm", graph_of(start_image()))
    dry = await send(client, path, status=200, dry_run=True)
    assert (await counts(client), list(store.digests())) == (before, bytes_before)
    assert (dry["outcome"], dry["take_id"], dry["segment_id"]) == ("would_record", None, None)
    events = (await client.get("/api/v1/events", params={"limit": 500})).json()["items"]
    assert not [event for event in events if event["verb"] in ("project.created", "take.recorded")]
    wet = await send(client, path, status=201)
    same = ("inputs", "missing", "evidence", "explained", "created", "source", "notes", "segment")
    assert {key: dry[key] for key in same} == {key: wet[key] for key in same}


async def test_a_dry_run_into_an_existing_scene_answers_as_the_import(
    client: httpx.AsyncClient, store: DiskStore, tmp_path: Path
) -> None:
    """Also with a seed frame of the project, bytes that no version has, and a segment named by number."""
    await register_all(client, start_image())
    first = await send(client, save(tmp_path / "a_00001_.mp4", graph_of()), status=201, segment="a")
    receipt = (await client.get(f"/api/v1/receipts/{first['receipt_id']}")).json()
    frame = store.read_verified(receipt["document"]["outputs"]["last_frame"]["digest"])
    before = await counts(client)
    same = ("inputs", "missing", "evidence", "explained", "created", "source", "notes", "segment")
    for shade, start, segment in ((2, frame, "b"), (3, start_image(77), "1"), (4, frame, "1")):
        path = save(tmp_path / f"{segment}_{shade:05d}_.mp4", graph_of(start), shade=shade)
        dry = await send(client, path, status=200, segment=segment, dry_run=True)
        assert (await counts(client)) == before
        wet = await send(client, path, status=201, segment=segment)
        assert {key: dry[key] for key in same} == {key: wet[key] for key in same}
        before = await counts(client)


async def test_a_dry_run_is_refused_like_the_import(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Archived segments, scenes and projects refuse imports."""
    segment_id = (await send(client, video(tmp_path / "walk.mp4", {}), status=201))["segment_id"]
    for path in (f"segments/{segment_id}", "scenes/1", "projects/1"):
        await client.post(f"/api/v1/{path}/archive")
        wet, dry = [
            await send(client, video(tmp_path / "walk2.mp4", {}, shade=2), status=409, dry_run=dry)
            for dry in (False, True)
        ]
        assert dry["detail"] == wet["detail"] and "archived" in dry["detail"]
        await client.post(f"/api/v1/{path}/restore")
