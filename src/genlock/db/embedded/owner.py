"""The user who runs the server: this user, or an unprivileged one for root, because PostgreSQL refuses root."""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genlock.db.embedded.errors import BY_URL
from genlock.errors import Unavailable

NOBODY = 65534
SYSTEM_USER = "genlock"
"""The user who runs the server for root, if the system has this user: no other program runs as it."""

# Nothing is inherited: PGDATA, PGPORT, LC_ALL or LD_PRELOAD of the caller must not reach the server.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}


# Switches to another user and executes a program. subprocess can switch users itself, but then it forks, and libraries
# whose threads compute at that moment may hang in the fork (OpenBLAS did).
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
# Starts a program in the background and prints its process id.
IN_BACKGROUND = 'exec 3>&1; "$@" >&2 3>&- & echo $! >&3'
CANNOT, CANNOT_CODE = "cannot-become ", 127


@dataclass(frozen=True)
class Owner:
    """The user and group that own the cluster and run its server; ``switches`` if they are not this process's."""

    uid: int
    gid: int
    switches: bool

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this owner; its output, errors included, is ``stdout``.

        Raise ``OSError`` if this process cannot switch to the owner, or the owner may not run the program.
        """
        return self._ended(self._spawn(command, subprocess.STDOUT), command[0])

    def run_to_the_last(
        self, command: Sequence[str | Path], *, text: str, keep_open: Sequence[int]
    ) -> subprocess.CompletedProcess[str]:
        """Run a program like ``run``, with ``text`` as its input, until all programs that it started have ended too.

        This holds also if this process is stopped meanwhile. ``keep_open`` are files that they all have open.
        """
        # Nothing is written: reading ends when the last program that has the writing end open has ended. initdb starts
        # other programs, which survive it if it is killed and go on creating files.
        ending, open_until_then = os.pipe()
        try:
            try:
                started = self._spawn(command, subprocess.STDOUT, (*keep_open, open_until_then))
            finally:
                os.close(open_until_then)
            return self._ended(started, command[0], text)
        finally:
            os.read(ending, 1)
            os.close(ending)

    def start(self, command: Sequence[str | Path], *, errors_into: int) -> int | None:
        """Start a detached program that outlives this process; return its process id, or None if it failed.

        Its output and errors go to the file ``errors_into``. Raise ``OSError`` like ``run``.
        """
        started = self._spawn(["/bin/sh", "-c", IN_BACKGROUND, "sh", *command], errors_into)
        done = self._ended(started, command[0])
        return None if done.returncode else int(done.stdout)

    def _spawn(
        self, command: Sequence[str | Path], errors_into: int, keep_open: Sequence[int] = ()
    ) -> subprocess.Popen[str]:
        words = [os.fspath(word) for word in command]
        become = [sys.executable, "-I", "-S", "-c", BECOME, str(self.uid), str(self.gid)]
        return subprocess.Popen(
            [*become, *words] if self.switches else words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors_into,
            text=True,
            encoding="utf-8",
            errors="replace",
            pass_fds=keep_open,
            cwd="/",  # PostgreSQL refuses to start in a folder that it may not read, such as the caller's
            env=ENVIRONMENT,
            umask=0o077,
            start_new_session=True,  # away from this process's terminal
        )

    def _ended(
        self, started: subprocess.Popen[str], program: str | Path, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        with started:
            try:
                output, _ = started.communicate(text)
            except BaseException:
                # Its pid is its group's id while any of its processes runs, even if it has ended; if none runs, or
                # only zombies are left (macOS), there is nothing to kill.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(started.pid, signal.SIGKILL)
                raise
        if self.switches and started.returncode == CANNOT_CODE and output.startswith(CANNOT):
            number = int(output.split()[1])
            raise OSError(number, os.strerror(number), os.fspath(program))
        return subprocess.CompletedProcess(started.args, started.returncode, output)

    def may_enter(self, folder: Path) -> bool:
        """Return whether this owner can enter a folder."""
        return not self.switches or self.run(["/bin/sh", "-c", 'cd "$1"', "sh", folder]).returncode == 0


def choose(home: Path, *, system_user: str = SYSTEM_USER) -> Owner:
    """Return the owner of a data folder's cluster: this process's user, or for root an unprivileged one.

    For root that is the user who owns the cluster, else the system user ``genlock`` if it exists, else user 65534.
    Raise ``Unavailable`` if there is no such user.
    """
    if sys.platform == "win32":
        raise Unavailable("The embedded PostgreSQL does not run on Windows yet.", hint=f"Use WSL, {BY_URL}.")
    uid = os.geteuid()
    owner = _unprivileged(home, system_user) if uid == 0 else Owner(uid, os.getegid(), switches=False)
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


def _unprivileged(home: Path, system_user: str) -> Owner:
    owners = [Owner(NOBODY, NOBODY, switches=True)]
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam(system_user)
        if entry.pw_uid != 0:
            owners.insert(0, Owner(entry.pw_uid, entry.pw_gid, switches=True))
    with contextlib.suppress(OSError):
        holder = (home / "cluster").stat().st_uid
        owners = [owner for owner in owners if owner.uid == holder] or owners
    return owners[0]


def _try_switching(owner: Owner) -> None:
    """Refuse early if root cannot switch users, as in a container that maps only one user."""
    try:
        owner.run(["/bin/sh", "-c", ":"])
    except OSError as error:
        raise Unavailable(
            f"PostgreSQL refuses to run as root, and here root cannot become user {owner.uid}: {error.strerror}.",
            hint=f"Run Genlock as an ordinary user, {BY_URL}.",
        ) from error
