"""Engines: a spec and input files in, output files out, without database, projects or receipts."""
