"""Bytes that were not copied: gone with their file, available again with it, located after it was moved."""

from tests.watching.disk import Disk

from genlock.db.connection import rows
from genlock.library import in_place_sql
from genlock.watching.model import ScanOutcome


async def test_bytes_that_were_not_copied_are_gone_when_a_file_is_overwritten(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    content = rain.read_bytes()
    assert await disk.changes(keep=False) == [("created", "rain", 1)]
    assert list(disk.store.digests()) == []
    first = await disk.version("rain", 1)
    assert (first.in_place, first.gone_since) == (True, None)

    disk.lora("rain", 2)
    (change,) = (await disk.scan(keep=False)).changes
    assert (change.outcome, change.version, change.replaced, change.replaced_gone) == (ScanOutcome.CREATED, 2, 1, True)
    assert (await disk.version("rain", 1)).gone_since is not None
    assert (await disk.version("rain", 2)).gone_since is None
    async with disk.db.transaction() as conn:
        events = await rows(conn, "SELECT subject, data FROM events WHERE verb = 'version.bytes_gone'")
    assert [row["data"]["version"] for row in events] == [1]

    async with disk.db.transaction() as conn:
        assert await in_place_sql.in_place_path(conn, first.asset_id, 1) is None

    # A copy anywhere makes them available again; its name makes no difference.
    copy = disk.folder / "models" / "loras" / "backup" / "rain.safetensors"
    copy.parent.mkdir()
    copy.write_bytes(content)
    assert await disk.changes(keep=False) == [("created", "rain (backup)", 1)], "one file of that name is there already"
    assert (await disk.version("rain", 1)).gone_since is None
    async with disk.db.transaction() as conn:
        assert await in_place_sql.in_place_path(conn, first.asset_id, 1) == str(copy)


async def test_a_moved_file_keeps_its_version(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    await disk.scan(keep=False)
    target = rain.parent / "weather" / rain.name
    target.parent.mkdir()
    rain.rename(target)
    assert await disk.changes(keep=False) == [("exists", "rain", 1), ("gone", "rain", 1)]
    version = await disk.version("rain", 1)
    assert version.gone_since is None
    async with disk.db.transaction() as conn:
        assert await in_place_sql.in_place_path(conn, version.asset_id, 1) == str(target)
    target.rename(rain)
    assert [outcome for outcome, _, _ in await disk.changes(keep=False)][-1] == "gone"
    assert await disk.all_versions() == [("rain", 1, True)]


async def test_deleted_files_are_gone_and_available_again_when_restored(disk: Disk) -> None:
    rain, snow = disk.lora("rain", 1), disk.lora("snow", 2)
    await disk.scan(keep=False)
    aside = disk.folder / "aside"
    rain.rename(aside)
    snow.unlink()
    changes = (await disk.scan(keep=False)).changes
    assert {(change.outcome, change.name, change.why is not None) for change in changes} == {
        (ScanOutcome.GONE, "rain", True),
        (ScanOutcome.GONE, "snow", True),
    }
    assert (await disk.version("rain", 1)).gone_since is not None
    assert (await disk.scan(keep=False)).changes == ()
    aside.rename(rain)
    back = await disk.changes(keep=False)
    assert [(name, version) for _, name, version in back] == [("rain", 1)]
    assert (await disk.version("rain", 1)).gone_since is None
    assert (await disk.version("snow", 1)).gone_since is not None


async def test_bytes_that_were_not_copied_are_copied_by_a_scan_that_keeps_them(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    await disk.scan(keep=False)
    assert await disk.changes(keep=True) == []
    assert list(disk.store.digests()) == [(await disk.version("rain", 1)).digest]
    assert (await disk.scan(keep=True)).unchanged == 1
    rain.unlink()
    await disk.scan(keep=False)
    assert (await disk.version("rain", 1)).gone_since is None


async def test_copied_bytes_outlive_their_file(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    await disk.scan()
    rain.unlink()
    (change,) = (await disk.scan()).changes
    assert (change.outcome, change.why) == (ScanOutcome.GONE, None)
    assert (await disk.version("rain", 1)).gone_since is None
