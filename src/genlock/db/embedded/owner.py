"""Who runs the server: this user, or an unprivileged one where this user is root, because PostgreSQL refuses root."""

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlock.db.embedded.trouble import BY_URL
from genlock.errors import Unavailable

NOBODY = 65534

# Nothing is inherited: PGDATA, PGPORT, LC_ALL or LD_PRELOAD of the caller must not reach the server.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}


# Becomes another user and turns into a program. subprocess could do the first itself, but then forks where it otherwise
# does not, and libraries of threads that compute at that moment may never come out of a fork (OpenBLAS did not).
BECOME = """
import os, sys
try:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[1]))
    os.execv(sys.argv[3], sys.argv[3:])
except OSError as error:
    print("cannot-become", error.errno)
    sys.exit(127)
"""
CANNOT, CANNOT_CODE = "cannot-become ", 127


@dataclass(frozen=True)
class Owner:
    """The user and group that own the cluster and run its server; ``switches`` when that is not this process's."""

    uid: int
    gid: int
    switches: bool

    def spawning(self) -> dict[str, Any]:
        """What ``subprocess`` needs to start ``words`` away from this process's folder and terminal."""
        # PostgreSQL refuses to start in a folder it may not look at, so not in the caller's.
        return {"cwd": "/", "env": ENVIRONMENT, "umask": 0o077, "start_new_session": True}

    def words(self, command: Sequence[str | Path]) -> list[str]:
        """What to run to have a program, named by its whole path, run as this owner."""
        said = [os.fspath(word) for word in command]
        become = [sys.executable, "-I", "-S", "-c", BECOME, str(self.uid), str(self.gid)]
        return [*become, *said] if self.switches else said

    def run(
        self, command: Sequence[str | Path], *, text: str = "", keep_open: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end as this owner, feeding it ``text``; its output, errors included, is ``stdout``.

        Raises ``OSError`` where this process may not become its owner, or that one may not run the program.
        """
        done = subprocess.run(
            self.words(command),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            pass_fds=tuple(keep_open),
            check=False,
            **self.spawning(),
        )
        if self.switches and done.returncode == CANNOT_CODE and done.stdout.startswith(CANNOT):
            number = int(done.stdout.split()[1])
            raise OSError(number, os.strerror(number), os.fspath(command[0]))
        return done

    def may_enter(self, folder: Path) -> bool:
        """Whether this owner can reach what lies in a folder."""
        return not self.switches or self.run(["/bin/sh", "-c", 'cd "$1"', "sh", folder]).returncode == 0


def choose() -> Owner:
    """The owner for this process: itself, or uid 65534 for root. Raises ``Unavailable`` where neither can be."""
    if sys.platform == "win32":
        raise Unavailable("The embedded PostgreSQL does not run on Windows yet.", hint=f"Use WSL, {BY_URL}.")
    uid = os.geteuid()
    owner = Owner(uid, os.getegid(), switches=False) if uid else Owner(NOBODY, NOBODY, switches=True)
    try:
        pwd.getpwuid(owner.uid)
    except KeyError:
        raise Unavailable(
            f"User {owner.uid}, who would run the embedded PostgreSQL, is not in this system's list of users.",
            hint=f"Add a line for it to /etc/passwd (in a container: in its image), {BY_URL}.",
        ) from None
    if owner.switches:
        _try_switching(owner)
    return owner


def _try_switching(owner: Owner) -> None:
    """Refuses early where root may not become anybody else, as in a container that maps one user only."""
    try:
        owner.run(["/bin/sh", "-c", ":"])
    except OSError as error:
        raise Unavailable(
            f"PostgreSQL refuses to run as root, and here root cannot become user {owner.uid}: {error.strerror}.",
            hint=f"Run Genlock as an ordinary user, {BY_URL}.",
        ) from error
