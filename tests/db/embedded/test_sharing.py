"""One server for every process that needs it: started by the first, stopped by the last, found again after any kill."""

import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import psycopg
from tests.db.embedded.stage import IS_ROOT, Stage, shown, until, words, write_word

from genlock.db.embedded import process, server
from genlock.db.embedded.owner import NOBODY


def test_attaching_gives_a_durable_server_behind_a_private_socket(durable_stage: Stage) -> None:
    actor = durable_stage.actor()
    conninfo = durable_stage.attached(actor)
    assert shown(conninfo, "listen_addresses") == ""
    assert [shown(conninfo, name) for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3
    assert shown(conninfo, "max_connections") == "100"
    assert shown(conninfo, "server_encoding") == "UTF8"
    assert shown(conninfo, "data_checksums") == "on"
    with psycopg.connect(conninfo) as conn:
        row = conn.execute("""
            SELECT current_database(), current_user, rolsuper, datlocale, 'Z' < 'a', 'z' < 'é', lower('É')
              FROM pg_roles, pg_database
             WHERE rolname = current_user AND datname = current_database()
        """).fetchone()
    assert row == ("genlock", "genlock", True, "C.UTF-8", True, True, "é")
    folder = Path(shown(conninfo, "unix_socket_directories"))
    expected = durable_stage.uid or NOBODY
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (expected, 0o700)
    assert (durable_stage.cluster.stat().st_uid, stat.S_IMODE(durable_stage.cluster.stat().st_mode)) == (
        expected,
        0o700,
    )
    assert Path("/proc", str(durable_stage.server_pid())).stat().st_uid == expected
    assert os.getsid(durable_stage.server_pid()) != os.getsid(actor.pid), "Ctrl-C must not reach the server"


def test_the_last_of_two_processes_stops_the_server(stage: Stage) -> None:
    first, second = stage.actor(), stage.actor()
    write_word(stage.attached(first), "one")
    pid = stage.server_pid()
    conninfo = stage.attached(second)
    assert stage.server_pid() == pid
    first.ask("detach")
    assert stage.server_pid() == pid
    assert words(conninfo) == ["one"]
    second.ask("detach")
    assert stage.is_stopped()
    assert words(stage.attached(first)) == ["one"]


def test_concurrent_processes_create_one_database(own_bare_stage: Stage) -> None:
    crowd = [own_bare_stage.actor() for _ in range(4)]
    for actor in crowd:
        actor.send("attach", **own_bare_stage.request)
    answers = [actor.answer() for actor in crowd]
    assert len({answer["conninfo"] for answer in answers}) == 1
    assert sum("Creating a new database." in answer["progress"] for answer in answers) == 1
    assert len(tuple((own_bare_stage.home / "users").iterdir())) == 4


def test_after_a_kill_of_its_user_the_server_is_found_again_and_stopped_by_the_next(stage: Stage) -> None:
    killed, following = stage.actor(), stage.actor()
    write_word(stage.attached(killed), "kept")
    pid = stage.server_pid()
    killed.kill()
    conninfo = stage.attached(following)
    assert stage.server_pid() == pid
    assert words(conninfo) == ["kept"]
    following.ask("detach")
    assert stage.is_stopped()
    assert not tuple((stage.home / "users").iterdir())


def test_after_a_kill_of_the_server_all_commits_are_available_at_the_same_address(stage: Stage) -> None:
    first, second = stage.actor(), stage.actor()
    conninfo = stage.attached(first)
    write_word(conninfo, "kept")
    killed = stage.kill_server()
    answer = stage.attach(second)
    assert stage.server_pid() != killed
    assert answer["owner_conninfo"] == conninfo
    assert any("not stopped properly" in message for message in answer["progress"])
    assert words(conninfo) == ["kept"]
    assert first.ask("ensure running")["restarted"] is False
    stage.kill_server()
    assert first.ask("ensure running")["restarted"] is True
    assert words(conninfo) == ["kept"]


def test_a_watched_server_is_restarted(own_stage: Stage) -> None:
    actor = own_stage.actor()
    conninfo = own_stage.attached(actor)
    write_word(conninfo, "kept")
    actor.ask("keep running")
    for _ in range(2):
        own_stage.kill_server()
        until(lambda: answers(conninfo))
        assert words(conninfo) == ["kept"]
    actor.ask("detach")
    assert own_stage.is_stopped()


def test_busy_processes_of_a_killed_server_are_ended_first(own_stage: Stage) -> None:
    actor = own_stage.actor()
    conninfo = own_stage.attached(actor)
    busy = psycopg.connect(conninfo, autocommit=True)
    backend = busy.info.backend_pid
    os.kill(backend, signal.SIGSTOP)  # it cannot notice that its server died
    own_stage.kill_server()
    assert process.serves(backend, own_stage.cluster)
    actor.send("ensure running")
    assert actor.answer()["restarted"] is True
    assert not process.serves(backend, own_stage.cluster)
    busy.close()


def test_a_backend_that_is_killed_does_not_disturb_attaching(own_stage: Stage) -> None:
    conninfo = own_stage.attached(own_stage.actor())
    write_word(conninfo, "kept")
    victim = psycopg.connect(conninfo, autocommit=True)
    os.kill(victim.info.backend_pid, signal.SIGKILL)
    victim.close()
    assert words(own_stage.attached(own_stage.actor())) == ["kept"]


def test_a_stale_process_id_of_another_program_is_ignored(stage: Stage) -> None:
    first, second = stage.actor(), stage.actor()
    conninfo = stage.attached(first)
    write_word(conninfo, "kept")
    killed = stage.kill_server()
    until(lambda: not process.survivors(stage.cluster))
    user = (stage.uid or NOBODY) if IS_ROOT else None
    with subprocess.Popen(["sleep", "600"], user=user) as other:
        run = Path(conninfo.split("'")[1])
        for path in (stage.cluster / "postmaster.pid", run / ".s.PGSQL.5432.lock"):
            path.write_text(path.read_text().replace(str(killed), str(other.pid), 1))
        assert words(stage.attached(second)) == ["kept"]
        assert other.poll() is None, "nothing was done to the other program"
        other.kill()


def test_kills_at_any_moment_of_the_start_lose_nothing(own_bare_stage: Stage) -> None:
    for delay_s in (0.02, 0.06, 0.15, 0.3, 0.5, 0.7):
        victim = own_bare_stage.actor()
        victim.send("attach", **own_bare_stage.request)
        until(lambda: own_bare_stage.home.exists())
        time.sleep(delay_s)
        victim.kill()
    actor = own_bare_stage.actor()
    write_word(own_bare_stage.attached(actor), "kept")
    assert len([pid for pid in process.survivors(own_bare_stage.cluster) if os.getsid(pid) == pid]) >= 1
    actor.ask("detach")
    assert own_bare_stage.is_stopped()
    assert not tuple(own_bare_stage.home.glob("cluster.new-*"))


def test_stopping_by_hand_is_refused_while_processes_are_attached(own_stage: Stage) -> None:
    user, other = own_stage.actor(), own_stage.actor()
    own_stage.attach(user)
    refused = other.refused("stop", home=str(own_stage.home))
    assert refused["error"] == "Conflict"
    assert str(user.pid) in refused["message"]
    user.kill()
    assert other.ask("stop", home=str(own_stage.home))["stopped"] is True
    assert own_stage.is_stopped()
    assert other.ask("stop", home=str(own_stage.home))["stopped"] is False


def test_stopping_a_missing_folder_does_not_create_it(own_bare_stage: Stage) -> None:
    assert server.stop(own_bare_stage.home) is False
    assert not own_bare_stage.home.exists()


def test_one_process_may_attach_twice(own_stage: Stage) -> None:
    with server.attach(own_stage.home) as outer:
        with server.attach(own_stage.home) as inner:
            assert inner.owner_conninfo == outer.owner_conninfo
        write_word(outer.owner_conninfo, "still here")
        inner.detach()  # a second time does nothing
        assert words(outer.owner_conninfo) == ["still here"]
    assert own_stage.is_stopped()


def answers(conninfo: str) -> bool:
    """Return whether a server accepts a connection."""
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True
