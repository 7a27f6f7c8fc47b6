"""The log is read in the order in which it became visible, and commits notify listeners."""

import asyncio

import psycopg
import pytest

from genlock.db.connection import Conn, Database, execute
from genlock.errors import Conflict
from genlock.events import log, sql
from genlock.events.listen import EventListener
from genlock.model import Actor


async def test_what_is_appended_is_read_back(conn: Conn, actor: Actor) -> None:
    first = await log.append(conn, "plan.started", actor, project_id=3, subject="plan/1", data={"steps": 12})
    second = await log.append(conn, "token.created", actor)
    events = await sql.after(conn, 0)
    assert [event.id for event in events] == [first, second]
    assert (events[0].verb, events[0].actor, events[0].project_id) == ("plan.started", "ada", 3)
    assert (events[0].subject, events[0].data) == ("plan/1", {"steps": 12})
    assert events[0].at.utcoffset() is not None
    assert [event.id for event in await sql.after(conn, 0, project_id=3)] == [first]
    assert await sql.after(conn, second) == ()
    assert await sql.newest_id(conn) == second


async def test_a_reader_never_skips_what_commits_late(db: Database, actor: Actor) -> None:
    """Two writers: the one that drew the lower id commits first, whichever began first."""
    appended, commit = asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        async with db.transaction() as conn:
            number = await log.append(conn, "slow", actor)
            appended.set()
            await commit.wait()
            return number

    async def fast() -> int:
        async with db.transaction() as conn:
            return await log.append(conn, "fast", actor)

    first = asyncio.create_task(slow())
    await appended.wait()
    second = asyncio.create_task(fast())
    await _until_waiting(db)
    assert not second.done(), "the second writer waits for the first one's commit"
    async with db.transaction() as conn:
        assert await sql.after(conn, 0) == ()
    commit.set()
    assert await first < await second
    async with db.transaction() as conn:
        assert [event.verb for event in await sql.after(conn, 0)] == ["slow", "fast"]


async def test_an_event_cannot_be_changed(db: Database, actor: Actor) -> None:
    async with db.transaction() as conn:
        await log.append(conn, "a", actor)
    for attempt in ("UPDATE events SET verb = 'b'", "DELETE FROM events", "TRUNCATE events"):
        with pytest.raises(Exception, match=r"permission denied|written once"):
            async with db.transaction() as conn:
                await conn.execute(attempt)  # pyright: ignore[reportArgumentType, reportCallIssue]


async def test_listeners_are_notified_at_the_commit(db: Database, actor: Actor) -> None:
    listener = EventListener(db.conninfo)
    listening = asyncio.create_task(listener.run())
    count = await listener.wait(0, 30)
    assert count == 1, "once when it begins to listen"
    async with db.transaction() as conn:
        await log.append(conn, "a", actor)
        assert await listener.wait(count, 0.05) == count
    assert await listener.wait(count, 30) > count
    listening.cancel()
    await asyncio.wait([listening])


async def test_the_bell_comes_back_after_its_connection_was_cut(db: Database, actor: Actor) -> None:
    listener = EventListener(db.conninfo)
    listening = asyncio.create_task(listener.run())
    count = await listener.wait(0, 30)
    async with await psycopg.AsyncConnection.connect(db.conninfo, autocommit=True) as owner:
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", ("genlock-events",)
        )
    assert await listener.wait(count, 30) > count, (
        "it wakes waiters after reconnecting: a notification may have been missed"
    )
    listening.cancel()
    await asyncio.wait([listening])


async def test_a_closed_bell_keeps_nobody(db: Database) -> None:
    listener = EventListener(db.conninfo)
    waiting = asyncio.create_task(listener.wait(0, 600))
    await asyncio.sleep(0)
    await listener.close()
    await waiting
    assert listener.closed


async def test_a_rolled_back_transaction_leaves_no_event(db: Database, actor: Actor) -> None:
    with pytest.raises(Conflict):
        async with db.transaction() as conn:
            await log.append(conn, "a", actor)
            raise Conflict("no")
    async with db.transaction() as conn:
        assert await sql.after(conn, 0) == ()


async def _until_waiting(db: Database) -> None:
    while True:
        async with db.transaction() as conn:
            if await execute(conn, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                return
        await asyncio.sleep(0.01)
