"""Inputs with only a digest are linked to the asset that registers it, in the registering transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from tests.takes.rebuild import counted
from tests.takes.stage import ADA, WHOLE, Stage, claim, digest_for, set_the_stage, whole
from tests.takes.test_selection import check_the_present

from genlock.db.connection import Conn, Database
from genlock.db.migrate import MIGRATIONS
from genlock.library import actions as library
from genlock.library.model import NewAsset, NewVersion
from genlock.model import Kind
from genlock.staleness import activation
from genlock.takes import take_sql, usage_sql
from genlock.takes.claim import Claim

STORM = {"role": "lora", "digest": digest_for("storm 1"), "strength_model": 0.5}
PICTURE = {"role": "source_image", "asset": "source_image:portrait", "version": 1}
UNKNOWN = "SELECT array_agg(segment_id ORDER BY segment_id) FROM selected_takes WHERE unknown"
LINKS = "SELECT count(*) FROM input_links"


async def register(conn: Conn, kind: Kind, name: str, content: str, project: int | None = None) -> int:
    """Create an asset with one version whose bytes represent ``content``; return its id."""
    asset = await library.create_asset(conn, NewAsset(kind=kind, name=name, project_id=project), ADA)
    await add_version(conn, asset.id, content)
    return asset.id


async def add_version(conn: Conn, asset_id: int, content: str) -> None:
    new = NewVersion(
        digest=digest_for(content),
        effective_digest=digest_for(content),
        size_bytes=1,
        media_type="application/octet-stream",
        filename="file.bin",
    )
    await activation.add_version(conn, asset_id, new, ADA)


async def check(stage: Stage) -> None:
    """Check the current state and the usage of every asset against history."""
    await check_the_present(stage.conn)
    for which in ("selected", "all"):
        expected = await counted(stage.conn, selected=which == "selected")
        for asset in await stage.ask("SELECT array_agg(id) FROM assets"):
            page = await usage_sql.usage(stage.conn, asset, takes=which, limit=500)
            total = sum(n for (of, version, _), n in expected.items() if (of, version) == (asset, None))
            assert page.total == len(page.items) == total


async def test_a_registered_digest_makes_a_whole_chain_known(stage: Stage) -> None:
    await stage.record(stage.segments[0], claim(*WHOLE, PICTURE, STORM))
    for before, segment in zip(stage.segments, stage.segments[1:], strict=False):
        frame = {"role": "seed_frame", "digest": digest_for(f"frame of {before}")}
        await stage.record(segment, claim(*WHOLE, frame))
    assert await stage.ask(UNKNOWN) == stage.segments[:1]
    assert await stage.ask("SELECT unknown_from FROM runs") == 1
    await check(stage)
    await register(stage.conn, Kind.LORA, "storm", "storm 1")
    assert await stage.ask(UNKNOWN) is None
    assert await stage.ask("SELECT unknown_from FROM runs") is None
    await check(stage)


async def test_takes_that_used_other_versions_of_the_asset_are_counted_once(stage: Stage) -> None:
    fog = {"role": "lora", "digest": digest_for("fog 2"), "strength_model": 0.5}
    used = {"role": "lora", "asset": "lora:fog", "version": 1, "strength_model": 0.5}
    for segment, inputs in zip(stage.segments, ((fog, used), (fog,), (used,), (fog, fog)), strict=True):
        await stage.record(segment, whole(*inputs))
    await stage.record(stage.segments[0], whole(fog, used, parameters={"seed": "7"}))
    await add_version(stage.conn, stage.assets["fog"], "fog 2")
    assert await stage.ask(LINKS) == 5
    await check(stage)


async def test_only_visible_assets_of_the_kind_are_linked(stage: Stage) -> None:
    other = await stage.another_project("other")
    await stage.record(stage.segments[0], claim(*WHOLE, PICTURE, STORM))
    await register(stage.conn, Kind.VAE, "storm", "storm 1")
    await register(stage.conn, Kind.LORA, "storm", "storm 1", other)
    assert await stage.ask(LINKS) == 0
    await register(stage.conn, Kind.LORA, "storm", "storm 1", stage.project)
    await register(stage.conn, Kind.LORA, "storm", "storm 1")
    assert await stage.ask(LINKS) == 1
    await check(stage)


async def test_the_migration_links_earlier_registrations(stage: Stage) -> None:
    fog = {"role": "lora", "digest": digest_for("fog 2"), "strength_model": 0.5}
    used = {"role": "lora", "asset": "lora:fog", "version": 1, "strength_model": 0.5}
    for segment, inputs in zip(stage.segments, ((fog, used), (fog,), (STORM,), (fog, fog)), strict=True):
        await stage.record(segment, claim(*WHOLE, PICTURE, *inputs))
    await stage.record(stage.segments[0], claim(*WHOLE, PICTURE, STORM, fog))
    await stage.version("fog", "fog 2")  # as a release without links registers it
    await stage.conn.execute("RESET ROLE")
    await stage.conn.execute("DROP VIEW resolved_inputs, content_uses CASCADE")
    await stage.conn.execute("DROP TABLE input_links")
    await stage.conn.execute("DROP INDEX asset_versions_by_filename")
    await stage.conn.execute("UPDATE selected_takes SET unknown = false")
    await stage.conn.execute("UPDATE runs SET unknown_from = NULL")
    for revision in ("0016_input_links", "0021_inputs_by_receipt"):
        await stage.conn.execute((MIGRATIONS / "versions" / f"{revision}.sql").read_bytes())
    assert await stage.ask(LINKS) == 5
    assert await stage.ask(UNKNOWN) == [stage.segments[0], stage.segments[2]]
    await check(stage)
    await stage.conn.execute("SET ROLE genlock_app")


async def test_a_take_names_its_unregistered_inputs(stage: Stage) -> None:
    recorded = await stage.record(stage.segments[0], claim(*WHOLE, PICTURE, STORM))
    assert (await take_sql.get_take_by_id(stage.conn, recorded.take_id)).unregistered == ("lora[1]",)
    document = (await stage.receipt(recorded)).document
    await register(stage.conn, Kind.LORA, "storm", "storm 1")
    assert (await take_sql.get_take_by_id(stage.conn, recorded.take_id)).unregistered == ()
    assert (await stage.receipt(recorded)).document == document


async def test_a_take_recorded_during_the_registration_is_linked(db: Database) -> None:
    """Whichever commits first, the other one waits for it and sees it."""
    async with db.transaction() as conn:
        stage = await set_the_stage(conn)
    for turn, first in enumerate(("record", "register") * 3):
        text = f"storm {turn}"
        bare = {"role": "lora", "digest": digest_for(text), "strength_model": 0.5}
        recording = partial(_record, claim=claim(*WHOLE, PICTURE, bare), segment=stage.segments[0])
        registering = partial(add_version, asset_id=stage.assets["rain"], content=text)
        ahead, behind = (recording, registering) if first == "record" else (registering, recording)
        async with db.transaction() as conn:
            await ahead(conn)
            waiting = asyncio.create_task(_in_a_transaction(db, behind))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
        await waiting
        async with db.transaction() as conn:
            assert await Stage(conn).ask(UNKNOWN) is None
            await check(Stage(conn))


async def _record(conn: Conn, claim: Claim, segment: int) -> None:
    await Stage(conn).record(segment, claim)


async def _in_a_transaction(db: Database, work: Callable[[Conn], Awaitable[None]]) -> None:
    async with db.transaction() as conn:
        await work(conn)
