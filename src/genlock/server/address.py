"""The address of a server, and the lock that allows one server per data folder.

data folder/
├── server.lock   locked while a server runs; the kernel releases it
└── server.json   {url, pid, version} of that server; stale if the lock is free
"""

import errno
import fcntl
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx

from genlock.errors import Conflict, Invalid
from genlock.private_file import write_private
from genlock.sdk.local import Running
from genlock.tls import needs_certificates

_TOO_LOW = 1024
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - only compared with


@contextmanager
def sole_server(data: Path) -> Generator[bool]:
    """Yield whether this process is now the data folder's server; if not, another process is or will be."""
    descriptor = os.open(data / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raise ``Conflict`` if the port is taken, ``Invalid`` if it cannot be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(512)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise _refused(host, port, error) from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket on this machine."""
    host, port = listener.getsockname()[:2]
    if host in _ANYWHERE:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(path: Path, url: str) -> Running:
    """Write ``server.json`` atomically."""
    running = Running(url=url, pid=os.getpid(), version=version("genlock"))
    write_private(path, running.model_dump_json() + "\n")
    return running


def answers(running: Running) -> bool:
    """Return whether a server responds at its address."""
    verify = needs_certificates(running.url)
    try:
        return httpx.get(f"{running.url}/healthz", timeout=5, trust_env=False, verify=verify).is_success
    except httpx.HTTPError:
        return False


def _refused(host: str, port: int, error: OSError) -> Conflict | Invalid:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"Port {port} is taken by another program.",
            hint="Choose another with --port, or let --port 0 choose a free one.",
            code="port_taken",
        )
    if error.errno == errno.EACCES and port < _TOO_LOW:
        return Invalid(
            f"Port {port} needs more rights than this user has.",
            hint=f"Choose one above {_TOO_LOW} with --port.",
            code="port_denied",
        )
    return Invalid(
        f"This machine cannot listen on {host}, port {port}: {error.strerror or error}.",
        hint="Check --host and --port.",
        code="address_unusable",
    )
