"""``genlock scan``: what is found is told in words and as JSON, by whichever way the folder can be looked into."""

import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.cli.conftest import Run, in_process
from tests.client.served import Served, served
from tests.fixtures_postgres import fresh_database

from genlock.cli.exit_codes import INTERRUPTED


def test_a_folder_is_scanned_and_told(genlock: Run, slug: str, tmp_path: Path) -> None:
    loras = tmp_path / "models" / "loras"
    loras.mkdir(parents=True)
    (loras / f"{slug}.pt").write_bytes(b"rain")
    told = genlock("scan", str(tmp_path))
    assert told.code == 0, told.err
    assert "files are uploaded from here" in told.err
    assert f"lora:{slug}@1 is new and active." in told.out
    assert "1 file: 1 new version, 0 unchanged." in told.out

    (loras / f"{slug}.safetensors").write_bytes(b"half")
    refused = genlock("scan", str(tmp_path), "--json")
    assert refused.code == 1
    assert [one["outcome"] for one in refused.document["news"]] == ["refused"]
    assert "cannot be a version" in refused.err
    again = genlock("scan", str(tmp_path / "models"))
    assert (again.code, "2 unchanged" in again.out) == (0, True)


def test_what_cannot_be_scanned_is_told(genlock: Run, tmp_path: Path) -> None:
    in_place = genlock("scan", str(tmp_path), "--in-place")
    assert (in_place.code, "GENLOCK_SCAN_FOLDERS" in in_place.err) == (1, True)
    assert genlock("scan", str(tmp_path / "none")).code == 1
    (tmp_path / "rain.pt").write_bytes(b"in no folder that says what it is")
    unsorted = genlock("scan", str(tmp_path))
    assert (unsorted.code, "The folder gives the kind" in unsorted.out) == (0, True)
    nothing = genlock("scan")
    assert (nothing.code, "No folder is named" in nothing.err) == (1, True)


@pytest.fixture
def watched(postgres: str, template: str, tmp_path: Path) -> Generator[Served]:
    """A server that may look into a folder itself."""
    (tmp_path / "models" / "loras").mkdir(parents=True)
    with (
        fresh_database(postgres, template) as database,
        served(tmp_path / "data", database, register_roots=str(tmp_path / "models")) as running,
    ):
        yield running


def test_the_server_looks_by_itself_and_is_watched_over(watched: Served, tmp_path: Path) -> None:
    environment, rain = watched.environment(), tmp_path / "models" / "loras" / "rain.pt"
    rain.write_bytes(b"rain 1")
    told = in_process(environment, ("scan", str(tmp_path / "models"), "--in-place"))
    assert (told.code, told.err) == (0, "")
    assert "lora:rain@1 is new and active." in told.out
    rain.write_bytes(b"rain 2")
    watching = subprocess.Popen(
        [sys.executable, "-m", "genlock.cli", "scan", str(tmp_path / "models"), "--in-place", "--watch"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    with watching:
        line = next(line for line in watching.stdout if "lora:rain@2" in line)
        assert "in the place of v1, whose bytes are gone: they were not kept" in line
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == INTERRUPTED
    assert "bytes gone just now" in in_process(environment, ("asset", "show", "lora:rain")).out
