"""The JSON API: a module per concept, a route per call; every route parses, calls, responds."""
