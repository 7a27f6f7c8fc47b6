"""Folders are watched: real files are created, replaced, overwritten in place, appended to, deleted and restored."""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.watching.disk import REST_S, Disk, weights

from genlock.blobs.disk import DiskStore
from genlock.digest import digest_of
from genlock.errors import Conflict, Denied, NotFound
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.identify import identify_stamped
from genlock.library.model import NewAsset
from genlock.model import Actor, Kind
from genlock.staleness import activation
from genlock.watching.model import ScannedFile, ScanOutcome, line_of
from genlock.watching.scanner import Scanner

IN_TIME_S = 5.0
PATIENCE_S = 60.0


async def in_time(what: Callable[[], Awaitable[bool]]) -> float:
    """Return how many seconds a condition took to become true."""
    started_s = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while not await what():  # noqa: ASYNC110 - on a disk and in a database, which set no event here
            await asyncio.sleep(0.05)
    return time.monotonic() - started_s


async def test_a_name_that_is_not_text_does_not_hide_other_files(disk: Disk) -> None:
    loras = disk.lora("rain", 1).parent
    weights(loras / os.fsdecode(b"bad\xffname.safetensors"), 2)
    weights(loras / os.fsdecode(b"bad\xffdir") / "within.safetensors", 3)
    weights(loras / "zoom\nout.safetensors", 4)
    (loras / "link.safetensors").symlink_to(loras / os.fsdecode(b"bad\xffname.safetensors"))
    scan = await disk.scan()
    assert {(change.name, change.version) for change in scan.changes if change.outcome is ScanOutcome.CREATED} == {
        ("rain", 1),
        ("zoom_out", 1),
    }
    why = "Its name is not UTF-8: rename it."
    refused = {(change.path, change.why) for change in scan.changes if change.outcome is ScanOutcome.UNREADABLE}
    assert refused == {(f"{loras}/bad\\xffname.safetensors", why), (f"{loras}/bad\\xffdir", why)}
    assert all("\n" not in line_of(change) and line_of(change).isprintable() for change in scan.changes)
    assert scan.model_dump_json(), "it fits into an answer"


async def test_new_files_are_assets_by_their_folder_and_stem(disk: Disk, samples_folder: Path) -> None:
    rain = disk.lora("rain", 1)
    weights(disk.folder / "models" / "vae" / "wan.safetensors", 2)
    weights(disk.folder / "models" / "checkpoints" / "tiny.safetensors", 3)
    (disk.folder / "input").mkdir()
    shutil.copy(samples_folder / "portrait_v1.png", disk.folder / "input" / "portrait.png")
    (disk.folder / "models" / "loras" / "put_loras_here").touch()
    scan = await disk.scan()
    assert (scan.files, scan.unchanged, scan.remaining) == (4, 0, 0)
    created = {(change.kind, change.name, change.version, change.active, change.outcome) for change in scan.changes}
    assert created == {
        (kind, name, 1, True, ScanOutcome.CREATED)
        for kind, name in (
            (Kind.LORA, "rain"),
            (Kind.VAE, "wan"),
            (Kind.MODEL, "tiny"),
            (Kind.SOURCE_IMAGE, "portrait"),
        )
    }
    version = await disk.version("rain", 1)
    assert (version.filename, version.in_place, version.gone_since) == ("rain.safetensors", False, None)
    assert disk.store.read_verified(version.digest) == rain.read_bytes()
    again = await disk.scan()
    assert (again.files, again.unchanged, again.changes) == (4, 4, ())


async def test_a_file_that_was_overwritten_in_any_way_is_a_new_version(disk: Disk) -> None:
    for seed, name in enumerate(("renamed", "written", "sly", "left")):
        disk.lora(name, seed)
    touched = disk.lora("touched", 5)
    await disk.scan()
    loras = disk.folder / "models" / "loras"

    weights(disk.folder / "aside.safetensors", 11).replace(loras / "renamed.safetensors")
    (loras / "written.safetensors").write_bytes(weights(disk.folder / "aside.safetensors", 12).read_bytes())
    sly = loras / "sly.safetensors"
    before = sly.stat()
    content = weights(disk.folder / "aside.safetensors", 13).read_bytes()
    with sly.open("r+b") as file:
        file.write(content)
    os.utime(sly, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = sly.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    touched.touch()

    changes = await disk.changes()
    assert changes == [("created", name, 2) for name in ("renamed", "sly", "written")]
    assert [version for version in await disk.all_versions() if version[2]] == [
        ("left", 1, True),
        ("renamed", 2, True),
        ("sly", 2, True),
        ("touched", 1, True),
        ("written", 2, True),
    ]
    assert disk.store.read_verified((await disk.version("sly", 2)).digest) == content
    # The previous version is stored, and is active again when its content is restored.
    weights(sly, 2)
    assert await disk.changes() == [("exists", "sly", 1)]
    assert (await disk.version("sly", 1)).active


async def test_a_watched_change_is_noticed_within_seconds(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "genlock.watching")
    disk.lora("rain", 1)
    away = disk.folder / "input"
    unreadable = disk.folder / "models" / "vae"
    unreadable.parent.mkdir(exist_ok=True)
    unreadable.symlink_to(unreadable)
    scanner = Scanner(disk.db, disk.store, [disk.folder])
    watching = asyncio.create_task(scanner.watch([disk.folder / "models", away], keep=True))

    async def is_at(number: int, name: str = "rain") -> bool:
        return (name, number, True) in await disk.all_versions()

    try:
        took_s = [await in_time(lambda: is_at(1))]
        weights(disk.folder / "aside.safetensors", 2).replace(disk.folder / "models" / "loras" / "rain.safetensors")
        took_s.append(await in_time(lambda: is_at(2)))
        disk.lora("rain", 3)
        took_s.append(await in_time(lambda: is_at(3)))
        print(f"noticed after {', '.join(f'{elapsed_s:.1f} s' for elapsed_s in took_s)}; {IN_TIME_S:.0f} s are allowed")
        assert not watching.done()
        away.mkdir()
        (away / "voice.wav").write_bytes(b"RIFF")
        await in_time(lambda: is_at(1, "voice"))
        assert sum("cannot be read" in line for line in caplog.messages) == 1, "four scans found it unchanged"
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await scanner.close()


async def test_a_file_that_is_still_being_written_is_not_read_yet(disk: Disk) -> None:
    whole = weights(disk.folder / "aside.safetensors", 1, 4096).read_bytes()
    growing = disk.folder / "models" / "loras" / "rain.safetensors"
    growing.parent.mkdir(parents=True)
    looking = asyncio.create_task(disk.scan(budget_s=30))
    with growing.open("wb", buffering=0) as file:
        for at in range(0, len(whole), 4096):
            file.write(whole[at : at + 4096])
            await asyncio.sleep(REST_S / 2)
    await looking
    await disk.scan()
    assert await disk.all_versions() == [("rain", 1, True)]
    assert (await disk.version("rain", 1)).digest == digest_of(whole)


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, store: DiskStore) -> None:
    path = weights(tmp_path / "rain.safetensors", 1, 2**20)
    changes = iter([7, 8])

    def change() -> None:
        seed = next(changes, None)
        if seed is not None:
            weights(path, seed, 2**20)

    stamp, identity = identify_stamped(path, Kind.LORA, store=store, checkpoint=change)
    assert identity.digest == digest_of(path.read_bytes())
    assert stamp.size_bytes == path.stat().st_size
    assert list(store.digests()) == [identity.digest], "nothing of what was torn is kept"


def test_a_file_that_keeps_changing_is_refused_and_leaves_nothing(tmp_path: Path, store: DiskStore) -> None:
    path = tmp_path / "rain.bin"
    path.write_bytes(b"x" * 2**20)

    def change() -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(Conflict) as refused:
        identify_stamped(path, Kind.OTHER, store=store, checkpoint=change)
    assert refused.value.code == "file_keeps_changing"
    assert list(store.digests()) == []


async def test_an_invalid_file_is_reported_once_and_read_again_when_it_changes(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    broken = disk.folder / "models" / "loras" / "broken.safetensors"
    broken.write_bytes(rain.read_bytes()[:-10])
    scan = await disk.scan()
    refused = [change for change in scan.changes if change.outcome is ScanOutcome.REFUSED]
    assert [(change.path, "broken.safetensors" in (change.why or "")) for change in refused] == [(str(broken), True)]
    assert (await disk.scan()).changes == ()
    broken.write_bytes(weights(disk.folder / "aside.safetensors", 9).read_bytes())
    assert await disk.changes() == [("created", "broken", 1)]


async def test_an_archived_asset_is_left_alone(disk: Disk, actor: Actor) -> None:
    disk.lora("rain", 1)
    (change,) = (await disk.scan()).changes
    assert change.asset_id is not None
    async with disk.db.transaction() as conn:
        await library.archive_asset(conn, change.asset_id, actor)
    disk.lora("rain", 2)
    assert (await disk.scan()).changes == ()
    async with disk.db.transaction() as conn:
        await library.restore_asset(conn, change.asset_id, actor)
    assert await disk.changes() == [("created", "rain", 2)]


async def test_an_asset_of_that_name_is_adopted_and_a_known_file_changes_nothing(disk: Disk, actor: Actor) -> None:
    rain = disk.lora("rain", 1)
    await disk.scan()
    weights(rain, 2)
    await disk.scan()
    async with disk.db.transaction() as conn:
        (asset,) = await library_sql.assets_named(conn, [(Kind.LORA, "rain")], None)
        await activation.activate(conn, asset.id, 1, actor)
    rain.touch()
    assert await disk.changes() == []
    other = disk.folder / "models" / "loras" / "again" / "rain.safetensors"
    other.parent.mkdir()
    shutil.copy(rain, other)
    assert await disk.changes() == [("exists", "rain", 2)]
    assert (await disk.version("rain", 1)).active, "what lies there is no news, so a person's choice stays"
    async with disk.db.transaction() as conn:
        await library.create_asset(conn, NewAsset(kind=Kind.VAE, name="wan"), actor)
    weights(disk.folder / "models" / "vae" / "wan.safetensors", 3)
    assert await disk.changes() == [("created", "wan", 1)]


async def test_links_are_followed_but_not_out_of_the_roots(
    disk: Disk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    weights(elsewhere / "loras" / "secret.safetensors", 1)
    inside = weights(disk.folder.parent / "store" / "rain.safetensors", 2)
    loras = disk.folder / "models" / "loras"
    loras.mkdir(parents=True)
    (loras / "rain.safetensors").symlink_to(inside)
    (loras / "secret.safetensors").symlink_to(elsewhere / "loras" / "secret.safetensors")
    (loras / "more").symlink_to(elsewhere / "loras")
    (loras / "round").symlink_to(loras)
    (loras / "nowhere.safetensors").symlink_to(loras / "nothing")
    scan = await disk.scan()
    assert [(change.name, change.path) for change in scan.changes] == [("rain", str(inside))]
    assert set(scan.outside) == {str(loras / "secret.safetensors"), str(elsewhere / "loras")}
    with pytest.raises(Denied) as denied:
        await disk.scanner.scan([elsewhere], keep=True)
    assert denied.value.code == "outside_roots"


async def test_a_missing_disk_does_not_mark_files_as_gone(disk: Disk) -> None:
    disk.lora("rain", 1)
    await disk.scan(keep=False)
    disk.folder.rename(disk.folder.with_name("unmounted"))
    with pytest.raises(NotFound):
        await disk.scan(keep=False)
    assert (await disk.version("rain", 1)).gone_since is None


async def test_files_with_times_in_the_future_are_waited_for_by_the_local_clock(disk: Disk) -> None:
    rain = disk.lora("rain", 1)
    tomorrow_ns = time.time_ns() + 86_400 * 10**9
    os.utime(rain, ns=(tomorrow_ns, tomorrow_ns))
    assert await disk.changes() == [("created", "rain", 1)]


async def test_concurrent_scans_create_one_version(disk: Disk) -> None:
    other = Scanner(disk.db, disk.store, [disk.folder], rest_s=REST_S)
    for seed in (1, 2):
        for name in ("rain", "snow", "fog"):
            disk.lora(name, 10 * seed + len(name))
        both = await asyncio.gather(disk.scan(), other.scan([disk.folder], keep=True))
        assert all(scan.remaining == 0 for scan in both)
    await other.close()
    assert await disk.all_versions() == [
        (name, number, number == 2) for name in ("fog", "rain", "snow") for number in (1, 2)
    ]


async def test_an_interrupted_scan_is_continued(disk: Disk) -> None:
    for number in range(5):
        disk.lora(f"rain{number}", number)
    first = await disk.scan(budget_s=0.0)
    assert (first.files, first.remaining, first.settling) == (5, 5, 5)
    await asyncio.sleep(2 * REST_S)
    changes: list[ScannedFile] = []
    scans = 0
    while scans == 0 or len(changes) < 5:
        changes += (await disk.scan(budget_s=0.0)).changes
        scans += 1
    assert sorted(change.name or "" for change in changes) == [f"rain{number}" for number in range(5)]
    assert scans > 1


@pytest.mark.long
async def test_two_thousand_unchanged_files_are_recognised_without_reading_them(disk: Disk) -> None:
    for number in range(2000):
        path = disk.folder / "models" / "embeddings" / f"{number % 20}" / f"e{number}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights %d" % number)
    while (await disk.scan(keep=False, budget_s=30)).remaining:
        pass
    started_s = time.monotonic()
    scan = await disk.scan(keep=False)
    print(f"2,000 unchanged files: {time.monotonic() - started_s:.2f} s")
    assert (scan.files, scan.unchanged, scan.changes) == (2000, 2000, ())
