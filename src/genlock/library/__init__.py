"""The library: assets, their versions and derivations, active versions, and the identity of files."""
