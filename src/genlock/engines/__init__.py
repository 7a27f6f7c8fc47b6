"""Engines: a spec and input files in, output files out; they know no database, no project and no receipt."""
