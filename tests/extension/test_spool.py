"""Records wait on disk until they are delivered: complete, in order, and after any end of the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from comfyui.spool import RECORD, Spool, output_name, read_record


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_a_record_waits_from_its_end_until_its_delivery(spool: Spool, tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(b"video")
    entry = spool.begin("a", {"run": "a", "known": 1}, [str(video), None, str(tmp_path / "gone")])
    assert spool.waiting() == []
    ready = spool.finish(entry, {"run": "a", "known": 2})
    assert spool.waiting() == [ready]
    assert read_record(ready) == {"run": "a", "known": 2}
    video.unlink()
    assert (ready / output_name(0)).read_bytes() == b"video", "whoever removes the file leaves this one"
    assert sorted(path.name for path in ready.iterdir()) == [output_name(0), RECORD]
    spool.delivered(ready)
    assert list(spool.folder.iterdir()) == []


def test_the_oldest_record_is_first(spool: Spool) -> None:
    entries = [spool.begin(run, {"run": run}, []) for run in "cab"]
    for entry in reversed(entries):
        spool.finish(entry, {"run": entry.name.partition("-")[2][0]})
    assert [read_record(entry)["run"] for entry in spool.waiting()] == ["c", "a", "b"]


def test_complete_records_of_a_dead_process_are_delivered_and_partial_ones_removed(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    program = (
        "import os, sys; from pathlib import Path; from comfyui.spool import Spool\n"
        f"spool = Spool(Path({str(folder)!r}))\n"
        "entry = spool.begin('a', {'run': 'a', 'digest': None}, [])\n"
        "(spool.folder / f'2-b.{os.getpid()}.unfinished.new').mkdir()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    died = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False)
    assert died.returncode == -9
    assert len(list(folder.iterdir())) == 2
    (entry,) = Spool(folder).waiting()
    assert read_record(entry) == {"run": "a", "digest": None}
    assert list(folder.iterdir()) == [entry]


def test_records_of_a_running_process_are_unchanged(spool: Spool) -> None:
    foreign = spool.folder / f"1-a.{os.getppid()}.unfinished"
    foreign.mkdir()
    assert Spool(spool.folder).waiting() == []
    assert foreign.is_dir()


def test_a_refused_record_is_set_aside_with_the_reason(spool: Spool) -> None:
    spool.refuse(spool.finish(spool.begin("a", {"run": "a"}, []), {"run": "a"}), "422: no such thing")
    assert spool.waiting() == []
    (aside,) = spool.refused()
    assert (aside / "why.txt").read_text() == "422: no such thing\n"
    assert Spool(spool.folder).refused() == [aside]


def test_an_output_is_copied_where_links_are_impossible(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "video.mp4").write_bytes(b"video")
    entry = spool.begin("a", {"run": "a"}, [str(tmp_path / "video.mp4")])
    assert (entry / output_name(0)).read_bytes() == b"video"
    assert (entry / output_name(0)).stat().st_nlink == 1
