"""Every problem of the server is reported clearly, with a way out, and leaves existing files unchanged."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.db.embedded.stage import IS_ROOT, Stage, copied_installation, until, words, write_word

from genlock.db.embedded import server
from genlock.db.embedded.errors import error_of_output
from genlock.errors import Conflict, Invalid, Unavailable

MB = 1024 * 1024

CAN_MOUNT = IS_ROOT and subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "x", "/mnt"]).returncode == 0
ON_SMALL_DISK = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o mode=755,size="$0" x "$1" && shift && exec "$@"')


def test_a_folder_of_another_version_is_refused_and_left_alone(own_stage: Stage) -> None:
    actor = own_stage.actor()
    write_word(own_stage.attached(actor), "kept")
    actor.ask("detach")
    version = own_stage.cluster / "PG_VERSION"
    version.write_text("16\n")
    refused = actor.refused("attach", **own_stage.request)
    assert refused["error"] == "Invalid"
    assert "PostgreSQL 16" in refused["message"]
    version.write_text("18\n")
    assert words(own_stage.attached(actor)) == ["kept"]


def test_damaged_files_are_reported_with_the_message_of_postgresql(own_stage: Stage) -> None:
    actor = own_stage.actor()
    own_stage.attach(actor)
    actor.ask("detach")
    control = own_stage.cluster / "global" / "pg_control"
    whole = control.read_bytes()
    control.unlink()
    refused = actor.refused("attach", **own_stage.request)
    assert refused["error"] == "Invalid"
    assert "pg_control" in refused["hint"]
    control.write_bytes(whole)
    shutil.copystat(own_stage.cluster / "PG_VERSION", control)
    os.chown(control, own_stage.cluster.stat().st_uid, own_stage.cluster.stat().st_gid)
    own_stage.attach(actor)


def test_a_folder_with_other_files_is_refused_and_left_alone(bare_stage: Stage) -> None:
    bare_stage.home.mkdir()
    (bare_stage.home / "thesis.txt").write_text("years of work")
    before = bare_stage.home.stat()
    assert "other files" in bare_stage.actor(uid=os.geteuid()).refused("attach", **bare_stage.request)["message"]
    assert (bare_stage.home.stat().st_mode, bare_stage.home.stat().st_uid) == (before.st_mode, before.st_uid)
    assert [path.name for path in bare_stage.home.iterdir()] == ["thesis.txt"]


def test_a_cluster_folder_with_other_files_is_refused_and_left_alone(own_bare_stage: Stage) -> None:
    own_bare_stage.cluster.mkdir(parents=True)
    (own_bare_stage.cluster / "thesis.txt").write_text("years of work")
    refused = own_bare_stage.actor().refused("attach", **own_bare_stage.request)
    assert refused["error"] == "Invalid"
    assert (own_bare_stage.cluster / "thesis.txt").read_text() == "years of work"


def test_a_path_through_a_file_is_refused(bare_stage: Stage) -> None:
    bare_stage.home.touch()
    actor = bare_stage.actor()
    assert "not a folder" in actor.refused("attach", **bare_stage.request)["message"]
    below = bare_stage.request | {"home": str(bare_stage.home / "below")}
    assert "not a folder" in actor.refused("attach", **below)["message"]


def test_a_folder_that_may_not_be_written_is_refused(ground: Path, bare_stage: Stage) -> None:
    # Root may write to any folder, so for root this is a read-only file system.
    closed = Path("/proc/genlock") if bare_stage.uid == 0 else ground / "closed" / "pg"
    (ground / "closed").mkdir(mode=0o555)
    refused = bare_stage.actor().refused("attach", **(bare_stage.request | {"home": str(closed)}))
    assert refused["error"] in ("Invalid", "Unavailable")
    assert str(closed.parent) in refused["message"]


def test_a_disk_too_small_for_a_new_database_is_reported_and_leaves_none(bare_stage: Stage) -> None:
    cramped = bare_stage.actor(limits={"RLIMIT_FSIZE": 256 * 1024})
    refused = cramped.refused("attach", **bare_stage.request)
    assert refused["error"] == "Unavailable"
    assert "no room left" in refused["message"]
    assert not bare_stage.cluster.exists()
    write_word(bare_stage.attached(bare_stage.actor()), "there is room now")


if CAN_MOUNT:

    def test_a_full_disk_is_reported_and_loses_nothing(ground: Path, own_bare_stage: Stage) -> None:
        disk = ground / "disk"
        disk.mkdir()
        request = own_bare_stage.request | {"home": str(disk / "pg")}

        tiny = own_bare_stage.actor(through=(*ON_SMALL_DISK, "20m", str(disk)))
        refused = tiny.refused("attach", **request)
        assert (refused["error"], "no room left" in refused["message"]) == ("Unavailable", True)

        small = own_bare_stage.actor(through=(*ON_SMALL_DISK, "70m", str(disk)))
        mounted = Path(f"/proc/{small.pid}/root{disk}")  # its own mount, as seen from this process
        small.ask("attach", **request)
        small.ask("detach")
        ballast = mounted / "ballast"
        with pytest.raises(OSError, match="No space left"), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        refused = small.refused("attach", **request)
        assert (refused["error"], "no room left" in refused["message"]) == ("Unavailable", True)
        ballast.unlink()
        small.ask("attach", **request)
        small.ask("detach")
        assert not (mounted / "pg" / "cluster" / "postmaster.pid").exists(), "the refused use still counted"

    def test_a_read_only_disk_is_reported(ground: Path, own_bare_stage: Stage) -> None:
        disk = ground / "disk"
        disk.mkdir()
        read_only = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro x "$0" && exec "$@"', str(disk))
        actor = own_bare_stage.actor(through=read_only)
        refused = actor.refused("attach", **(own_bare_stage.request | {"home": str(disk / "pg")}))
        assert (refused["error"], "read-only" in refused["message"]) == ("Unavailable", True)

    def test_minimal_shared_memory_is_enough_for_parallel_queries(own_stage: Stage) -> None:
        no_shm = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=4k x /dev/shm && exec "$0" "$@"')
        conninfo = own_stage.attached(own_stage.actor(through=no_shm))
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE many AS SELECT g AS id FROM generate_series(1, 300000) g")
            conn.execute("ANALYZE many")
            for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
                conn.execute(sql.SQL("SET {} = 0").format(sql.Identifier(setting)))
            joined = "SELECT count(*) FROM many a JOIN many b USING (id)"
            plan = str(conn.execute("EXPLAIN " + joined).fetchall())
            assert "Parallel Hash" in plan
            assert conn.execute(joined).fetchone() == (300_000,)


def test_too_little_memory_is_reported(own_stage: Stage) -> None:
    actor = own_stage.actor()
    own_stage.attach(actor)
    actor.ask("detach")
    poor = own_stage.actor(limits={"RLIMIT_AS": 100 * MB})
    refused = poor.refused("attach", **own_stage.request)
    assert refused["error"] == "Unavailable"
    assert "memory" in refused["message"]
    own_stage.attach(actor)


def test_missing_programs_are_reported(ground: Path, bare_stage: Stage) -> None:
    refused = bare_stage.actor().refused("attach", home=str(bare_stage.home), binaries=str(ground / "nowhere"))
    assert refused["error"] == "Unavailable"
    assert "genlock[server]" in refused["hint"]


def test_programs_that_cannot_be_run_are_reported(ground: Path, stage: Stage) -> None:
    given = copied_installation(ground / "venv")
    for program in (given / "bin").iterdir():
        program.chmod(0o644)
    refused = stage.actor().refused("attach", home=str(stage.home), binaries=str(given))
    assert refused["error"] == "Unavailable"
    assert "can run PostgreSQL neither in" in refused["message"]


def test_another_program_on_the_socket_is_reported_and_not_disturbed(stage: Stage) -> None:
    actor = stage.actor()
    stage.attach(actor)
    actor.ask("detach")
    path = stage.home / "run" / ".s.PGSQL.5432"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        os.chown(path, path.parent.stat().st_uid, -1)
        refused = actor.refused("attach", **stage.request)
        assert refused["error"] == "Unavailable"
        assert str(path) in refused["message"]
        assert path.exists()
    stage.attach(actor)


def test_a_running_server_without_its_socket_is_reported(own_stage: Stage) -> None:
    actor = own_stage.actor()
    own_stage.attach(actor)
    (own_stage.home / "run" / ".s.PGSQL.5432").unlink()
    refused = own_stage.actor().refused("attach", **own_stage.request)
    assert refused["error"] == "Unavailable"
    assert "cannot be reached" in refused["message"]
    actor.ask("detach")
    own_stage.attach(actor)


def test_a_single_user_server_on_the_files_is_left_alone(own_stage: Stage) -> None:
    actor = own_stage.actor()
    own_stage.attach(actor)
    actor.ask("detach")
    with subprocess.Popen(["sleep", "600"]) as alone:
        (own_stage.cluster / "postmaster.pid").write_text(f"-{alone.pid}\n")
        refused = actor.refused("attach", **own_stage.request)
        assert (refused["error"], str(alone.pid) in refused["message"]) == ("Unavailable", True)
        alone.kill()
    own_stage.attach(actor)


def test_a_test_server_without_fsync_is_refused_for_real_work(own_stage: Stage) -> None:
    with server.attach(own_stage.home, durable=False):
        with pytest.raises(Conflict, match="without fsync"):
            server.attach(own_stage.home)
        server.attach(own_stage.home, durable=False).detach()
    with server.attach(own_stage.home) as attached:
        write_word(attached.owner_conninfo, "durable now")


@pytest.mark.parametrize(
    ("output", "kind", "words_in_message"),
    [
        ('FATAL:  could not write lock file "postmaster.pid": No space left on device', Unavailable, "no room"),
        ("FATAL:  could not create shared memory segment: Cannot allocate memory", Unavailable, "memory"),
        ("FATAL:  could not create semaphores: No space left on device", Unavailable, "no room"),
        ("FATAL:  could not create any Unix-domain sockets", Unavailable, "socket"),
        ('FATAL:  lock file "/run/x/.s.PGSQL.5432.lock" already exists', Unavailable, "socket"),
        ('FATAL:  lock file "postmaster.pid" already exists', Unavailable, "still uses"),
        ("FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use", Unavailable, "still uses"),
        ("FATAL:  database files are incompatible with server", Invalid, "another version"),
        ('FATAL:  data directory "/x" has wrong ownership', Invalid, "may not use"),
        ("PANIC:  could not locate a valid checkpoint record at 0/1", Invalid, "damaged"),
        ("initdb: error: could not look up effective user ID 7: user does not exist", Unavailable, "list of users"),
        ("FATAL:  something nobody has seen before", Unavailable, "Starting failed"),
    ],
)
def test_messages_of_postgresql_become_genlock_errors(output: str, kind: type, words_in_message: str) -> None:
    log = f"2026-01-01 00:00:00 UTC [1] LOG:  starting\n{output}\n"
    error = error_of_output(log, home=Path("/x"), doing="Starting")
    assert isinstance(error, kind)
    assert words_in_message in error.message
    assert error.hint is not None
    assert output.split(":", 1)[1].strip() in error.hint


def test_an_interrupted_initialisation_starts_over(own_bare_stage: Stage) -> None:
    victim = own_bare_stage.actor()
    victim.send("attach", **own_bare_stage.request)
    until(lambda: any(own_bare_stage.home.glob("cluster.new-*/PG_VERSION")))
    victim.kill()
    half = next(iter(own_bare_stage.home.glob("cluster.new-*")), own_bare_stage.cluster)
    actor = own_bare_stage.actor()
    write_word(own_bare_stage.attached(actor), "kept")
    assert half == own_bare_stage.cluster or not half.exists()
    actor.ask("detach")
    # A partial cluster next to a complete one, as after two releases: the complete one is not touched.
    (own_bare_stage.home / "cluster.new-left").mkdir()
    assert words(own_bare_stage.attached(actor)) == ["kept"]


def test_a_killed_initdb_is_reported_and_the_next_start_starts_over(own_bare_stage: Stage) -> None:
    actor = own_bare_stage.actor()
    actor.send("attach", **own_bare_stage.request)
    until(lambda: bool(initdb_of(actor.pid)))
    for pid in initdb_of(actor.pid):
        os.kill(pid, 9)
    answer: dict[str, Any] = actor.answer()
    assert answer["error"] == "Unavailable"
    assert not own_bare_stage.cluster.exists()
    write_word(own_bare_stage.attached(actor), "made anew")


def initdb_of(parent: int) -> list[int]:
    """Return the running initdb processes that a process has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"initdb\0--pgdata" in command_of(pid)]


def command_of(pid: str) -> bytes:
    """Return the command of a process; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


if not IS_ROOT:

    def test_a_folder_of_another_user_is_refused(own_bare_stage: Stage) -> None:
        refused = own_bare_stage.actor().refused("attach", **(own_bare_stage.request | {"home": "/var"}))
        assert (refused["error"], "belongs to user 0" in refused["message"]) == ("Invalid", True)
