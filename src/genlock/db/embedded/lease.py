"""The users of the server. Each holds a locked file, which the kernel unlocks when its process dies in any way.

A lock says more than a process id with its start time could: it also holds between containers that share the folder.
"""

import fcntl
import os
import secrets
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from genlock.db.embedded.progress import OnProgress


@dataclass(frozen=True)
class Lease:
    """One use of the server, from taking it to releasing it or to the death of the process."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """End this use. Hold the start lock, so that no process counts users meanwhile."""
        self.path.unlink(missing_ok=True)
        # Unlocked before it is closed: a forked child may have inherited the same open file.
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        os.close(self.descriptor)


@contextmanager
def start_lock(path: Path, on_progress: OnProgress) -> Generator[int, None, None]:
    """Hold the lock under which the server is started and stopped, after waiting for it without a limit."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        waiting = False
        while not _locked(descriptor):
            if not waiting:
                on_progress("Waiting for another process that is starting or stopping the database.")
                waiting = True
            time.sleep(0.05)
        yield descriptor
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def take(users: Path) -> Lease:
    """Register a use of the server by this process, while the start lock is held."""
    path = users / f"{os.getpid()}-{secrets.token_hex(4)}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    held = Lease(path, descriptor)
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    who = f"process {os.getpid()} ({Path(sys.argv[0]).name}) since {since}"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, who.encode(errors="replace"))
    except OSError:  # a full disk: left as it is, it would count as a user for as long as this process lives
        held.release()
        raise
    return held


def living_users(users: Path) -> tuple[str, ...]:
    """Return the current users of the server in words, and remove dead ones. Only while the start lock is held."""
    living: list[str] = []
    for path in sorted(users.iterdir()):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            if _locked(descriptor):
                path.unlink()
            else:
                living.append(os.read(descriptor, 500).decode(errors="replace"))
        finally:
            os.close(descriptor)
    return tuple(living)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
