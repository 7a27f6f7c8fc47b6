"""Whether a server takes connections: the first words of PostgreSQL's protocol, spoken over its socket.

`postmaster.pid` does not tell: it keeps saying "ready" while the server recovers from the death of one of its
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
    """How a server meets a new connection."""

    WELCOME = "welcome"  # or refused for a reason that waiting does not change: whoever connects will be told
    LATER = "later"  # it starts, recovers or stops


def greet(path: Path, *, user: str, database: str) -> Answer:
    """Connects to a server's socket and leaves again. Raises ``OSError`` where nobody listens."""
    fields = b"\0".join([b"user", user.encode(), b"database", database.encode(), b"", b""])
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(os.fsencode(path))
        try:
            caller.sendall(struct.pack("!ii", len(fields) + 8, VERSION_3) + fields)
            said = caller.recv(4096)
            if not said.startswith(ASKS_PASSWORD):
                said += b"".join(iter(lambda: caller.recv(4096), b""))
        except (BrokenPipeError, ConnectionResetError):
            return Answer.LATER  # a server that goes down hangs up
    return Answer.LATER if not said or (said.startswith(b"E") and CANNOT_CONNECT_NOW in said) else Answer.WELCOME
