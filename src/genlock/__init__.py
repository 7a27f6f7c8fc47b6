"""Genlock keeps every generated video segment in step with the assets that made it."""
