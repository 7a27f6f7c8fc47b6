"""What goes in: assets, their versions and derivations, active versions, and the identity of files."""
