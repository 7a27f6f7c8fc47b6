"""Scans over HTTP: roles, folders and answers; and uploads with a declared digest."""

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
    """Return the settings of a server that may read one folder."""
    models = tmp_path / "ComfyUI" / "models"
    (models / "loras").mkdir(parents=True)
    (models / "loras" / "rain.pt").write_bytes(b"rain")
    return Settings(data=tmp_path / "data", scan_folders=(models,), scan_keep=False)


async def test_administrators_scan_folders_below_the_permitted_ones(
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
    (change,) = scan["changes"]
    assert (change["outcome"], change["kind"], change["name"], change["version"]) == ("created", "lora", "rain", 1)
    assert (await client.post(URL, headers={"Idempotency-Key": key})).json() == scan, "stored under its key"
    again = (await client.post(URL, json={"folders": [str(models / "loras")]})).json()
    assert (again["files"], again["unchanged"], again["changes"]) == (1, 1, [])
    version = (await client.get(f"/api/v1/assets/{change['asset_id']}/versions")).json()["items"][0]
    assert (version["in_place"], version["gone_since"]) == (True, None)
    events = (await client.get("/api/v1/events")).json()["items"]
    published = [(event["verb"], event["actor"]) for event in events if event["verb"] != "token.created"]
    assert published == [(verb, "a admin") for verb in ("asset.created", "version.added", "asset.activated")]


async def test_a_scan_without_folders_is_refused(db: Database, store: DiskStore, issue: Issue, tmp_path: Path) -> None:
    app = create_app(db, store, Settings(data=tmp_path / "other"))
    async with app.router.lifespan_context(app), client_of(app, await issue(Role.ADMIN)) as client:
        problem(await client.post(URL), 422, "no_folder")
        problem(await client.post(URL, json={"folders": [str(tmp_path)]}), 403, "outside_roots")


async def test_an_upload_whose_bytes_do_not_match_its_digest_is_refused(
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
