"""The revisions: one per room, each an SQL file."""
