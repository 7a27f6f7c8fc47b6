"""Who may log in to the embedded server: Genlock by its passwords, and no other process, whichever user runs it."""

import os
import stat
from pathlib import Path

import psycopg
import pytest
from tests.db.embedded.stage import IS_ROOT, Stage, words, write_word

from genlock.db.embedded import binaries as programs
from genlock.db.embedded import server
from genlock.db.embedded.folders import NAME, SERVER_ROLE
from genlock.db.embedded.owner import NOBODY, Owner, choose
from genlock.db.migrate import migrate
from genlock.errors import Conflict

AS_BEFORE = f"""
    DROP OWNED BY {SERVER_ROLE};
    DROP ROLE {SERVER_ROLE};
    ALTER ROLE {NAME} PASSWORD NULL;
"""


def _psql(stage: Stage, uid: int, role: str, *, switches: bool) -> tuple[int, str]:
    """Try to log in through the socket as a user without a password; return the exit code and the output."""
    given = stage.binaries or programs.installed().root
    sockets = Path((stage.cluster / "postmaster.pid").read_text().splitlines()[4])
    command = [given / "bin" / "psql", "-w", "-h", sockets, "-U", role, "-d", NAME, "-Atc", "SELECT current_user"]
    done = Owner(uid, uid, switches=switches).run(command)
    return done.returncode, done.stdout


@pytest.mark.parametrize("role", [NAME, SERVER_ROLE])
def test_a_process_of_the_servers_user_cannot_log_in(own_stage: Stage, role: str) -> None:
    own_stage.attach(own_stage.actor())
    uid = NOBODY if IS_ROOT else os.geteuid()
    status, output = _psql(own_stage, uid, role, switches=IS_ROOT)
    assert (status, "no password supplied" in output) == (2, True), output


def test_only_the_owner_can_read_the_passwords(stage: Stage) -> None:
    stage.attach(stage.actor())
    passwords = (stage.home / "passwords").stat()
    assert (passwords.st_uid, stat.S_IMODE(passwords.st_mode)) == (stage.uid, 0o600)


def test_connection_strings_hold_no_password(own_stage: Stage) -> None:
    answer = own_stage.attach(own_stage.actor())
    secrets = [line.rpartition(":")[2] for line in (own_stage.home / "passwords").read_text().splitlines()]
    assert len(set(secrets)) == 2
    for secret in secrets:
        assert len(secret) > 30
        assert secret not in answer["conninfo"] + answer["owner_conninfo"]
        assert secret not in (own_stage.home / "server.log").read_text()


def test_the_application_role_is_not_a_superuser(own_stage: Stage) -> None:
    answer = own_stage.attach(own_stage.actor())
    migrate(answer["owner_conninfo"])
    with psycopg.connect(answer["conninfo"]) as conn:
        role = conn.execute(
            "SELECT session_user, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,"
            " pg_has_role('genlock_app', 'MEMBER'), pg_has_role(%s, 'MEMBER')"
            " FROM pg_roles WHERE rolname = session_user",
            (NAME,),
        ).fetchone()
        assert role == (SERVER_ROLE, False, True, False)
    for statement in (
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "ALTER TABLE genlock.receipts DISABLE TRIGGER ALL",
        f"SET ROLE {NAME}",
    ):
        with psycopg.connect(answer["conninfo"]) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)


def test_a_data_folder_without_passwords_gets_them_at_its_next_start(stage: Stage) -> None:
    """As one of an earlier release, where every user of the socket was superuser, and no other login existed."""
    actor = stage.actor()
    owner_conninfo = stage.attached(actor)
    write_word(owner_conninfo, "kept")
    with psycopg.connect(owner_conninfo, autocommit=True) as conn:
        conn.execute(AS_BEFORE)
    (stage.home / "pg_hba.conf").write_text("local all all trust\n")
    actor.ask("detach")
    for name in ("passwords", "pg_hba.conf"):
        (stage.home / name).unlink()
    answer = stage.attach(actor)
    assert words(answer["owner_conninfo"]) == ["kept"]
    with psycopg.connect(answer["conninfo"]) as conn:
        assert conn.execute("SELECT session_user").fetchone() == (SERVER_ROLE,)
    uid = NOBODY if stage.uid == 0 else stage.uid
    assert _psql(stage, uid, NAME, switches=IS_ROOT)[0] == 2


def test_an_interrupted_setup_is_repeated(own_stage: Stage) -> None:
    """Killed after the passwords were written and before the server requires them."""
    actor = own_stage.actor()
    own_stage.attach(actor)
    actor.ask("detach")
    (own_stage.home / "passwords").write_text("*:*:*:genlock:half\n")
    (own_stage.home / "pg_hba.conf").unlink()
    with psycopg.connect(own_stage.attached(actor)) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_running_server_without_passwords_is_refused(own_stage: Stage) -> None:
    own_stage.attach(own_stage.actor())
    (own_stage.home / "passwords").unlink()
    with pytest.raises(Conflict, match="earlier version"):
        server.attach(own_stage.home, durable=False, binaries=own_stage.binaries)


def test_a_stranger_who_writes_to_the_socket_learns_nothing(own_stage: Stage) -> None:
    own_stage.attach(own_stage.actor())
    uid = NOBODY if IS_ROOT else os.geteuid()
    assert "password" in _psql(own_stage, uid, "no_such_role", switches=IS_ROOT)[1]


if IS_ROOT:

    def test_a_system_user_of_its_own_runs_a_new_database(tmp_path: Path) -> None:
        assert choose(tmp_path, system_user="daemon").uid not in (0, NOBODY)
        assert choose(tmp_path, system_user="no-such-user").uid == NOBODY

    def test_an_existing_database_keeps_its_user(own_stage: Stage) -> None:
        assert choose(own_stage.home, system_user="daemon").uid == NOBODY
