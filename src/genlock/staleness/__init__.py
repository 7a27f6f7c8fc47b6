"""What no longer matches: causes, states, the report, the what-if and waivers."""
