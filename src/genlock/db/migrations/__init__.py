"""Alembic's environment and the revisions, forward only."""
