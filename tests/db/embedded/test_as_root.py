"""Root runs the server as an unprivileged user: folders that this user cannot enter, and limits on root."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from tests.db.embedded.stage import IS_ROOT, Stage, copied_installation, words, write_word

from genlock.db.embedded.owner import NOBODY, Owner

NOT_IN_PASSWD = 54_321

# Counts the fork handlers that the C library runs: thread libraries (OpenBLAS) stop and join their threads there.
COUNTS_FORKS = """
import ctypes, os
from genlock.db.embedded.owner import NOBODY, Owner

told = []
note = ctypes.CFUNCTYPE(None)(lambda: told.append(1))
ctypes.CDLL(None).__register_atfork(note, None, None, None)
print(Owner(NOBODY, NOBODY, switches=True).run(["/usr/bin/id", "-u"]).stdout.strip(), len(told))
if os.fork() == 0:
    os._exit(0)
print(len(told))
"""

if IS_ROOT:

    def test_a_virtual_environment_that_the_user_cannot_enter_is_copied_to_the_data_folder(
        ground: Path, own_stage: Stage
    ) -> None:
        venv = ground / "home" / "venv"
        venv.mkdir(parents=True)
        venv.parent.chmod(0o700)
        own_stage.binaries = copied_installation(venv)
        actor = own_stage.actor()
        write_word(own_stage.attached(actor), "kept")
        program = Path(f"/proc/{own_stage.server_pid()}/exe").readlink()
        assert program.is_relative_to(own_stage.home / "binaries")
        assert program.stat().st_uid == 0, "the server's user cannot change its own program"
        assert (venv.parent.stat().st_mode & 0o777) == 0o700
        actor.ask("detach")
        inode = program.stat().st_ino
        conninfo = own_stage.attached(actor)
        assert words(conninfo) == ["kept"]
        assert program.stat().st_ino == inode, "copied once"

    def test_a_newer_wheel_replaces_the_copy(ground: Path, own_stage: Stage) -> None:
        venv = ground / "home" / "venv"
        venv.mkdir(parents=True)
        venv.parent.chmod(0o700)
        own_stage.binaries = copied_installation(venv)
        actor = own_stage.actor()
        own_stage.attach(actor)
        actor.ask("detach")
        before = {path.name for path in (own_stage.home / "binaries").iterdir()}
        os.utime(own_stage.binaries / "bin" / "postgres", (1, 1))
        (own_stage.home / "binaries" / "making-half").mkdir()
        own_stage.attach(actor)
        after = {path.name for path in (own_stage.home / "binaries").iterdir()}
        assert len(before) == len(after) == 1
        assert before != after

    def test_a_data_folder_that_the_user_cannot_enter_is_refused_and_no_permission_is_changed(
        ground: Path, own_bare_stage: Stage
    ) -> None:
        closed = ground / "home"
        closed.mkdir(mode=0o700)
        refused = own_bare_stage.actor().refused("attach", home=str(closed / "deep" / "pg"))
        assert refused["error"] == "Invalid"
        assert f"inside {closed}, which user {NOBODY} cannot enter" in refused["message"]
        assert (closed.stat().st_mode & 0o777) == 0o700

    def test_a_folder_of_another_user_is_refused_to_root(ground: Path, own_bare_stage: Stage) -> None:
        own_bare_stage.home.mkdir()
        os.chown(own_bare_stage.home, NOT_IN_PASSWD, NOT_IN_PASSWD)
        refused = own_bare_stage.actor().refused("attach", **own_bare_stage.request)
        assert (refused["error"], f"belongs to user {NOT_IN_PASSWD}" in refused["message"]) == ("Invalid", True)
        assert own_bare_stage.home.stat().st_uid == NOT_IN_PASSWD

    @pytest.mark.parametrize("bare_stage", [NOBODY], indirect=True)
    def test_a_folder_of_root_is_refused_to_another_user(bare_stage: Stage) -> None:
        bare_stage.home.mkdir()
        refused = bare_stage.actor().refused("attach", **bare_stage.request)
        assert (refused["error"], "belongs to user 0" in refused["message"]) == ("Invalid", True)

    def test_files_that_were_given_to_another_user_are_refused(own_stage: Stage) -> None:
        actor = own_stage.actor()
        own_stage.attach(actor)
        actor.ask("detach")
        os.chown(own_stage.cluster, 0, 0)
        refused = actor.refused("attach", **own_stage.request)
        assert (refused["error"], f"chown -R {NOBODY}" in refused["hint"]) == ("Invalid", True)
        os.chown(own_stage.cluster, NOBODY, NOBODY)
        own_stage.attach(actor)

    def test_root_that_may_not_change_users_is_refused_with_the_reason(own_bare_stage: Stage) -> None:
        bound = ("setpriv", "--bounding-set", "-setuid", "--inh-caps", "-setuid")
        refused = own_bare_stage.actor(through=bound).refused("attach", **own_bare_stage.request)
        assert refused["error"] == "Unavailable"
        assert f"root cannot become user {NOBODY}" in refused["message"]

    def test_starting_a_program_as_another_user_stops_no_thread() -> None:
        ran = subprocess.run([sys.executable, "-c", COUNTS_FORKS], capture_output=True, text=True, check=True)
        assert ran.stdout.split() == [str(NOBODY), "0", "1"], "the last is a plain fork, which is told of"

    def test_a_program_that_the_user_may_not_run_is_refused_by_name(tmp_path: Path) -> None:
        closed = tmp_path / "program"
        closed.write_text("#!/bin/sh\n")
        closed.chmod(0o700)
        with pytest.raises(PermissionError, match="program"):
            Owner(NOBODY, NOBODY, switches=True).run([closed])

    def test_a_user_without_a_name_is_refused_with_the_reason(ground: Path, own_bare_stage: Stage) -> None:
        refused = own_bare_stage.actor(uid=NOT_IN_PASSWD).refused("attach", **own_bare_stage.request)
        assert refused["error"] == "Unavailable"
        assert f"User {NOT_IN_PASSWD}" in refused["message"]

    def test_a_tight_umask_of_root_does_not_shut_the_server_out(own_bare_stage: Stage) -> None:
        tight = own_bare_stage.actor(through=("sh", "-c", 'umask 077 && exec "$0" "$@"'))
        deep = own_bare_stage.request | {"home": str(own_bare_stage.home / "a" / "b")}
        conninfo = str(tight.ask("attach", **deep)["conninfo"])
        with psycopg.connect(conninfo) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
        tight.ask("detach")
