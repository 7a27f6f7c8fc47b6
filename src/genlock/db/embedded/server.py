"""Use the embedded PostgreSQL: attach to it, keep it running, detach, stop.

No process owns the server: the first one starts it, the last one stops it, and one that dies in between is not counted.
All decisions to start and stop happen under a lock in the data folder.
"""

import logging
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from genlock.db.embedded import access, lease, postmaster
from genlock.db.embedded import binaries as programs
from genlock.db.embedded import folders as places
from genlock.db.embedded import owner as owners
from genlock.db.embedded.errors import os_errors_with_hints
from genlock.db.embedded.folders import NAME, PORT, SERVER_ROLE, Folders
from genlock.db.embedded.initialise import exists, initialise
from genlock.db.embedded.owner import Owner
from genlock.db.embedded.progress import Log, OnProgress, quiet
from genlock.errors import Conflict, GenlockError

logger = logging.getLogger(__name__)


class Attached:
    """A use of the running server, until it is detached or this process dies.

    ``conninfo`` is a psycopg connection string of the application's login, ``owner_conninfo`` of the tables' owner, for
    migrations. They name the file of the passwords and hold none, and stay valid when the server is restarted.
    """

    def __init__(self, recipe: "_Recipe", held: lease.Lease, sockets: Path) -> None:
        self._recipe = recipe
        self._held: lease.Lease | None = held
        self._keeper: threading.Thread | None = None
        self._leaving = threading.Event()
        self.data_dir = recipe.folders.home
        self.conninfo = conninfo(recipe.folders, sockets, SERVER_ROLE)
        self.owner_conninfo = conninfo(recipe.folders, sockets, NAME)

    def ensure_running(self) -> bool:
        """Start the server again if it has died; return whether it had."""
        with os_errors_with_hints(self.data_dir):
            if postmaster.running(self._recipe.folders.cluster) is not None:
                return False
            with lease.start_lock(self._recipe.folders.lock, self._recipe.on_progress) as lock:
                self._recipe.ensure_ready(lock)
            return True

    def keep_running(self, every_s: float = 0.5) -> None:
        """Watch the server from a thread, and start it again whenever it has died, until this use is detached."""
        if self._keeper is None:
            self._keeper = threading.Thread(
                target=self._watch, args=(every_s,), name="genlock-embedded-postgresql", daemon=True
            )
            self._keeper.start()

    def _watch(self, every_s: float) -> None:
        while not self._leaving.wait(every_s):
            try:
                if self.ensure_running():
                    self._recipe.on_progress("The database had died and was started again.")
            except GenlockError as error:  # reported, and tried again: the cause may go away
                self._recipe.on_progress(f"The database has died and does not start: {error.message}")
            except Exception:  # logged whole; the database must stay watched, whatever one look at it meets
                logger.exception("Could not check whether the embedded database is running.")

    def detach(self) -> None:
        """End this use, and stop the server if no other process uses it. A second call does nothing."""
        held, self._held = self._held, None
        if held is None:
            return
        self._leaving.set()
        if self._keeper is not None:
            self._keeper.join()
        folders = self._recipe.folders
        with os_errors_with_hints(folders.home), lease.start_lock(folders.lock, self._recipe.on_progress):
            self._recipe.leave(held)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()


def attach(
    data_dir: Path,
    *,
    on_progress: OnProgress = quiet,
    durable: bool = True,
    binaries: Path | None = None,
) -> Attached:
    """Return a use of a data folder's server, created and started if necessary; wait while it recovers.

    ``data_dir`` is for the server alone. ``on_progress`` receives a sentence about each slow operation.
    ``durable=False`` is for temporary databases of tests: commits are fast, and a crash of the machine loses them.
    ``binaries`` is another installation of the same PostgreSQL than the wheel's, in the wheel's layout.

    Raise ``Invalid`` for a folder that cannot be used, ``Unavailable`` for anything missing or blocking,
    and ``Conflict`` if it runs with less durable commits.
    """
    owner = owners.choose(data_dir.expanduser())
    folders = places.prepare(data_dir, owner)
    recipe = _Recipe(folders, owner, binaries, durable, on_progress)
    with os_errors_with_hints(folders.home), lease.start_lock(folders.lock, on_progress) as lock:
        held = lease.take(folders.users)
        try:
            sockets = recipe.ensure_ready(lock)
        except (KeyboardInterrupt, SystemExit):  # stopped while it waits: leave no unused server behind
            recipe.leave(held)
            raise
        except BaseException:  # raised again: a server that blocks is not ours to stop, but this use has ended
            held.release()
            raise
    return Attached(recipe, held, sockets)


def stop(data_dir: Path, *, on_progress: OnProgress = quiet) -> bool:
    """Stop the server of a data folder; return whether one ran. ``Conflict`` while a living process uses it."""
    owner = owners.choose(data_dir.expanduser())
    if not data_dir.expanduser().exists():
        return False
    folders = places.prepare(data_dir, owner)
    with os_errors_with_hints(folders.home), lease.start_lock(folders.lock, on_progress):
        users = lease.living_users(folders.users)
        if users:
            raise Conflict(
                f"The database in {folders.home} is in use by {', '.join(users)}.",
                hint="Stop these first; the last one stops the database.",
            )
        return _stop(folders, owner, on_progress)


def conninfo(folders: Folders, sockets: Path, role: str) -> str:
    """Return the psycopg connection string of a role for a server whose socket is in a folder."""
    return f"host={_quoted(sockets)} port={PORT} dbname={NAME} user={role} passfile={_quoted(folders.passwords)}"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class _Recipe:
    """Everything needed to start the server, the same way each time."""

    def __init__(
        self, folders: Folders, owner: Owner, binaries: Path | None, durable: bool, on_progress: OnProgress
    ) -> None:
        self.folders = folders
        self.owner = owner
        self.on_progress = on_progress
        self._binaries = binaries
        self._durable = durable

    def ensure_ready(self, start_lock: int) -> Path:
        """Make the server ready, from any state, and return the folder of its socket."""
        has_cluster = exists(self.folders, self.owner)
        server = postmaster.running(self.folders.cluster) if has_cluster else None
        if server is not None and server.status == "stopping":
            postmaster.wait_until_gone(self.folders, server.pid, self.on_progress)
            server = None
        if server is None:
            return self._start(has_cluster, start_lock)
        access.require(self.folders)
        postmaster.check_durable(self.folders.cluster, durable=self._durable)
        log = Log.since_start(self.folders.log)
        return postmaster.wait_until_ready(self.folders, server.pid, log, self.on_progress)

    def leave(self, held: lease.Lease) -> None:
        """End a use, and stop the server if no other process uses it, while the start lock is held."""
        held.release()
        if not lease.living_users(self.folders.users):
            _stop(self.folders, self.owner, self.on_progress)

    def _start(self, has_cluster: bool, start_lock: int) -> Path:
        given = programs.Binaries(self._binaries) if self._binaries else programs.installed()
        usable = programs.usable(given, self.owner, self.folders.binaries)
        if not has_cluster:
            initialise(
                self.folders,
                self.owner,
                usable,
                durable=self._durable,
                start_lock=start_lock,
                on_progress=self.on_progress,
            )
        sockets = places.choose_sockets(self.folders, self.owner)
        postmaster.clear(self.folders, sockets, self.on_progress)
        access.ensure(self.folders, self.owner, usable, start_lock)
        return postmaster.start(
            self.folders, self.owner, usable, sockets, durable=self._durable, on_progress=self.on_progress
        )


def _stop(folders: Folders, owner: Owner, on_progress: OnProgress) -> bool:
    server = postmaster.running(folders.cluster)
    if server is not None:
        postmaster.stop(folders, server.pid, on_progress)
    places.forget_sockets(folders, owner)
    return server is not None
