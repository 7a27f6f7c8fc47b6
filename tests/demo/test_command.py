"""`genlock demo` as a user types it: a separate server, a report of every figure, another project on the second run."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.demo.programs import plain_environment
from tests.fixtures_postgres import temporary_folder

from genlock.cli.demo.command import settings_of_demo
from genlock.settings import Settings


def test_settings_of_the_user_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("URL", "TOKEN", "DATABASE_URL", "DATABASE_OWNER_URL", "BLOBS"):
        monkeypatch.setenv(f"GENLOCK_{name}", "somebody-elses")
    settings = settings_of_demo(Settings(data=tmp_path), workers=2)
    assert settings.data == tmp_path / "demo"
    assert "somebody-elses" not in settings.as_environment().values()


@pytest.mark.long
def test_the_demo_runs_repeatedly() -> None:
    with temporary_folder() as folder:
        working_folder = folder / "working"
        working_folder.mkdir()
        environment = plain_environment(folder / "data")
        try:
            for slug in ("film", "film-2"):
                done = subprocess.run(
                    ["genlock", "demo", "--json"],
                    cwd=working_folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stderr
                report = json.loads((working_folder / "demo-report.json").read_text(encoding="utf-8"))
                assert json.loads(done.stdout) == report
                assert (report["project"], report["outcome"]) == (slug, "every figure holds")
                assert len(report["figures"]) > 50
                assert all(figure["actual"] == figure["expected"] for figure in report["figures"])
            data = ["--data", str(folder / "data" / "demo"), "--json"]
            listed = subprocess.run(
                ["genlock", "project", "list", *data], env=environment, capture_output=True, text=True, check=True
            )
            counts = {project["slug"]: project["counts"]["fresh"] for project in json.loads(listed.stdout)["items"]}
            assert counts == {"film": 60, "film-2": 60}
        finally:
            down = ["genlock", "down", "--data", str(folder / "data" / "demo")]
            subprocess.run(down, env=environment, capture_output=True, check=False)
