"""The queue's own schema: procrastinate's tables and functions, kept apart from ours."""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply procrastinate's schema with the queue's search path, then come back to ours."""
    connection = op.get_bind()
    connection.exec_driver_sql("SET LOCAL search_path TO queue")
    # exec_driver_sql would read the percent signs of plpgsql as placeholders if it were given parameters.
    connection.connection.cursor().execute(SchemaManager.get_schema())
    connection.exec_driver_sql("SET LOCAL search_path TO genlock, queue")
