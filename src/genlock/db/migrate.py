"""Brings a database to the newest revision; safe when several processes start at once."""

from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from genlock.database_url import redact
from genlock.db.connection import checked_conninfo
from genlock.errors import Unavailable

MINIMUM_SERVER = 15_00_00
_LOCK = 0x67656E6C6F636B  # "genlock": one migration at a time per database


def migrate(conninfo: str) -> None:
    """Apply every revision that the database at ``conninfo`` lacks, under an advisory lock.

    ``conninfo`` is a psycopg connection string of a role that may create schemas.
    Raises ``Invalid`` for a malformed string, ``Unavailable`` when the server cannot be reached or is
    older than PostgreSQL 15.
    """
    checked_conninfo(conninfo)
    try:
        with psycopg.connect(conninfo, autocommit=True) as lock:
            if lock.info.server_version < MINIMUM_SERVER:
                raise Unavailable(
                    f"This PostgreSQL is version {lock.info.server_version // 10000}; Genlock needs 15 or newer.",
                    hint="Point GENLOCK_DATABASE_URL at a newer server, or leave it out to use the embedded one.",
                )
            lock.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            _upgrade(conninfo)
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"The database cannot be reached: {redact(str(error).strip())}",
            hint="Check the database URL and that the server is running.",
        ) from error


def _upgrade(conninfo: str) -> None:
    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(conninfo)

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET client_min_messages TO warning")
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS genlock")
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS queue")
        connection.exec_driver_sql("SET LOCAL search_path TO genlock, queue")
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
