"""The execution of one step: write its input files, render with a heartbeat, store its outputs."""
