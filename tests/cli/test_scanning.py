"""``genlock scan``: the report as text and as JSON, for uploads and for folders that the server reads."""

import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.cli.conftest import Run, heed_interrupts, in_process
from tests.client.served import Served, served
from tests.fixtures_postgres import fresh_database

from genlock.cli.exit_codes import INTERRUPTED


def test_a_scan_of_a_folder_is_reported(genlock: Run, slug: str, tmp_path: Path) -> None:
    loras = tmp_path / "models" / "loras"
    loras.mkdir(parents=True)
    (loras / f"{slug}.pt").write_bytes(b"rain")
    scan = genlock("scan", str(tmp_path))
    assert scan.code == 0, scan.err
    assert "files are uploaded from here" in scan.err
    assert f"lora:{slug}@1 is new and active." in scan.out
    assert "1 file: 1 new version, 0 unchanged." in scan.out

    (loras / f"{slug}.safetensors").write_bytes(b"half")
    refused = genlock("scan", str(tmp_path), "--json")
    assert refused.code == 1
    assert [change["outcome"] for change in refused.document["changes"]] == ["refused"]
    assert "cannot be a version" in refused.err
    again = genlock("scan", str(tmp_path / "models"))
    assert (again.code, "2 unchanged" in again.out) == (0, True)


def test_a_folder_that_cannot_be_scanned_is_reported(genlock: Run, tmp_path: Path) -> None:
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
    """Start a server that may read a folder itself."""
    (tmp_path / "models" / "loras").mkdir(parents=True)
    with (
        fresh_database(postgres, template) as database,
        served(tmp_path / "data", database, register_roots=str(tmp_path / "models")) as running,
    ):
        yield running


def test_a_scan_in_place_is_followed_while_the_server_watches(watched: Served, tmp_path: Path) -> None:
    environment, rain = watched.environment(), tmp_path / "models" / "loras" / "rain.pt"
    rain.write_bytes(b"rain 1")
    scan = in_process(environment, ("scan", str(tmp_path / "models"), "--in-place"))
    assert (scan.code, scan.err) == (0, "")
    assert "lora:rain@1 is new and active." in scan.out
    rain.write_bytes(b"rain 2")
    watching = subprocess.Popen(
        [sys.executable, "-m", "genlock.cli", "scan", str(tmp_path / "models"), "--in-place", "--watch"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert watching.stdout is not None
    with watching:
        line = next(line for line in watching.stdout if "lora:rain@2" in line)
        assert "in the place of v1, whose bytes are gone: they were not kept" in line
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == INTERRUPTED
    assert "bytes gone just now" in in_process(environment, ("asset", "show", "lora:rain")).out
