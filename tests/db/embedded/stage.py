"""What the tests of the embedded server share: processes that use it, users they run as, and a look at what runs."""

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
    """A process of its own that attaches to servers, and that can be killed."""

    def __init__(
        self, uid: int | None = None, *, limits: Mapping[str, int] | None = None, through: Sequence[str] = ()
    ) -> None:
        wish = json.dumps({"uid": uid, "limits": dict(limits or {})})
        self._process = subprocess.Popen(
            [*through, sys.executable, str(ACTOR), wish],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def tell(self, do: str, **request: Any) -> None:
        """Asks for something without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The answer to what was asked."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process has ended without an answer"
        return json.loads(line)

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Asks for something that succeeds, and waits for the answer."""
        self.tell(do, **request)
        answer = self.answer()
        assert "error" not in answer, answer
        return answer

    def refused(self, do: str, **request: Any) -> dict[str, Any]:
        """Asks for something that fails with one of our errors, which has a hint."""
        self.tell(do, **request)
        answer = self.answer()
        assert answer.get("error"), answer
        assert answer["hint"], answer
        return answer

    def kill(self) -> None:
        """Kills it, as `kill -9` does."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Lets it end, by itself if it can."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@dataclass
class Stage:
    """A user, a data folder of that user's, and the processes that were started on it."""

    uid: int
    home: Path
    binaries: Path | None
    durable: bool
    actors: list[Actor] = field(default_factory=list[Actor])

    def actor(self, uid: int | None = None, **how: Any) -> Actor:
        """Another process, of this stage's user or of another one."""
        started = Actor(self.uid if uid is None else uid, **how)
        self.actors.append(started)
        return started

    def attached(self, actor: Actor) -> str:
        """The connection string of the owner, after a process has attached."""
        return str(self.attach(actor)["owner_conninfo"])

    def attach(self, actor: Actor) -> dict[str, Any]:
        """The answer, after a process has attached."""
        return actor.ask("attach", **self.request)

    @property
    def request(self) -> dict[str, Any]:
        """What a process must know to attach."""
        binaries = str(self.binaries) if self.binaries else None
        return {"home": str(self.home), "binaries": binaries, "durable": self.durable}

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder."""
        return self.home / "cluster"

    def server_pid(self) -> int:
        """The process of the server, which runs."""
        pid = int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        assert process.serves(pid, self.cluster)
        return pid

    def kill_server(self) -> int:
        """Kills the server's first process, as `kill -9` does; its id."""
        pid = self.server_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not process.lives(pid))
        return pid

    def is_stopped(self) -> bool:
        """Whether nothing works on the cluster, and it was stopped in good order."""
        return not process.survivors(self.cluster) and not (self.cluster / "postmaster.pid").exists()


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds. The limit is only there to end a test that would wait for ever."""
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, "it never came to hold"
        time.sleep(0.01)


def write_word(conninfo: str, word: str) -> None:
    """Commits a word to the database."""
    with psycopg.connect(conninfo) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        conn.execute("INSERT INTO words VALUES (%s)", (word,))


def words(conninfo: str) -> list[str]:
    """The words that were committed."""
    with psycopg.connect(conninfo) as conn:
        return [row[0] for row in conn.execute("SELECT word FROM words ORDER BY word")]


def shown(conninfo: str, setting: str) -> str:
    """The value of a setting of the server."""
    with psycopg.connect(conninfo) as conn:
        row = conn.execute("SELECT current_setting(%s)", (setting,)).fetchone()
        assert row is not None
        return str(row[0])


def copied_installation(into: Path) -> Path:
    """A copy of the wheel's programs, laid out as in a virtual environment; the folder of PostgreSQL in it."""
    found = programs.installed().root
    packages = into / "lib" / "site-packages"
    package = found.parent
    shutil.copytree(found, packages / package.name / found.name)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, packages / libraries.name)
    return packages / package.name / found.name


def reachable_binaries(uid: int, folder: Path) -> Path | None:
    """None where a user can run the wheel's programs, else a copy where they can."""
    if not IS_ROOT or uid == 0 or programs.installed().run_for(Owner(uid, uid, switches=True)):
        return None
    return copied_installation(folder)
