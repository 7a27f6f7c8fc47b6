"""The implementation of `genlock.client`: one module for each group of calls and each concept of the connection."""
