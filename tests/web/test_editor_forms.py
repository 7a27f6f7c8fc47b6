"""Workflows as ComfyUI's page saves them: converted at upload, kept with their definitions, and downloaded again."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import Issue, client_of
from tests.graphs.editor_files import OBJECT_INFO, node, workflow
from tests.web.test_problems import problem
from tests.web.test_uploads import digest_of, make_asset, nothing_kept

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database
from genlock.model import Role

SAVED = workflow(
    [node(1, "Image", ["x.png", "image"]), node(2, "SaveVideo", ["out"], links={"images": 1})], [[1, 1, 0, 2, 0]]
)
EDITOR = json.dumps(SAVED).encode()
GRAPH = {
    "1": {"class_type": "Image", "inputs": {"image": "x.png"}, "_meta": {"title": "Image"}},
    "2": {
        "class_type": "SaveVideo",
        "inputs": {"filename_prefix": "out", "images": ["1", 0]},
        "_meta": {"title": "SaveVideo"},
    },
}
DEFINITIONS = json.dumps(OBJECT_INFO).encode()


async def _send(client: httpx.AsyncClient, asset: int, **files: bytes) -> httpx.Response:
    return await client.post(
        f"/api/v1/assets/{asset}/versions",
        files={name: (f"{name}.json", content) for name, content in files.items()},
    )


async def test_the_version_is_the_graph_and_both_forms_are_kept(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client, "workflow", "walk")

    answer = await _send(client, asset, file=EDITOR, definitions=DEFINITIONS)

    assert answer.status_code == 201, answer.text
    version = f"/api/v1/assets/{asset}/versions/{answer.json()['version']['number']}"
    assert (await client.get(f"{version}/content")).json() == GRAPH
    form = (await client.get(f"{version}/editor")).json()
    assert (form["digest"], form["filename"], form["size_bytes"]) == (digest_of(EDITOR), "file.json", len(EDITOR))
    assert (await client.get(f"{version}/editor/content")).content == EDITOR
    definitions = (await client.get(f"{version}/editor/definitions")).json()
    assert set(definitions) == {"Image", "SaveVideo"}


async def test_it_equals_the_same_graph_in_api_format(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client, "workflow", "walk")
    exported = await _send(client, asset, file=json.dumps(GRAPH, indent=2).encode())
    url = f"/api/v1/assets/{asset}/versions"
    problem(await client.get(f"{url}/1/editor"), 404, "no_editor_form")

    saved = await _send(client, asset, file=EDITOR, definitions=DEFINITIONS)

    assert (exported.json()["outcome"], saved.json()["outcome"]) == ("created", "equivalent")
    assert saved.json()["version"]["effective_digest"] == exported.json()["version"]["effective_digest"]


async def test_another_layout_of_the_same_graph_is_the_same_version_with_the_newer_form(
    client: httpx.AsyncClient,
) -> None:
    asset = await make_asset(client, "workflow", "walk")
    await _send(client, asset, file=EDITOR, definitions=DEFINITIONS)
    changed = json.dumps(SAVED | {"groups": [{"title": "moved"}]}).encode()

    answer = await _send(client, asset, file=changed, definitions=DEFINITIONS)

    assert (answer.status_code, answer.json()["outcome"]) == (200, "exists")
    assert (await client.get(f"/api/v1/assets/{asset}/versions/1/editor/content")).content == changed


async def test_a_graph_may_be_sent_with_the_page_s_own_file_of_it(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client, "workflow", "walk")

    answer = await _send(client, asset, file=json.dumps(GRAPH).encode(), editor=EDITOR)

    assert answer.status_code == 201, answer.text
    form = (await client.get(f"/api/v1/assets/{asset}/versions/1/editor")).json()
    assert (form["digest"], form["definitions"]) == (digest_of(EDITOR), None)
    problem(await client.get(f"/api/v1/assets/{asset}/versions/1/editor/definitions"), 404, "no_definitions")


REFUSED: list[tuple[dict[str, bytes], str, str]] = [
    ({"file": EDITOR}, "no_definitions", "a server's node definitions are needed"),
    ({"file": EDITOR, "definitions": b"{}"}, "bad_definitions", "not the definitions"),
    ({"file": EDITOR, "definitions": b"{"}, "bad_json", "definitions.json"),
    (
        {"file": EDITOR.replace(b"SaveVideo", b"Missing"), "definitions": DEFINITIONS},
        "unconvertible_workflow",
        "node 2 (Missing)",
    ),
    ({"file": EDITOR, "editor": EDITOR, "definitions": DEFINITIONS}, "two_editor_forms", "file.json"),
    ({"file": json.dumps(GRAPH).encode(), "editor": b"{}"}, "bad_workflow", "editor.json"),
]


@pytest.mark.parametrize(("files", "code", "reason"), REFUSED, ids=[code for _, code, _ in REFUSED])
async def test_what_cannot_be_converted_is_refused_and_nothing_is_kept(
    client: httpx.AsyncClient, db: Database, store: DiskStore, files: dict[str, bytes], code: str, reason: str
) -> None:
    asset = await make_asset(client, "workflow", "walk")

    answer = await _send(client, asset, **files)

    problem(answer, 422, code)
    assert reason in answer.json()["detail"]
    await nothing_kept(db, store)


async def test_a_file_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client, "workflow", "walk")
    large = b'{"nodes": ["' + b"x" * 2**23 + b'"]}'

    problem(await _send(client, asset, file=large), 413, "too_large")


async def test_other_kinds_take_no_editor_s_form(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client, "other", "walk")

    answer = await _send(client, asset, file=b"x", editor=EDITOR)

    assert answer.status_code == 422
    assert "there is no such field here" in answer.text


async def test_an_upload_under_a_key_is_done_once(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client, "workflow", "walk")
    url, files = f"/api/v1/assets/{asset}/versions", {"file": ("w.json", EDITOR), "definitions": ("o", DEFINITIONS)}
    key = {"Idempotency-Key": "one"}

    first: Any = await client.post(url, files=files, headers=key)
    again = await client.post(url, files=files, headers=key)

    assert (again.status_code, again.content) == (201, first.content)


async def test_a_viewer_reads_the_forms_and_sends_none(app: FastAPI, client: httpx.AsyncClient, issue: Issue) -> None:
    asset = await make_asset(client, "workflow", "walk")
    await _send(client, asset, file=EDITOR, definitions=DEFINITIONS)
    async with client_of(app, await issue(Role.VIEWER)) as viewer:
        assert (await viewer.get(f"/api/v1/assets/{asset}/versions/1/editor")).status_code == 200
        assert (await _send(viewer, asset, file=EDITOR, definitions=DEFINITIONS)).status_code == 403
