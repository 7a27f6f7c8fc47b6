"""Folders that the server process watches: changes are noticed, and versions complete whenever it is killed."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.server.test_process import client, command, running

PATIENCE_S = 120.0
MIB = 2**20


def wait_until(what: Callable[[], bool]) -> float:
    """Return how many seconds a condition took to become true."""
    started_s = time.monotonic()
    while not what():
        assert time.monotonic() - started_s < PATIENCE_S, "it never came to that"
        time.sleep(0.1)
    return time.monotonic() - started_s


def versions(asking: httpx.Client) -> dict[tuple[str, int], dict[str, Any]]:
    """Return every version, by name and number."""
    assets = asking.get("/api/v1/assets?limit=500").json()["items"]
    return {
        (asset["name"], version["number"]): version
        for asset in assets
        for version in asking.get(f"/api/v1/assets/{asset['id']}/versions").json()["items"]
    }


def content(asking: httpx.Client, version: dict[str, Any]) -> httpx.Response:
    return asking.get(f"/api/v1/assets/{version['asset_id']}/versions/{version['number']}/content")


def test_an_overwritten_file_in_a_watched_folder_is_noticed(tmp_path: Path, database: str) -> None:
    loras = tmp_path / "models" / "loras"
    loras.mkdir(parents=True)
    rain = loras / "rain.pt"
    watching = {"GENLOCK_SCAN_FOLDERS": str(tmp_path / "models"), "GENLOCK_SCAN_KEEP": "false"}
    with running(command(tmp_path / "data", database), watching), client(tmp_path / "data") as asking:
        took_s: list[float] = []
        for number in (1, 2):
            rain.write_bytes(b"rain %d" % number)
            took_s.append(wait_until(lambda number=number: ("rain", number) in versions(asking)))
        print(f"noticed after {took_s[0]:.1f} s and {took_s[1]:.1f} s; 5 s are allowed")
        current = versions(asking)
        assert (current["rain", 1]["gone_since"] is None, current["rain", 2]["gone_since"]) == (False, None)
        assert current["rain", 2]["active"] is True
        assert content(asking, current["rain", 1]).status_code == 404
        assert content(asking, current["rain", 2]).content == b"rain 2"
        rain.unlink()
        wait_until(lambda: versions(asking)["rain", 2]["gone_since"] is not None)


def test_a_later_start_continues_to_watch(tmp_path: Path, database: str) -> None:
    loras = tmp_path / "models" / "loras"
    loras.mkdir(parents=True)
    rain = loras / "rain.pt"
    watching = {"GENLOCK_SCAN_FOLDERS": str(tmp_path / "models"), "GENLOCK_SCAN_KEEP": "false"}
    for number, environment in enumerate((watching, {}), start=1):
        rain.write_bytes(b"rain %d" % number)
        with running(command(tmp_path / "data", database), environment) as process, client(tmp_path / "data") as asking:
            wait_until(lambda number=number, asking=asking: ("rain", number) in versions(asking))
            assert versions(asking)["rain", number]["in_place"] is True, "the setting not to keep bytes was lost"
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    nothing = {"GENLOCK_SCAN_FOLDERS": "default"}
    with running(command(tmp_path / "data", database), nothing), client(tmp_path / "data") as asking:
        answer = asking.post("/api/v1/scans", json={})
        assert (answer.status_code, answer.json()["code"]) == (422, "no_folder"), "it was configured to watch nothing"


@pytest.mark.long
def test_a_server_that_is_killed_in_mid_scan_leaves_no_partial_version(tmp_path: Path, database: str) -> None:
    loras = tmp_path / "models" / "loras"
    loras.mkdir(parents=True)
    files = 40
    for number in range(files):
        (loras / f"rain{number}.pt").write_bytes(number.to_bytes(2) * (4 * MIB))
    watching = {"GENLOCK_SCAN_FOLDERS": str(tmp_path / "models")}
    killed_at: list[int] = []
    for least in (1, 10, 20):
        with running(command(tmp_path / "data", database), watching) as process, client(tmp_path / "data") as asking:
            wait_until(lambda least=least, asking=asking: len(versions(asking)) >= least)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with psycopg.connect(database) as looking:
            killed_at.append(looking.execute("SELECT count(*) FROM genlock.scanned_files").fetchall()[0][0])
    print(f"killed when {killed_at} of {files} files were known")
    with running(command(tmp_path / "data", database), watching), client(tmp_path / "data") as asking:
        wait_until(lambda: len(versions(asking)) >= files)
        current = versions(asking)
        assert sorted(current) == sorted((f"rain{number}", 1) for number in range(files))
        for number in range(files):
            bytes_kept = content(asking, current[f"rain{number}", 1])
            assert bytes_kept.content == number.to_bytes(2) * (4 * MIB)
