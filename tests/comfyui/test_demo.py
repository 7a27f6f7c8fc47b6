"""`make demo-comfyui` as a user runs it: every figure holds, and the exit code shows it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.comfyui.demo import truth_for
from tests.comfyui.server import ComfyServer, require_comfyui
from tests.demo.programs import plain_environment
from tests.fixtures_postgres import temporary_folder

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]


def play(report: Path, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the story; return its output and its exit code."""
    require_comfyui()
    return subprocess.run(
        [sys.executable, "-m", "tests.comfyui.demo", "--report", str(report)],
        cwd=ROOT,
        env={**plain_environment(data), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_figure_of_the_story_holds_with_a_real_comfyui() -> None:
    with temporary_folder() as folder:
        report = folder / "report.json"
        done = play(report, folder / "data")
        assert done.returncode == 0, done.stdout + done.stderr
        document = json.loads(report.read_text(encoding="utf-8"))
    figures = {figure["what"]: figure for figure in document["figures"]}
    assert document["outcome"] == "every figure holds"
    assert all(figure["actual"] == figure["expected"] for figure in document["figures"])
    assert figures["stale segments"]["actual"] == [2, 3, 4]
    assert figures["rendered"]["actual"] == 3
    assert {2, 3, 4} == {
        number for number in range(1, 5) if f"segment {number}: the new take has its frames" in figures
    }
    assert figures["the verdict"]["actual"] in ("identical", "same_frames")
    assert "3 segments in 1 scene used mara_v1 — you are on v2" in done.stdout


def test_the_story_plays_with_a_running_comfyui_and_is_proven_by_one_of_its_version(server: ComfyServer) -> None:
    with temporary_folder() as folder:
        report = folder / "report.json"
        others = {"GENLOCK_COMFYUI_URL": server.url, "GENLOCK_COMFYUI_FOLDER": str(server.base)}
        done = play(report, folder / "data", **others)
        assert done.returncode == 0, done.stdout + done.stderr
        document = json.loads(report.read_text(encoding="utf-8"))
    figures = {figure["what"] for figure in document["figures"]}
    assert {f"segment {number}: the new take has its frames" for number in (2, 3, 4)} <= figures


def test_the_proof_is_left_out_for_a_version_that_is_not_built(tmp_path: Path) -> None:
    reason = truth_for(tmp_path, "http://127.0.0.1:9")
    assert isinstance(reason, str)
    assert reason.startswith("the version of the ComfyUI at http://127.0.0.1:9 is not known")


def test_another_comfyui_requires_its_folder() -> None:
    with temporary_folder() as folder:
        done = play(folder / "report.json", folder / "data", GENLOCK_COMFYUI_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "GENLOCK_COMFYUI_FOLDER" in done.stdout
