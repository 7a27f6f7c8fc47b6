"""Runs a revision's SQL: the file next to the revision, with the same name."""

from pathlib import Path

from alembic import op


def run_sql(revision_file: str) -> None:
    """Execute the ``.sql`` file next to a revision's ``.py`` file, as one script."""
    # The driver's own cursor: no placeholder syntax, so that percent signs in functions stay what they are.
    cursor = op.get_bind().connection.cursor()
    cursor.execute(Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8"))
