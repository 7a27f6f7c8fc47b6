"""Uploads stream into the store: completely, or not at all."""

import hashlib
import json
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from tests.conftest import LiveServer
from tests.web.test_problems import problem

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database, scalar
from genlock.settings import Settings

Part = tuple[str, str | None, bytes]

FILE_HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


async def make_asset(client: httpx.AsyncClient, kind: str = "other", name: str = "clothed") -> int:
    answer = await client.post("/api/v1/assets", json={"kind": kind, "name": name})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def form(*parts: Part, boundary: str = "b0undary") -> dict[str, Any]:
    """Return a form with its parts in exactly this order: (name, filename, content)."""
    body = b""
    for name, filename, content in parts:
        named = f'; filename="{filename}"' if filename is not None else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        body += content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return {"content": body, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"}}


async def nothing_kept(db: Database, store: DiskStore) -> None:
    assert list(store.digests()) == []
    assert list((store.path_of("sha256:" + "0" * 64).parents[1] / "incoming").iterdir()) == []
    async with db.transaction() as conn:
        assert await scalar(conn, "SELECT (SELECT count(*) FROM blobs) + (SELECT count(*) FROM asset_versions)") == 0


async def test_an_upload_creates_a_version_with_its_bytes(client: httpx.AsyncClient, store: DiskStore) -> None:
    asset = await make_asset(client)
    content = b"a coat\r\n--b0undar\r\n\r\n" * 1000
    answer = await client.post(
        f"/api/v1/assets/{asset}/versions", **form(("note", None, "rot ☂".encode()), ("file", "coat_v1.bin", content))
    )
    assert answer.status_code == 201, answer.text
    added = answer.json()
    assert added["outcome"] == "created"
    version = added["version"]
    assert (version["number"], version["digest"], version["size_bytes"]) == (1, digest_of(content), len(content))
    assert (version["filename"], version["note"], version["active"]) == ("coat_v1.bin", "rot ☂", True)
    assert added["report"] == {
        "segments": {"becomes_stale": 0, "becomes_unknown": 0, "becomes_fresh": 0},
        "projects": [],
    }
    assert store.read_verified(version["digest"]) == content
    back = await client.get(f"/api/v1/assets/{asset}/versions/1/content")
    assert back.content == content
    assert back.headers["content-disposition"] == "attachment; filename*=UTF-8''coat_v1.bin"


async def test_an_upload_of_existing_bytes_creates_no_version(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client)
    url = f"/api/v1/assets/{asset}/versions"
    await client.post(url, files={"file": ("a", b"one")})
    await client.post(url, files={"file": ("a", b"two")})
    answer = await client.post(url, files={"file": ("b", b"one")}, data={"activate": "false"})
    assert (answer.status_code, answer.json()["outcome"], answer.json()["version"]["number"]) == (200, "exists", 1)
    assert answer.json()["version"]["active"] is False
    answer = await client.post(url, files={"file": ("b", b"one")})
    assert (answer.status_code, answer.json()["version"]["active"]) == (200, True)
    assert (await client.get(url)).json()["total"] == 2


async def test_a_derivation_is_declared_with_the_upload(client: httpx.AsyncClient) -> None:
    portrait, clothed = await make_asset(client, name="portrait"), await make_asset(client)
    await client.post(f"/api/v1/assets/{portrait}/versions", files={"file": ("p", b"portrait")})
    url = f"/api/v1/assets/{clothed}/versions"
    answer = await client.post(url, files={"file": ("c", b"c")}, data={"derived_from": [f"{portrait}@1"]})
    assert answer.json()["version"]["derivations"][0]["sources"] == [{"asset_id": portrait, "number": 1}]
    answer = await client.post(url, files={"file": ("c", b"d")}, data={"derived_from": [f"{portrait}@2"]})
    problem(answer, 404, "not_found")
    for wrong in ("portrait", "1@", "@1", "1@0", "1@x", f"{portrait}@1@2"):
        answer = await client.post(url, files={"file": ("c", b"d")}, data={"derived_from": [wrong]})
        problem(answer, 422, "invalid")


async def test_an_upload_under_a_key_is_done_once(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client)
    url = f"/api/v1/assets/{asset}/versions"
    key = {"Idempotency-Key": "one"}
    first = await client.post(url, files={"file": ("a", b"one")}, headers=key)
    again = await client.post(url, files={"file": ("a", b"one")}, headers=key)
    assert (again.status_code, again.content) == (201, first.content), "with another boundary, it is the same request"
    problem(await client.post(url, files={"file": ("a", b"two")}, headers=key), 422, "key_reused")


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ((), "bad_form"),
        ((("note", None, b"only a note"),), "no_file"),
        ((("file", "a", b""),), "empty_file"),
        ((("file", "a", b"x"), ("note", None, b"late")), "order"),
        ((("file", "a", b"x"), ("file", "b", b"y")), "duplicate"),
        ((("note", None, b"a"), ("note", None, b"b"), ("file", "a", b"x")), "duplicate"),
        ((("colour", None, b"red"), ("file", "a", b"x")), "extra_forbidden"),
        ((("note", None, b"\xff"), ("file", "a", b"x")), "not_text"),
        ((("note", None, b"x" * 4001), ("file", "a", b"x")), "invalid"),
        ((("activate", None, b"perhaps"), ("file", "a", b"x")), "invalid"),
        ((("bindings", None, b"{"), ("file", "a", b"x")), "bad_json"),
        ((("bindings", None, b'{"a": NaN}'), ("file", "a", b"x")), "bad_json"),
        ((("bindings", None, b"[]"), ("file", "a", b"x")), "invalid"),
        ((*[("derived_from", None, b"1@1")] * 1001, ("file", "a", b"x")), "too_many"),
    ],
)
async def test_an_invalid_form_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient,
    db: Database,
    store: DiskStore,
    parts: tuple[tuple[str, str | None, bytes], ...],
    code: str,
) -> None:
    asset = await make_asset(client)
    sent = form(*parts)
    if not parts:
        sent["content"] = b"no form at all"
    problem(await client.post(f"/api/v1/assets/{asset}/versions", **sent), 422, code)
    await nothing_kept(db, store)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a", "text/plain",
     "multipart/form-data; boundary=" + "x" * 300],
)  # fmt: skip
async def test_a_body_that_is_not_a_form_is_refused(client: httpx.AsyncClient, content_type: str) -> None:
    asset = await make_asset(client)
    answer = await client.post(
        f"/api/v1/assets/{asset}/versions", content=b"--a--", headers={"Content-Type": content_type}
    )
    assert answer.status_code == 422
    assert answer.json()["code"] in {"unsupported_media_type", "bad_form"}


async def test_a_truncated_form_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, db: Database, store: DiskStore
) -> None:
    asset = await make_asset(client)
    sent = form(("note", None, b"n"), ("file", "a", b"x" * 100_000))
    whole = sent["content"]
    for length in (10, 70, 150, 50_000, len(whole) - 10):
        sent["content"] = whole[:length]
        problem(await client.post(f"/api/v1/assets/{asset}/versions", **sent), 422, "bad_form")
    await nothing_kept(db, store)


async def test_a_form_in_any_pieces_is_the_same_form(client: httpx.AsyncClient) -> None:
    asset = await make_asset(client)
    content = b"\r\n--b0undaryX\r\n--b0undar\r\n-" * 3
    sent = form(("note", None, b"in pieces"), ("file", "a.bin", content))
    whole = sent["content"]
    for size in (1, 2, 3, 7, 64):

        async def pieces(size: int = size) -> AsyncIterator[bytes]:
            for start in range(0, len(whole), size):
                yield whole[start : start + size]

        sent["content"] = pieces()
        answer = await client.post(f"/api/v1/assets/{asset}/versions", **sent)
        assert answer.status_code in {200, 201}, answer.text
        assert answer.json()["version"]["digest"] == digest_of(content)


async def test_a_field_over_its_limit_is_too_large(client: httpx.AsyncClient, settings: Settings) -> None:
    asset = await make_asset(client)
    sent = form(("bindings", None, b"x" * (settings.max_field_bytes + 1)), ("file", "a", b"x"))
    refusal = problem(await client.post(f"/api/v1/assets/{asset}/versions", **sent), 413, "too_large")
    assert "GENLOCK_MAX_FIELD_BYTES" in refusal["hint"]


async def test_a_hostile_file_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, db: Database, store: DiskStore
) -> None:
    asset = await make_asset(client, "lora", "rain")
    header_of_2_63_bytes = struct.pack("<Q", 2**63 - 1) + b"{}" * 100
    answer = await client.post(
        f"/api/v1/assets/{asset}/versions", files={"file": ("rain.safetensors", header_of_2_63_bytes)}
    )
    assert answer.status_code == 422
    assert "rain.safetensors" in answer.json()["detail"]
    await nothing_kept(db, store)


@pytest.mark.parametrize("filename", ["../../etc/passwd", "C:\\Windows\\x.bin", "a\x7fb", "夜.bin", "…" * 300])
async def test_a_filename_is_stored_as_harmless_text(client: httpx.AsyncClient, filename: str) -> None:
    asset = await make_asset(client)
    answer = await client.post(f"/api/v1/assets/{asset}/versions", files={"file": (filename, b"x")})
    assert answer.status_code == 201, answer.text
    stored = answer.json()["version"]["filename"]
    assert stored and "/" not in stored and "\\" not in stored and stored.isprintable() and len(stored) <= 255


async def test_a_missing_asset_is_refused_before_the_upload(client: httpx.AsyncClient) -> None:
    problem(await client.post("/api/v1/assets/404/versions", files={"file": ("a", b"x")}), 404, "not_found")


async def test_a_file_in_place_is_registered_only_below_a_root(
    client: httpx.AsyncClient, settings: Settings, tmp_path: Path
) -> None:
    roots = tmp_path / "models"
    roots.mkdir()
    (roots / "rain.bin").write_bytes(b"weights")
    (tmp_path / "secret").write_bytes(b"secret")
    (roots / "link").symlink_to(tmp_path / "secret")
    object.__setattr__(settings, "register_roots", (roots,))
    asset = await make_asset(client)
    url = f"/api/v1/assets/{asset}/versions"
    for path in (tmp_path / "secret", roots / "link", roots / ".." / "secret"):
        problem(await client.post(url, json={"path": str(path)}), 403, "outside_roots")
    problem(await client.post(url, json={"path": "models/rain.bin"}), 422, "invalid")
    problem(await client.post(url, json={"path": str(roots / "none")}), 404, "not_found")
    problem(await client.post(url, json={"path": str(roots)}), 422, "invalid")
    answer = await client.post(url, json={"path": str(roots / "rain.bin"), "note": "here"})
    assert (answer.status_code, answer.json()["version"]["in_place"]) == (201, True), answer.text
    assert (await client.get(f"{url}/1/content")).content == b"weights"
    (roots / "rain.bin").write_bytes(b"WEIGHTS")
    problem(await client.get(f"{url}/1/content"), 409, "tampered")
    (roots / "rain.bin").unlink()
    problem(await client.get(f"{url}/1/content"), 404, "bytes_gone")


def test_a_client_that_goes_away_in_mid_upload_leaves_nothing(live_server: LiveServer, store: DiskStore) -> None:
    incoming = store.path_of("sha256:" + "0" * 64).parents[1] / "incoming"
    with live_server.client() as client:
        asset = client.post("/api/v1/assets", json={"kind": "other", "name": "a"}).json()["id"]
        for reset in (False, True):
            connection = begin_upload(live_server, asset)
            connection.sendall(b"x" * 8 * 2**20)
            wait_until(lambda: any(path.stat().st_size for path in incoming.iterdir()))
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            wait_until(lambda: not list(incoming.iterdir()))
        assert client.get(f"/api/v1/assets/{asset}/versions").json()["items"] == []
    assert list(store.digests()) == []


def test_a_refused_sender_may_finish_before_the_connection_ends(live_server: LiveServer) -> None:
    """A connection closed at once would be reset, and a reset can overtake the refusal."""
    with live_server.client() as client:
        asset = client.post("/api/v1/assets", json={"kind": "other", "name": "a"}).json()["id"]
    live_server.token = "gl_nobody"
    rest = 2**19
    with begin_upload(live_server, asset, length=len(FILE_HEAD) + rest) as connection:
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 401")
        for _ in range(8):
            connection.sendall(bytes(rest // 8))
        while more := connection.recv(65_536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    assert json.loads(body)["code"] == "unknown_token"


@pytest.mark.parametrize("size", [2**28, pytest.param(2**31, marks=pytest.mark.long)], ids=["256 MiB", "2 GiB"])
def test_a_large_upload_does_not_grow_the_memory(live_server: LiveServer, size: int) -> None:
    chunk = bytes(2**20)
    with live_server.client() as client:
        asset = client.post("/api/v1/assets", json={"kind": "other", "name": "a"}).json()["id"]
        memory = psutil.Process()
        before, peak, ended = memory.memory_info().rss, 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.01):
                peak = max(peak, memory.memory_info().rss)

        def body() -> Iterator[bytes]:
            yield FILE_HEAD
            for _ in range(size // len(chunk)):
                yield chunk
            yield b"\r\n--b--\r\n"

        watching = threading.Thread(target=watch)
        watching.start()
        answer = client.post(
            f"/api/v1/assets/{asset}/versions",
            content=body(),
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
        ended.set()
        watching.join()
    assert (answer.status_code, answer.json()["version"]["size_bytes"]) == (201, size)
    assert peak - before < 64 * 2**20, f"{(peak - before) / 2**20:.0f} MiB"


def begin_upload(server: LiveServer, asset: int, length: int = 2**30) -> socket.socket:
    parts = urlsplit(server.url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)
    connection.sendall(
        f"POST /api/v1/assets/{asset}/versions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n".encode()
        + FILE_HEAD
    )
    return connection


def wait_until(holds: Any) -> None:
    waiting = threading.Event()
    for _ in range(3000):
        if holds():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not come true within 30 s")
