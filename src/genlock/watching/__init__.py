"""Folders that are watched: what lies in them becomes versions, what is overwritten new ones."""
