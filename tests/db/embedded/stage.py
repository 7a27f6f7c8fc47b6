"""What the tests of the embedded server share: processes that use it, the users they run as, and running processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from genlock.db.embedded import binaries as programs
from genlock.db.embedded import process
from genlock.db.embedded.owner import NOBODY, Owner

ACTOR = Path(__file__).with_name("actor.py")
IS_ROOT = os.geteuid() == 0
USERS = [0, NOBODY] if IS_ROOT else [os.geteuid()]


class Actor:
    """A process that attaches to servers and can be killed."""

    def __init__(
        self, uid: int | None = None, *, limits: Mapping[str, int] | None = None, through: Sequence[str] = ()
    ) -> None:
        setup = json.dumps({"uid": uid, "limits": dict(limits or {})})
        self._process = subprocess.Popen(
            [*through, sys.executable, str(ACTOR), setup],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        return self._process.pid

    def send(self, do: str, **request: Any) -> None:
        """Send a request without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Return the answer to the oldest request."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process has ended without an answer"
        return json.loads(line)

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request that succeeds, and return the answer."""
        self.send(do, **request)
        answer = self.answer()
        assert "error" not in answer, answer
        return answer

    def refused(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request that fails with a Genlock error, which has a hint."""
        self.send(do, **request)
        answer = self.answer()
        assert answer.get("error"), answer
        assert answer["hint"], answer
        return answer

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Close its input so that it ends, and kill it if it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@dataclass
class Stage:
    """A user, a data folder of that user, and the processes that were started on it."""

    uid: int
    home: Path
    binaries: Path | None
    durable: bool
    actors: list[Actor] = field(default_factory=list[Actor])

    def actor(self, uid: int | None = None, **how: Any) -> Actor:
        """Start another process, of this stage's user or of another one."""
        started = Actor(self.uid if uid is None else uid, **how)
        self.actors.append(started)
        return started

    def attached(self, actor: Actor) -> str:
        """Attach a process and return the owner's connection string."""
        return str(self.attach(actor)["owner_conninfo"])

    def attach(self, actor: Actor) -> dict[str, Any]:
        """Attach a process and return the answer."""
        return actor.ask("attach", **self.request)

    @property
    def request(self) -> dict[str, Any]:
        """Return what a process needs to attach."""
        binaries = str(self.binaries) if self.binaries else None
        return {"home": str(self.home), "binaries": binaries, "durable": self.durable}

    @property
    def cluster(self) -> Path:
        """Return the data directory of PostgreSQL."""
        return self.home / "cluster"

    def server_pid(self) -> int:
        """Return the id of the server process, which must be running."""
        pid = int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        assert process.serves(pid, self.cluster)
        return pid

    def kill_server(self) -> int:
        """Kill the server's first process with SIGKILL; return its id."""
        pid = self.server_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not process.lives(pid))
        return pid

    def is_stopped(self) -> bool:
        """Return whether no process works on the cluster, and it was shut down cleanly."""
        return not process.survivors(self.cluster) and not (self.cluster / "postmaster.pid").exists()


def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds, with a limit so that a failing test ends."""
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, "it never came to hold"
        time.sleep(0.01)


def write_word(conninfo: str, word: str) -> None:
    """Commit a word to the database."""
    with psycopg.connect(conninfo) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        conn.execute("INSERT INTO words VALUES (%s)", (word,))


def words(conninfo: str) -> list[str]:
    """Return the committed words."""
    with psycopg.connect(conninfo) as conn:
        return [row[0] for row in conn.execute("SELECT word FROM words ORDER BY word")]


def shown(conninfo: str, setting: str) -> str:
    """Return the value of a server setting."""
    with psycopg.connect(conninfo) as conn:
        row = conn.execute("SELECT current_setting(%s)", (setting,)).fetchone()
        assert row is not None
        return str(row[0])


def copied_installation(into: Path) -> Path:
    """Copy the wheel's programs, laid out as in a virtual environment; return the folder of PostgreSQL in it."""
    root = programs.installed().root
    packages = into / "lib" / "site-packages"
    package = root.parent
    shutil.copytree(root, packages / package.name / root.name)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, packages / libraries.name)
    return packages / package.name / root.name


def reachable_binaries(uid: int, folder: Path) -> Path | None:
    """Return a copy of the wheel's programs that a user can run, or None where they can run the wheel's."""
    if not IS_ROOT or uid == 0 or programs.installed().run_for(Owner(uid, uid, switches=True)):
        return None
    return copied_installation(folder)
