"""The server process: ``python -m genlock.server`` starts everything that one machine needs."""
