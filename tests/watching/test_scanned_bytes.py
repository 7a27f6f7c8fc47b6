"""Bytes that were not kept: gone with their file, there again with it, found where it was moved to."""

from tests.watching.disk import Disk

from genlock.db.connection import rows
from genlock.library import in_place_sql
from genlock.watching.model import ScanOutcome


async def test_bytes_that_were_not_kept_are_gone_when_a_file_is_overwritten(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    kept = rain.read_bytes()
    assert await disk.news(keep=False) == [("created", "rain", 1)]
    assert list(disk.store.digests()) == []
    first = await disk.version("rain", 1)
    assert (first.in_place, first.gone_since) == (True, None)

    disk.lora("rain", 2)
    (news,) = (await disk.look(keep=False)).news
    assert (news.outcome, news.version, news.replaced, news.replaced_gone) == (ScanOutcome.CREATED, 2, 1, True)
    assert (await disk.version("rain", 1)).gone_since is not None
    assert (await disk.version("rain", 2)).gone_since is None
    async with disk.db.transaction() as conn:
        told = await rows(conn, "SELECT subject, data FROM events WHERE verb = 'version.bytes_gone'")
    assert [row["data"]["version"] for row in told] == [1]

    async with disk.db.transaction() as conn:
        assert await in_place_sql.in_place_path(conn, first.asset_id, 1) is None

    # They come back with a copy, wherever that lies; what else it is called makes no difference to its bytes.
    copy = disk.folder / "models" / "loras" / "backup" / "rain.safetensors"
    copy.parent.mkdir()
    copy.write_bytes(kept)
    assert await disk.news(keep=False) == [("created", "rain (backup)", 1)], "one file of that name is there already"
    assert (await disk.version("rain", 1)).gone_since is None
    async with disk.db.transaction() as conn:
        assert await in_place_sql.in_place_path(conn, first.asset_id, 1) == str(copy)


async def test_a_file_that_is_moved_stays_what_it_is(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    await disk.look(keep=False)
    moved = rain.parent / "weather" / rain.name
    moved.parent.mkdir()
    rain.rename(moved)
    assert await disk.news(keep=False) == [("exists", "rain", 1), ("gone", "rain", 1)]
    version = await disk.version("rain", 1)
    assert version.gone_since is None
    async with disk.db.transaction() as conn:
        assert await in_place_sql.in_place_path(conn, version.asset_id, 1) == str(moved)
    moved.rename(rain)
    assert [outcome for outcome, _, _ in await disk.news(keep=False)][-1] == "gone"
    assert await disk.all_versions() == [("rain", 1, True)]


async def test_deleted_files_are_gone_and_come_back(disk: Disk) -> None:
    rain, snow = disk.lora("rain", 1), disk.lora("snow", 2)
    await disk.look(keep=False)
    aside = disk.folder / "aside"
    rain.rename(aside)
    snow.unlink()
    news = (await disk.look(keep=False)).news
    assert {(one.outcome, one.name, one.why is not None) for one in news} == {
        (ScanOutcome.GONE, "rain", True),
        (ScanOutcome.GONE, "snow", True),
    }
    assert (await disk.version("rain", 1)).gone_since is not None
    assert (await disk.look(keep=False)).news == ()
    aside.rename(rain)
    back = await disk.news(keep=False)
    assert [(name, version) for _, name, version in back] == [("rain", 1)]
    assert (await disk.version("rain", 1)).gone_since is None
    assert (await disk.version("snow", 1)).gone_since is not None


async def test_bytes_that_were_not_kept_are_kept_from_when_that_is_wanted(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    await disk.look(keep=False)
    assert await disk.news(keep=True) == []
    assert list(disk.store.digests()) == [(await disk.version("rain", 1)).digest]
    assert (await disk.look(keep=True)).unchanged == 1
    rain.unlink()
    await disk.look(keep=False)
    assert (await disk.version("rain", 1)).gone_since is None


async def test_kept_bytes_outlive_their_file(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    await disk.look()
    rain.unlink()
    (news,) = (await disk.look()).news
    assert (news.outcome, news.why) == (ScanOutcome.GONE, None)
    assert (await disk.version("rain", 1)).gone_since is None
