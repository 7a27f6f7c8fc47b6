"""Reproductions over HTTP: requested, run, read, and published as events."""

from pathlib import Path

import httpx
from fastapi import FastAPI
from tests.conftest import Issue, client_of
from tests.regeneration.studio import Studio
from tests.web.test_problems import problem

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database
from genlock.engines.sketch.samples import write_samples
from genlock.model import Actor, Role


async def test_a_receipt_is_run_again(
    client: httpx.AsyncClient, app: FastAPI, issue: Issue, db: Database, store: DiskStore, actor: Actor, tmp_path: Path
) -> None:
    samples = tmp_path / "samples"
    samples.mkdir()
    write_samples(samples)
    studio = Studio(db=db, store=store, samples=samples, actor=actor)
    await studio.furnish()
    (segment,) = await studio.shoot("A", 1)
    receipt = (await client.get(f"/api/v1/segments/{segment}/provenance")).json()["receipt"]
    url = f"/api/v1/receipts/{receipt['id']}/reproduce"

    async with client_of(app, await issue(Role.VIEWER)) as viewer:
        problem(await viewer.post(url), 403, "role_too_low")
    for wrong in ({"runs": 3}, {"runs": "1"}, {"times": 1}):
        assert (await client.post(url, json=wrong)).status_code == 422
    async with client_of(app, await issue(Role.CREATOR)) as creator:
        key = {"Idempotency-Key": "once"}
        answer = await creator.post(url, json={"runs": 2}, headers=key)
        assert answer.status_code == 201, answer.text
        queued = answer.json()
        assert (queued["state"], queued["verdict"], queued["thresholds"]) == (
            "queued",
            None,
            {"psnr_db": 40, "ssim": 0.98},
        )
        assert (await creator.post(url, json={"runs": 2}, headers=key)).json() == queued
        problem(await creator.post(url), 409, "under_way")
    await studio.work()

    done = (await client.get(f"/api/v1/reproductions/{queued['id']}")).json()
    assert (done["state"], done["verdict"], done["result"]["within_noise"]) == ("succeeded", "identical", True)
    listed = (await client.get(f"/api/v1/receipts/{receipt['id']}/reproductions")).json()
    assert listed["items"] == [done]
    events = (await client.get("/api/v1/events")).json()["items"]
    published = [(event["verb"], event["subject"]) for event in events if event["verb"].startswith("reproduction.")]
    assert published == [(f"reproduction.{what}", f"reproduction/{queued['id']}") for what in ("created", "finished")]
    problem(await client.get("/api/v1/reproductions/999"), 404, "not_found")
    problem(await client.get("/api/v1/receipts/999/reproductions"), 404, "not_found")
    problem(await client.post("/api/v1/receipts/999/reproduce"), 404, "not_found")
