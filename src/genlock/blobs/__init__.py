"""How bytes are kept: stores that find them by their digest, and never by a name."""
