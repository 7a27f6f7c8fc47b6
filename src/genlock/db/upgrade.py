"""Applies revisions by Alembic."""

from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool


def upgrade(conninfo: str, migrations: Path) -> None:
    """Apply every revision in ``migrations`` that the database lacks, in one transaction."""

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(conninfo)

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET client_min_messages TO warning")
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS genlock")
        connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS queue")
        connection.exec_driver_sql("SET LOCAL search_path TO genlock, queue")
        config = Config()
        config.set_main_option("script_location", str(migrations))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
