"""What stands behind `genlock.client`: one module for each concept of speaking with a server."""
