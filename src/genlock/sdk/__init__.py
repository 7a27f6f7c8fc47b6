"""The implementation of `genlock.client`: a module per group of calls and per concept of the connection."""
