"""Creates a cluster with its database, completely or not at all."""

import os
import secrets
import shutil
from pathlib import Path

from genlock.db.embedded.binaries import MAJOR, Binaries
from genlock.db.embedded.folders import NAME, Folders, own
from genlock.db.embedded.owner import Owner
from genlock.db.embedded.progress import OnProgress
from genlock.db.embedded.single_user import run_program, run_statements
from genlock.errors import Invalid

UNFINISHED = "cluster.new-"


def exists(folders: Folders, owner: Owner) -> bool:
    """Return whether there is a cluster that this version can run; raise ``Invalid`` if anything else is there."""
    cluster = folders.cluster
    if not cluster.is_dir():
        if cluster.exists() or cluster.is_symlink():
            raise Invalid(f"{cluster} is not a folder.", hint="Move it away, or choose another data folder.")
        return False
    version_file = cluster / "PG_VERSION"
    if not version_file.is_file():
        if any(cluster.iterdir()):
            raise Invalid(
                f"{cluster} holds files, but not those of a PostgreSQL database.",
                hint="Nothing was changed. Move them away, or choose another data folder.",
            )
        return False
    version = version_file.read_text(errors="replace").strip()
    if version != str(MAJOR):
        raise Invalid(
            f"The data folder {folders.home} holds a database of PostgreSQL {version or '(unknown)'}; this is {MAJOR}.",
            hint="Start the Genlock that wrote it and dump its database, then restore the dump into a new data folder.",
        )
    holder = cluster.stat().st_uid
    if holder != owner.uid:
        raise Invalid(
            f"The database in {cluster} belongs to user {holder}, and its server would run as user {owner.uid}.",
            hint=f"Give it back: chown -R {owner.uid} '{cluster}', or run Genlock as the user who created it.",
        )
    return True


def initialise(
    folders: Folders, owner: Owner, binaries: Binaries, *, durable: bool, start_lock: int, on_progress: OnProgress
) -> None:
    """Create the cluster in a temporary folder, and rename it at the end.

    So a cluster with its final name is complete, and leftovers of an interrupted attempt are removed.
    """
    on_progress("Creating a new database.")
    for leftover in folders.home.glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover)
    making = folders.home / f"{UNFINISHED}{secrets.token_hex(4)}"
    own(making, owner)
    initdb: list[str | Path] = [
        binaries.program("initdb"),
        *("--pgdata", making),
        f"--username={NAME}",
        "--encoding=UTF8",
        # Sorts the same on every system, because PostgreSQL brings this locale itself.
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        "--auth=reject",  # the server is started with other rules
        "--no-instructions",
        "--no-sync",
    ]
    run_program(initdb, folders, owner, start_lock)
    run_statements([f"CREATE DATABASE {NAME}"], making, folders, owner, binaries, start_lock, "fsync=off")
    if durable:  # all files at once, before the rename
        run_program([binaries.program("initdb"), "--sync-only", "--pgdata", making], folders, owner, start_lock)
    making.rename(folders.cluster)
    _sync(folders.home)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
