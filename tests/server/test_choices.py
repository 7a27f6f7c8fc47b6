"""A data folder goes on with the database and the store that were chosen for it."""

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


def settings(data: Path, **said: str) -> Settings:
    return Settings(data=data, **said)  # pyright: ignore[reportArgumentType]


def test_what_is_said_wins_over_what_was_kept(tmp_path: Path) -> None:
    choices.keep(settings(tmp_path, database_url="postgresql://first/genlock", blobs="/mnt/bytes"))
    found = choices.recalled(settings(tmp_path))
    assert (found.database_url, found.blobs) == ("postgresql://first/genlock", "/mnt/bytes")
    found = choices.recalled(settings(tmp_path, database_url="postgresql://second/genlock"))
    assert (found.database_url, found.blobs) == ("postgresql://second/genlock", "/mnt/bytes")


def test_default_goes_back_to_the_folder_itself(tmp_path: Path) -> None:
    choices.keep(settings(tmp_path, database_url="postgresql://first/genlock", blobs="/mnt/bytes"))
    found = choices.recalled(settings(tmp_path, database_url="default", blobs="default"))
    assert (found.database_url, found.blobs) == (None, None)
    choices.keep(found)
    assert choices.recalled(settings(tmp_path)).database_url is None


def test_a_relative_store_is_kept_as_the_folder_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert choices.recalled(settings(tmp_path, blobs="bytes")).blobs == str(tmp_path / "bytes")


def test_folders_are_watched_until_others_are_said(tmp_path: Path) -> None:
    first, second = tmp_path / "models", tmp_path / "input"
    choices.keep(Settings(data=tmp_path, scan_folders=(first, second), scan_keep=False))
    found = choices.recalled(Settings(data=tmp_path))
    assert (found.scan_folders, found.keeps_scanned) == ((first, second), False)
    found = choices.recalled(Settings(data=tmp_path, scan_folders=(second,), scan_keep=True))
    assert (found.scan_folders, found.keeps_scanned) == ((second,), True)


def test_default_watches_nothing_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choices.keep(Settings(data=tmp_path, scan_folders=(tmp_path / "models",)))
    monkeypatch.setenv("GENLOCK_SCAN_FOLDERS", "default")
    said = Settings(data=tmp_path)
    assert said.as_environment()["GENLOCK_SCAN_FOLDERS"] == "default", "a server that is started reads the same"
    found = choices.recalled(said)
    assert found.scan_folders == ()
    choices.keep(found)
    monkeypatch.delenv("GENLOCK_SCAN_FOLDERS")
    assert choices.recalled(Settings(data=tmp_path)).scan_folders == ()


def test_comfyui_is_found_again(tmp_path: Path) -> None:
    """With its folder and secret, which are not those of another one."""

    def known(**said: str) -> list[str | Path | None]:
        found = choices.recalled(settings(tmp_path, **said))
        return [found.comfyui_url, found.comfyui_folder, found.comfyui_secret]

    first, other = "http://127.0.0.1:8188", "http://127.0.0.1:8189"
    assert known() == [None, None, None]
    choices.keep(settings(tmp_path, comfyui_url=first, comfyui_folder="/comfy", comfyui_secret="s1"))
    assert known() == [first, Path("/comfy"), "s1"]
    assert known(comfyui_folder="/moved") == [first, Path("/moved"), "s1"]
    assert known(comfyui_url=other) == [other, None, None]
    assert known(comfyui_url="default") == [None, None, None]
    assert choices.recalled(settings(tmp_path)).as_environment()["GENLOCK_COMFYUI_URL"] == first, "workers are told"


def test_what_an_earlier_version_kept_is_read(tmp_path: Path) -> None:
    (tmp_path / "choices.json").write_text('{"database_url":"postgresql://first/genlock"}\n')
    found = choices.recalled(settings(tmp_path))
    assert (found.database_url, found.scan_folders, found.keeps_scanned) == ("postgresql://first/genlock", (), True)


@pytest.mark.parametrize("name", ["two:folders", "bad\udcffname", "two\nlines"])
def test_a_folder_that_cannot_be_handed_on_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be watched"):
        Settings(data=tmp_path, scan_folders=(tmp_path / name,))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "choices.json").write_text('{"database_url": 7}')
    with pytest.raises(Invalid, match=r"choices\.json cannot be read"):
        choices.recalled(settings(tmp_path))


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


def test_a_database_that_never_answered_is_not_kept(tmp_path: Path) -> None:
    failed = subprocess.run(
        command(tmp_path / "data", "postgresql://127.0.0.1:1/nowhere"), capture_output=True, text=True, timeout=120
    )
    assert failed.returncode == 1
    assert not (tmp_path / "data" / "choices.json").exists()
