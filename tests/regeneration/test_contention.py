"""Concurrent transactions that write the same rows: one waits, and neither is aborted."""

import asyncio

import psycopg
from tests.regeneration.studio import Studio

from genlock.db.connection import rows
from genlock.digest import Digest, to_raw
from genlock.regeneration import render

_INSERT = (
    "INSERT INTO genlock.blobs (digest, size_bytes, media_type) VALUES (%s, 1, 'video/mp4') ON CONFLICT DO NOTHING"
)
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"


async def test_a_step_notes_its_blobs_in_the_same_order_as_a_capture_of_its_run(studio: Studio, database: str) -> None:
    """The extension sends the run of a step while the worker records it: both write the same blobs."""
    async with studio.db.transaction() as conn:
        before = {bytes(row["digest"]) for row in await rows(conn, "SELECT digest FROM blobs")}
    (segment,) = await studio.scene("A", 1)
    async with studio.db.transaction() as conn:
        await render.render_scene(conn, studio.scenes["A"], studio.request(), studio.actor)
    stored = asyncio.Event()
    parts: list[Digest] = []

    # The other connection detects a deadlock long before the worker, so the test fails with its error.
    with psycopg.connect(database) as other:
        other.execute("SET deadlock_timeout = '50ms'")
        other.commit()

        def note_first(point: str) -> None:
            if point == "stored" and not stored.is_set():
                parts.extend(digest for digest in studio.store.digests() if to_raw(digest) not in before)
                other.execute(_INSERT, [to_raw(parts[0])])
                stored.set()

        async def note_rest() -> None:
            async with asyncio.timeout(60):
                await stored.wait()
            with psycopg.connect(database, autocommit=True) as watching:
                async with asyncio.timeout(60):
                    while watching.execute(_WAITING).fetchone() == (0,):  # noqa: ASYNC110 - in the database
                        await asyncio.sleep(0.02)
            for digest in parts[1:]:
                await asyncio.to_thread(other.execute, _INSERT, [to_raw(digest)])
            other.commit()

        working = asyncio.create_task(studio.work(fault=note_first))
        try:
            await note_rest()
        finally:
            other.rollback()
            await working

    (document,) = await studio.documents(segment)
    assert len(parts) >= 3, "with fewer there is no order to get wrong"
    assert document["outputs"]["video"]["digest"] != parts[0], "the first part must not be the first digest"
    assert await studio.takes(segment) == (1, 1)
