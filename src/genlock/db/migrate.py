"""Migrates a database to the newest revision; safe when several processes start at once."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from genlock.database_url import redact
from genlock.db.connection import checked_conninfo
from genlock.errors import Conflict, Unavailable
from genlock.lazy_import import load

MINIMUM_SERVER = 15_00_00
MIGRATIONS = Path(__file__).parent / "migrations"
_REVISION = re.compile(
    r'^revision(?:: str)? = "(?P<revision>\w+)"$.*^down_revision(?:: [\w| ]+)? = (?:None|"(?P<before>\w+)")$',
    re.MULTILINE | re.DOTALL,
)
_LOCK = 0x67656E6C6F636B  # "genlock": one migration at a time per database


def migrate(conninfo: str, *, migrations: Path = MIGRATIONS) -> None:
    """Apply every revision that the database at ``conninfo`` lacks, under an advisory lock.

    ``conninfo`` is a psycopg connection string of a role that may create schemas. Raise ``Invalid`` for a malformed
    string, ``Unavailable`` if the server cannot be reached or is older than PostgreSQL 15, ``Conflict`` if a newer
    version of Genlock has written the database.
    """
    with _connected(conninfo) as lock:
        if lock.info.server_version < MINIMUM_SERVER:
            raise Unavailable(
                f"This PostgreSQL is version {lock.info.server_version // 10000}; Genlock needs 15 or newer.",
                hint="Point GENLOCK_DATABASE_URL at a newer server, or leave it out to use the embedded one.",
            )
        lock.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        revision = _revision(lock)
        _require_known(revision)
        if revision != revisions(migrations)[-1]:
            # Importing Alembic takes longer than the rest of a start, and most starts have nothing to migrate.
            load("genlock.db.upgrade", "upgrade")(conninfo, migrations)


def require_current(conninfo: str) -> None:
    """Raise ``Conflict`` unless the database is at the newest revision that this version of Genlock has.

    For processes that use a database without migrating it.
    """
    with _connected(conninfo) as conn:
        revision = _revision(conn)
    _require_known(revision)
    newest = revisions()[-1]
    if revision != newest:
        raise Conflict(
            f"The database is at revision {revision or 'none'}, and Genlock {version('genlock')} needs {newest}.",
            hint="Start this version's server first (`genlock up`): it brings the tables up to date.",
            code="older_database",
        )


def revisions(migrations: Path = MIGRATIONS) -> tuple[str, ...]:
    """Return the revisions that this version of Genlock knows, in the order in which they are applied.

    Each names the one before it. Their numbers are of the order in which they were begun.
    """
    texts = [path.read_text() for path in (migrations / "versions").glob("[0-9]*.py")]
    after = {match["before"]: match["revision"] for text in texts if (match := _REVISION.search(text)) is not None}
    chain: list[str] = []
    following = after.get(None)
    while following is not None:
        chain.append(following)
        following = after.get(following)
    return tuple(chain)


def _connected(conninfo: str) -> psycopg.Connection[Any]:
    checked_conninfo(conninfo)
    try:
        return psycopg.connect(conninfo, autocommit=True)
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"The database cannot be reached: {redact(str(error).strip())}",
            hint="Check the database URL and that the server is running.",
        ) from error


def _revision(conn: psycopg.Connection[Any]) -> str | None:
    """Return the revision of a database; ``None`` if Genlock has not used it."""
    table = conn.execute("SELECT to_regclass('genlock.alembic_version') IS NOT NULL").fetchone()
    if table is None or not table[0]:
        return None
    row = conn.execute("SELECT version_num FROM genlock.alembic_version").fetchone()
    return None if row is None else str(row[0])


def _require_known(revision: str | None) -> None:
    if revision is not None and revision not in revisions():
        raise Conflict(
            f"The database is at revision {revision}, which Genlock {version('genlock')} does not know (its newest is "
            f"{revisions()[-1]}): a newer version has written it.",
            hint="Install that newer version of Genlock again, or restore a backup from before the upgrade.",
            code="newer_database",
        )
