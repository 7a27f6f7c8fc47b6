"""Stored bytes are sent unchanged, in ranges on request, and never as a page that a browser would run."""

import os
from pathlib import Path

import httpx
import pytest
from tests.web.test_problems import problem

from genlock.blobs import sql
from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database

CONTENT = bytes(range(256)) * 10_000


async def put(db: Database, store: DiskStore, content: bytes, media_type: str = "video/mp4") -> str:
    stored = store.put(content)
    async with db.transaction() as conn:
        await sql.note_blob(conn, stored.digest, stored.size_bytes, media_type)
    return f"/api/v1/blobs/{stored.digest}"


async def test_a_blob_is_sent_whole(client: httpx.AsyncClient, db: Database, store: DiskStore) -> None:
    answer = await client.get(url := await put(db, store, CONTENT))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == f'"{url.rpartition("/")[2]}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "immutable" in answer.headers["cache-control"] and "private" in answer.headers["cache-control"]


async def test_an_empty_blob_is_sent(client: httpx.AsyncClient, db: Database, store: DiskStore) -> None:
    url = await put(db, store, b"")
    assert (await client.get(url)).content == b""
    problem(await client.get(url, headers={"Range": "bytes=0-"}), 416, "bad_range")
    problem(await client.get(url, headers={"Range": "bytes=-5"}), 416, "bad_range")


@pytest.mark.parametrize(
    ("requested", "first", "last"),
    [("0-0", 0, 0), ("10-19", 10, 19), ("2559990-", 2_559_990, 2_559_999), ("-5", 2_559_995, 2_559_999),
     ("0-99999999", 0, 2_559_999), ("-99999999", 0, 2_559_999), ("1048570-1048580", 1_048_570, 1_048_580)],
)  # fmt: skip
async def test_a_range_is_sent(
    client: httpx.AsyncClient, db: Database, store: DiskStore, requested: str, first: int, last: int
) -> None:
    answer = await client.get(await put(db, store, CONTENT), headers={"Range": f"bytes={requested}"})
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert answer.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("requested", ["bytes=2560000-", "bytes=99999999-", "bytes=-0"])
async def test_a_range_outside_of_the_blob_is_refused(
    client: httpx.AsyncClient, db: Database, store: DiskStore, requested: str
) -> None:
    answer = await client.get(await put(db, store, CONTENT), headers={"Range": requested})
    problem(answer, 416, "bad_range")
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("requested", ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4", "bytes"])
async def test_a_request_for_other_than_one_range_gets_the_whole_blob(
    client: httpx.AsyncClient, db: Database, store: DiskStore, requested: str
) -> None:
    answer = await client.get(await put(db, store, CONTENT), headers={"Range": requested})
    assert (answer.status_code, len(answer.content)) == (200, len(CONTENT))


async def test_bytes_that_the_caller_has_are_not_sent_again(
    client: httpx.AsyncClient, db: Database, store: DiskStore
) -> None:
    url = await put(db, store, CONTENT)
    etag = f'"{url.rpartition("/")[2]}"'
    for etags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = await client.get(url, headers={"If-None-Match": etags})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert (await client.get(url, headers={"If-None-Match": '"other"'})).status_code == 200
    answer = await client.get(url, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (answer.status_code, len(answer.content)) == (200, len(CONTENT))


@pytest.mark.parametrize(
    "media_type", ["text/html", "image/svg+xml", "application/xhtml+xml", "application/pdf", "x/y"]
)
async def test_active_content_is_sent_as_a_download(
    client: httpx.AsyncClient, db: Database, store: DiskStore, media_type: str
) -> None:
    answer = await client.get(await put(db, store, b"<script>alert(1)</script>", media_type))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_missing_bytes_are_reported_and_recorded(
    client: httpx.AsyncClient, db: Database, store: DiskStore
) -> None:
    url = await put(db, store, CONTENT)
    digest = url.rpartition("/")[2]
    store.remove(digest)
    problem(await client.get(url), 404, "bytes_gone")
    async with db.transaction() as conn:
        gone = await sql.get(conn, digest)
        assert gone is not None and gone.gone_since is not None
        assert await sql.stored(conn, (digest,)) == {}
    await put(db, store, CONTENT)
    assert (await client.get(url)).status_code == 200
    async with db.transaction() as conn:
        back = await sql.get(conn, digest)
        assert back is not None and back.gone_since is None


async def test_bytes_that_were_changed_are_refused(client: httpx.AsyncClient, db: Database, store: DiskStore) -> None:
    url = await put(db, store, b"right")
    spoil(store.path_of(url.rpartition("/")[2]), b"wrong")
    problem(await client.get(url), 409, "tampered")


async def test_unknown_and_invalid_digests_are_refused(client: httpx.AsyncClient) -> None:
    problem(await client.get("/api/v1/blobs/sha256:" + "0" * 64), 404, "not_found")
    for wrong in ("sha256:0", "0" * 64, "sha256:" + "G" * 64, "md5:" + "0" * 32, "..%2f..%2fetc%2fpasswd"):
        answer = await client.get(f"/api/v1/blobs/{wrong}")
        assert answer.status_code in {404, 422}, wrong


def spoil(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)
    os.utime(path)
