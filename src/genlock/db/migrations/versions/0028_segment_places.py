"""Revision 0028: written as SQL in the file of the same name."""

from genlock.db.migrations.script import run_sql

revision = "0028"
down_revision: str | None = "0027"


def upgrade() -> None:
    """Apply the SQL beside this file."""
    run_sql(__file__)
