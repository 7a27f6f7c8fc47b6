"""A receipt run again: what it is run with, how it is watched, how like the original it is."""
