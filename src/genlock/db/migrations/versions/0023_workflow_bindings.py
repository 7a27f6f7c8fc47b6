"""Revision 0023: written as SQL in the file of the same name."""

from genlock.db.migrations.script import run_sql

revision = "0023"
down_revision: str | None = "0028"


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
