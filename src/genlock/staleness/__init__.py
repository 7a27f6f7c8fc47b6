"""Staleness: causes, states, the report, the what-if and waivers."""
