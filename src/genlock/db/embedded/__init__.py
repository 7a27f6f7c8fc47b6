"""A PostgreSQL of our own, started from a wheel's binaries, shared by every process that needs it."""
