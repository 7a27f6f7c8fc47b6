"""Watched folders: their new files are registered as versions, overwritten ones as new versions."""
