"""The server's first process: find it, start it, wait for it and stop it."""

import os
import signal
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from genlock.db.embedded import process, tuning
from genlock.db.embedded.binaries import Binaries
from genlock.db.embedded.errors import BY_URL, error_of_output
from genlock.db.embedded.folders import NAME, SOCKET_NAME, Folders
from genlock.db.embedded.owner import Owner
from genlock.db.embedded.probe import Answer, probe
from genlock.db.embedded.progress import Log, OnProgress
from genlock.errors import Conflict, GenlockError, Unavailable

GLANCE_S = 0.02
GREETING_S = 0.5
LONGEST_LOG = 4 * tuning.MB


@dataclass(frozen=True)
class Postmaster:
    """The content of `postmaster.pid`. ``status`` is starting, ready, standby or stopping."""

    pid: int
    sockets: Path | None
    status: str


def running(cluster: Path) -> Postmaster | None:
    """Return the server that runs on a cluster, in any state; None if the file is missing or stale."""
    postmaster = _noted(cluster)
    if postmaster is None:
        return None
    if postmaster.pid < 0 and process.lives(-postmaster.pid):
        raise Unavailable(
            f"A single-user PostgreSQL (process {-postmaster.pid}) works on {cluster}.",
            hint="End it, then start again.",
        )
    return postmaster if postmaster.pid > 0 and process.serves(postmaster.pid, cluster) else None


def _noted(cluster: Path) -> Postmaster | None:
    """Return the content of `postmaster.pid`, which is written line by line while the server starts."""
    try:
        lines = (cluster / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].strip().lstrip("-").isdecimal():
        return None
    sockets = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    status = lines[7].strip() if len(lines) > 7 else "starting"
    return Postmaster(int(lines[0]), sockets, status)


def clear(folders: Folders, sockets: Path, on_progress: OnProgress) -> None:
    """Remove the remains of a killed server, its processes first, so that another one can start."""
    _end_survivors(folders, on_progress)
    _clear_stale(folders, sockets)


def start(
    folders: Folders, owner: Owner, binaries: Binaries, sockets: Path, *, durable: bool, on_progress: OnProgress
) -> Path:
    """Start a server on a cleared cluster and wait until it is ready, however long it recovers.

    Return the folder of its socket.
    """
    offset = _log_offset(folders.log)
    command: list[str | Path] = [binaries.program("postgres"), "-D", folders.cluster]
    command += ["-c", f"hba_file={folders.hba}"]
    for name, value in tuning.settings(sockets, durable=durable).items():
        command += ["-c", f"{name}={value}"]
    with (
        os.fdopen(os.open(folders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log,
        ThreadPoolExecutor(max_workers=1) as executor,
    ):
        # In a separate thread, because a signal interrupts the main one, and the server's pid would be lost.
        starting = executor.submit(owner.start, command, errors_into=log.fileno())
        log_since_start = Log(folders.log, offset)
        try:
            pid = starting.result()
            if pid is None:
                raise _failed(folders, log_since_start)
            return wait_until_ready(folders, pid, log_since_start, on_progress)
        except BaseException:
            _take_back(folders, starting, on_progress)
            raise


def _take_back(folders: Folders, starting: Future[int | None], on_progress: OnProgress) -> None:
    """Stop a server whose start was interrupted, if there is one."""
    pid = None if starting.exception() else starting.result()
    if pid is None:
        return
    while process.lives(pid) and not process.serves(pid, folders.cluster):
        time.sleep(GLANCE_S)  # it has not changed to its folder yet, by which it is identified
    stop(folders, pid, on_progress)


def wait_until_ready(folders: Folders, pid: int, log: Log, on_progress: OnProgress) -> Path:
    """Wait for a server while its process lives, and report its progress; return the folder of its socket."""
    greet_at = 0.0
    waited = False
    while True:
        postmaster = _noted(folders.cluster)
        sockets = postmaster.sockets if postmaster and postmaster.pid == pid and postmaster.status == "ready" else None
        if sockets is not None and time.monotonic() >= greet_at:
            if _welcomes(pid, sockets):
                if waited:  # the last messages; a server that was already ready has none to report
                    log.report(on_progress)
                return sockets
            greet_at = time.monotonic() + GREETING_S  # each refused greeting is a line in the log
        if not process.lives(pid):
            other = running(folders.cluster)
            if other is None:
                raise _failed(folders, log)
            pid = other.pid  # started by another process that was killed just then, and faster than ours
        log.report(on_progress)
        waited = True
        time.sleep(GLANCE_S)


def _welcomes(pid: int, sockets: Path) -> bool:
    """Return whether a server accepts connections; raise ``Unavailable`` if this process cannot reach its socket."""
    try:
        return probe(sockets / SOCKET_NAME, user=NAME, database=NAME) is Answer.WELCOME
    except OSError as error:
        raise Unavailable(
            f"The database runs (process {pid}), but its socket in {sockets} cannot be reached from here: "
            f"{error.strerror}.",
            hint="Stop it and start again. Something has removed the socket, or this process has a private /tmp.",
        ) from error


def _failed(folders: Folders, log: Log) -> GenlockError:
    return error_of_output(log.text(), home=folders.home, doing="Starting the database")


def stop(folders: Folders, pid: int, on_progress: OnProgress) -> None:
    """Shut a server down, ending its sessions, and wait until it has ended, however long it writes."""
    if process.serves(pid, folders.cluster):
        os.kill(pid, signal.SIGINT)
    wait_until_gone(folders, pid, on_progress)


def wait_until_gone(folders: Folders, pid: int, on_progress: OnProgress) -> None:
    """Wait until a server has ended."""
    reported_at = time.monotonic()
    while process.serves(pid, folders.cluster):
        if time.monotonic() - reported_at > 2:
            on_progress("Waiting for the database to write everything to disk and stop.")
            reported_at = time.monotonic()
        time.sleep(GLANCE_S)


def check_durable(cluster: Path, *, durable: bool) -> None:
    """Refuse a running server whose commits are less durable than requested."""
    options = (cluster / "postmaster.opts").read_text(errors="replace")
    if durable and "fsync=off" in options:
        raise Conflict(
            f"The database in {cluster} runs without fsync, as for a test.",
            hint="Stop the process that started it that way, then start again.",
        )


def _end_survivors(folders: Folders, on_progress: OnProgress) -> None:
    """Wait for the processes of a server that was killed, and kill those that do not end.

    They still write to its files; PostgreSQL refuses to start while they run.
    """
    began = time.monotonic()
    steps = [(1.0, signal.SIGTERM), (2.5, signal.SIGQUIT), (4.0, signal.SIGKILL)]
    while pids := process.survivors(folders.cluster):
        if steps and time.monotonic() - began > steps[0][0]:
            _, how = steps.pop(0)
            on_progress(f"Ending {len(pids)} processes that a killed database server has left behind.")
            for pid in pids:
                if process.serves(pid, folders.cluster):
                    os.kill(pid, how)
        time.sleep(GLANCE_S)


def _clear_stale(folders: Folders, sockets: Path) -> None:
    """Remove the files that a killed server has left, once no process works on them.

    PostgreSQL does this itself, unless the old pid belongs to another program by now: then it refuses indefinitely.
    """
    noted = _noted(folders.cluster)
    for folder in {sockets, noted.sockets if noted and noted.sockets else sockets}:
        _refuse_listener(folder / SOCKET_NAME)
    if noted is not None and process.HAS_PROC and _is_taken(noted.pid):
        (folders.cluster / "postmaster.pid").unlink()
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (sockets / name).unlink(missing_ok=True)


def _refuse_listener(path: Path) -> None:
    """Refuse to go on while another program listens on the server's socket."""
    with socket.socket(socket.AF_UNIX) as caller:
        if caller.connect_ex(os.fsencode(path)) == 0:
            raise Unavailable(
                f"Another program listens on the database's socket {path}.",
                hint=f"End that program, which may run in another container that shares this folder, {BY_URL}.",
            )


def _is_taken(pid: int) -> bool:
    """Return whether the pid is in use, even by a zombie: PostgreSQL takes it for a living server."""
    return (process.PROC / str(abs(pid))).exists()


def _log_offset(path: Path) -> int:
    """Return the log's present size; rename a long log first, so that there are never more than two."""
    if path.exists() and path.stat().st_size > LONGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    return path.stat().st_size if path.exists() else 0
