"""Programs that work on a cluster without a server: initdb, and PostgreSQL in single-user mode."""

from collections.abc import Sequence
from pathlib import Path

from genlock.db.embedded.binaries import Binaries
from genlock.db.embedded.errors import error_of_output
from genlock.db.embedded.folders import Folders
from genlock.db.embedded.owner import Owner

_DOING = "Preparing the database"


def run_program(
    command: Sequence[str | Path], folders: Folders, owner: Owner, start_lock: int, *, text: str = ""
) -> None:
    """Run a program to its end, feeding it ``text``; raise what its output means if it fails.

    The program inherits the lock: should this process be killed, the next one waits until the program has ended too.
    """
    done = owner.run_to_the_last(command, text=text, keep_open=[start_lock])
    # In single-user mode a failed statement does not show in the exit code.
    if done.returncode or "ERROR:" in done.stdout:
        raise error_of_output(done.stdout, home=folders.home, doing=_DOING)


def run_statements(
    statements: Sequence[str],
    cluster: Path,
    folders: Folders,
    owner: Owner,
    binaries: Binaries,
    start_lock: int,
    *settings: str,
) -> None:
    """Run statements of one line each on a cluster that no server works on, as its superuser."""
    options = [option for setting in settings for option in ("-c", setting)]
    command = [binaries.program("postgres"), "--single", "-D", cluster, *options, "postgres"]
    run_program(command, folders, owner, start_lock, text="".join(f"{statement}\n" for statement in statements))
