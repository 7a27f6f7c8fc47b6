"""Scans over HTTP: who may, where, and what is answered; and uploads that say what they are."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import Issue, client_of
from tests.web.test_problems import problem

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database
from genlock.digest import digest_of
from genlock.model import Role
from genlock.settings import Settings
from genlock.web.app import create_app

URL = "/api/v1/scans"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a server that may look into one folder."""
    models = tmp_path / "ComfyUI" / "models"
    (models / "loras").mkdir(parents=True)
    (models / "loras" / "rain.pt").write_bytes(b"rain")
    return Settings(data=tmp_path / "data", scan_folders=(models,), scan_keep=False)


async def test_folders_are_scanned_by_administrators_below_what_is_allowed(
    client: httpx.AsyncClient, app: FastAPI, issue: Issue, settings: Settings, tmp_path: Path
) -> None:
    (models,) = settings.scan_folders
    async with client_of(app, await issue(Role.CREATOR)) as creator:
        problem(await creator.post(URL), 403, "role_too_low")
    for outside in (tmp_path, models / "..", Path("/etc")):
        problem(await client.post(URL, json={"folders": [str(outside)]}), 403, "outside_roots")
    problem(await client.post(URL, json={"folders": ["models"]}), 422, "invalid")
    problem(await client.post(URL, json={"folders": [str(models / "none")]}), 404, "no_folder")
    assert (await client.post(URL, json={"folder": str(models)})).status_code == 422

    scan: dict[str, Any] = {"remaining": 1}
    key = ""
    while scan["remaining"]:
        key += "again "
        answer = await client.post(URL, headers={"Idempotency-Key": key})
        assert answer.status_code == 201, answer.text
        scan = answer.json()
    assert (scan["files"], scan["unchanged"]) == (1, 0)
    (news,) = scan["changes"]
    assert (news["outcome"], news["kind"], news["name"], news["version"]) == ("created", "lora", "rain", 1)
    assert (await client.post(URL, headers={"Idempotency-Key": key})).json() == scan, "kept under its key"
    again = (await client.post(URL, json={"folders": [str(models / "loras")]})).json()
    assert (again["files"], again["unchanged"], again["changes"]) == (1, 1, [])
    version = (await client.get(f"/api/v1/assets/{news['asset_id']}/versions")).json()["items"][0]
    assert (version["in_place"], version["gone_since"]) == (True, None)
    events = (await client.get("/api/v1/events")).json()["items"]
    told = [(one["verb"], one["actor"]) for one in events if one["verb"] != "token.created"]
    assert told == [(verb, "a admin") for verb in ("asset.created", "version.added", "asset.activated")]


async def test_without_folders_there_is_nothing_to_scan(
    db: Database, store: DiskStore, issue: Issue, tmp_path: Path
) -> None:
    app = create_app(db, store, Settings(data=tmp_path / "other"))
    async with app.router.lifespan_context(app), client_of(app, await issue(Role.ADMIN)) as client:
        problem(await client.post(URL), 422, "no_folder")
        problem(await client.post(URL, json={"folders": [str(tmp_path)]}), 403, "outside_roots")


async def test_an_upload_that_is_not_what_it_says_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, store: DiskStore
) -> None:
    asset = (await client.post("/api/v1/assets", json={"kind": "other", "name": "a"})).json()["id"]
    url = f"/api/v1/assets/{asset}/versions"
    file = {"file": ("rain.bin", b"rain")}
    problem(await client.post(url, data={"digest": digest_of(b"snow")}, files=file), 422, "other_bytes")
    assert (await client.post(url, data={"digest": "rain"}, files=file)).status_code == 422
    assert list(store.digests()) == []
    answer = await client.post(url, data={"digest": digest_of(b"rain")}, files=file)
    assert answer.json()["version"]["number"] == 1, answer.text
