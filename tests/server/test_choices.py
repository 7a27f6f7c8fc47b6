"""A data folder keeps the database and the store that were selected for it."""

import stat
import subprocess
from pathlib import Path

import psycopg
import pytest
from pydantic import ValidationError
from tests.server.test_process import announced, command, ended, running

from genlock.errors import Invalid
from genlock.server import choices
from genlock.settings import Settings


def settings(data: Path, **values: str) -> Settings:
    return Settings(data=data, **values)  # pyright: ignore[reportArgumentType]


def test_given_settings_win_over_stored_ones(tmp_path: Path) -> None:
    choices.store(settings(tmp_path, database_url="postgresql://first/genlock", blobs="/mnt/bytes"))
    merged = choices.with_stored_values(settings(tmp_path))
    assert (merged.database_url, merged.blobs) == ("postgresql://first/genlock", "/mnt/bytes")
    merged = choices.with_stored_values(settings(tmp_path, database_url="postgresql://second/genlock"))
    assert (merged.database_url, merged.blobs) == ("postgresql://second/genlock", "/mnt/bytes")


def test_default_selects_the_folder_itself(tmp_path: Path) -> None:
    choices.store(settings(tmp_path, database_url="postgresql://first/genlock", blobs="/mnt/bytes"))
    merged = choices.with_stored_values(settings(tmp_path, database_url="default", blobs="default"))
    assert (merged.database_url, merged.blobs) == (None, None)
    choices.store(merged)
    assert choices.with_stored_values(settings(tmp_path)).database_url is None


def test_a_relative_store_is_stored_as_an_absolute_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert choices.with_stored_values(settings(tmp_path, blobs="bytes")).blobs == str(tmp_path / "bytes")


def test_folders_are_watched_until_others_are_given(tmp_path: Path) -> None:
    first, second = tmp_path / "models", tmp_path / "input"
    choices.store(Settings(data=tmp_path, scan_folders=(first, second), scan_keep=False))
    merged = choices.with_stored_values(Settings(data=tmp_path))
    assert (merged.scan_folders, merged.keeps_scanned) == ((first, second), False)
    merged = choices.with_stored_values(Settings(data=tmp_path, scan_folders=(second,), scan_keep=True))
    assert (merged.scan_folders, merged.keeps_scanned) == ((second,), True)


def test_default_stops_watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choices.store(Settings(data=tmp_path, scan_folders=(tmp_path / "models",)))
    monkeypatch.setenv("GENLOCK_SCAN_FOLDERS", "default")
    given = Settings(data=tmp_path)
    assert given.as_environment()["GENLOCK_SCAN_FOLDERS"] == "default", "a server that is started reads the same"
    merged = choices.with_stored_values(given)
    assert merged.scan_folders == ()
    choices.store(merged)
    monkeypatch.delenv("GENLOCK_SCAN_FOLDERS")
    assert choices.with_stored_values(Settings(data=tmp_path)).scan_folders == ()


def test_the_address_of_comfyui_is_stored(tmp_path: Path) -> None:
    """With its folder and secret, which do not belong to another one."""

    def recalled_comfyui(**values: str) -> list[str | Path | None]:
        merged = choices.with_stored_values(settings(tmp_path, **values))
        return [merged.comfyui_url, merged.comfyui_folder, merged.comfyui_secret]

    first, other = "http://127.0.0.1:8188", "http://127.0.0.1:8189"
    assert recalled_comfyui() == [None, None, None]
    choices.store(settings(tmp_path, comfyui_url=first, comfyui_folder="/comfy", comfyui_secret="s1"))
    assert recalled_comfyui() == [first, Path("/comfy"), "s1"]
    assert recalled_comfyui(comfyui_folder="/moved") == [first, Path("/moved"), "s1"]
    assert recalled_comfyui(comfyui_url=other) == [other, None, None]
    assert recalled_comfyui(comfyui_url="default") == [None, None, None]
    assert choices.with_stored_values(settings(tmp_path)).as_environment()["GENLOCK_COMFYUI_URL"] == first, (
        "workers read the same"
    )


def test_a_file_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    (tmp_path / "choices.json").write_text('{"database_url":"postgresql://first/genlock"}\n')
    merged = choices.with_stored_values(settings(tmp_path))
    assert (merged.database_url, merged.scan_folders, merged.keeps_scanned) == (
        "postgresql://first/genlock",
        (),
        True,
    )


@pytest.mark.parametrize("name", ["two:folders", "bad\udcffname", "two\nlines"])
def test_a_folder_that_cannot_be_passed_to_a_process_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be watched"):
        Settings(data=tmp_path, scan_folders=(tmp_path / name,))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "choices.json").write_text('{"database_url": 7}')
    with pytest.raises(Invalid, match=r"choices\.json cannot be read"):
        choices.with_stored_values(settings(tmp_path))


def test_a_later_start_uses_the_database_of_the_first(tmp_path: Path, database: str) -> None:
    data = tmp_path / "data"
    for given in (database, None):
        with running(command(data, given)) as process:
            assert announced(data)["pid"] == process.pid
            assert not (data / "postgres").exists(), "it brought up a database of its own"
            process.terminate()
            assert ended(process) == 0
    assert stat.S_IMODE((data / "choices.json").stat().st_mode) == 0o600
    with psycopg.connect(database) as conn:
        assert conn.execute("SELECT count(*) FROM genlock.tokens").fetchone() == (1,)


def test_a_database_that_never_answered_is_not_stored(tmp_path: Path) -> None:
    failed = subprocess.run(
        command(tmp_path / "data", "postgresql://127.0.0.1:1/nowhere"), capture_output=True, text=True, timeout=120
    )
    assert failed.returncode == 1
    assert not (tmp_path / "data" / "choices.json").exists()
