"""The server process: ``python -m genlock.server`` brings up everything that one machine needs."""
