"""Probes whether a server accepts connections, by the first messages of PostgreSQL's protocol over its socket.

`postmaster.pid` does not show it: it still says "ready" while the server recovers from the death of one of its
processes. See "Message Flow: Start-up" and "Error and Notice Message Fields" in PostgreSQL's manual.
"""

import os
import socket
import struct
from enum import StrEnum
from pathlib import Path

VERSION_3 = 196_608
ASKS_PASSWORD = b"R"
CANNOT_CONNECT_NOW = b"C57P03\x00"


class Answer(StrEnum):
    """A server's response to a new connection."""

    WELCOME = "welcome"  # or refused for a reason that waiting does not change: the client gets that error
    LATER = "later"  # it starts, recovers or stops


def probe(path: Path, *, user: str, database: str) -> Answer:
    """Connect to a server's socket and disconnect. Raise ``OSError`` if no process listens."""
    fields = b"\0".join([b"user", user.encode(), b"database", database.encode(), b"", b""])
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(os.fsencode(path))
        try:
            caller.sendall(struct.pack("!ii", len(fields) + 8, VERSION_3) + fields)
            response = caller.recv(4096)
            if not response.startswith(ASKS_PASSWORD):
                response += b"".join(iter(lambda: caller.recv(4096), b""))
        except (BrokenPipeError, ConnectionResetError):
            return Answer.LATER  # a server that shuts down closes the connection
    return (
        Answer.LATER
        if not response or (response.startswith(b"E") and CANNOT_CONNECT_NOW in response)
        else Answer.WELCOME
    )
