"""The JSON API: a module for each concept, a route for each call; every one parses, calls, returns."""
