"""Revision 0022: written as SQL in the file of the same name."""

from genlock.db.migrations.script import run_sql

revision = "0022"
down_revision: str | None = "0023"


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
