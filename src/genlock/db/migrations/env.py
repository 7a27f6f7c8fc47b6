"""Alembic's entry: runs the revisions on the one connection that ``genlock.db.migrate`` hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="genlock", transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
