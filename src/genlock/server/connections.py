"""Limits the cost of connections: the size and time of the head, silence, and the number of connections.

    connected ── head within header_timeout_s and max_header_bytes ── request ── response ─┐
        ▲                                                              body: silent for at │
        └───────────── next request within idle_timeout_s ◄──────────  most idle_timeout_s ┘

At the limit of connections the one that has waited longest without a request is closed for a new one, so that half-open
requests do not block other clients. If all of them have a request, the new one gets 503.
"""

import asyncio
import logging
import resource
from dataclasses import dataclass
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from genlock.settings import Settings
from genlock.web.problems import MEDIA_TYPE, Problem, problem_type

logger = logging.getLogger(__name__)

_MAX_PIPELINED = 16
_MAX_LINGERING = 64
_LINGER_S = 2.0
_MAX_DISCARDED_BYTES = 2**20
_OTHER_DESCRIPTORS = 256
_FEWEST_CONNECTIONS = 16
_PHRASES = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits of one connection, and the maximum number of connections."""

    max_connections: int
    max_header_bytes: int
    header_timeout_s: float
    idle_timeout_s: float


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return the limits of the settings, after raising the limit on open files to fit the connections."""
    return ConnectionLimits(
        max_connections=_ensure_descriptors(settings.max_connections),
        max_header_bytes=settings.max_header_bytes,
        header_timeout_s=settings.header_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
    )


def _ensure_descriptors(connections: int) -> int:
    """Return how many connections fit below the hard limit on open files; each may also read a file."""
    needed = 2 * connections + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == needed:
        return connections
    fitting = max((allowed - _OTHER_DESCRIPTORS) // 2, _FEWEST_CONNECTIONS)
    logger.warning("At most %d connections: this process may open %d files only (ulimit -n).", fitting, allowed)
    return fitting


class ConnectionPool:
    """The open connections of a server, and those without a request."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[BoundedHttpProtocol] = set()
        self._waiting: dict[BoundedHttpProtocol, None] = {}  # longest first
        self._lingering: set[BoundedHttpProtocol] = set()

    def admit(self, connection: "BoundedHttpProtocol") -> bool:
        """Return whether there is room for a new connection, after closing the longest waiting one if necessary."""
        if len(self._open) >= self.limits.max_connections:
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            self.remove(longest)
            longest.transport.abort()
        self._open.add(connection)
        self._waiting[connection] = None
        return True

    def begin_request(self, connection: "BoundedHttpProtocol") -> None:
        """Mark a connection as having a request."""
        self._waiting.pop(connection, None)

    def end_request(self, connection: "BoundedHttpProtocol") -> None:
        """Mark a connection as having no request."""
        if connection in self._open:
            self._waiting[connection] = None

    def is_waiting(self, connection: "BoundedHttpProtocol") -> bool:
        """Return whether a connection has no request."""
        return connection in self._waiting

    def linger(self, connection: "BoundedHttpProtocol") -> bool:
        """Return whether a refused connection may stay open for a moment, so that its response arrives."""
        if len(self._lingering) >= _MAX_LINGERING:
            return False
        self._lingering.add(connection)
        return True

    def remove(self, connection: "BoundedHttpProtocol") -> None:
        """Remove a connection."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._lingering.discard(connection)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1 connection on httptools, extended by these limits."""

    pool: ClassVar[ConnectionPool]

    _refused = False
    _head_too_large = False
    _unfinished_bytes = 0
    _discarded_bytes = 0
    _last_data_s = 0.0
    _stalled_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _body_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _linger_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit the connection, or refuse it."""
        super().connection_made(transport)
        if self.pool.admit(self):
            self._start_head_timer()
        else:
            self._refuse(503, "too_many_connections", "The server has as many connections as it may have.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection and its timers."""
        for timer in (self._head_timer, self._body_timer, self._write_timer, self._linger_timer):
            if timer is not None:
                timer.cancel()
        self.pool.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the received data, unless the request is refused or its head has become too large."""
        if self._refused:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _MAX_DISCARDED_BYTES:
                self.transport.abort()
            return
        self._last_data_s = self.loop.time()
        if self._head_timer is None and self.pool.is_waiting(self):
            self._start_head_timer()
        self._unfinished_bytes += len(data)
        super().data_received(data)
        if self._unfinished_bytes > self.pool.limits.max_header_bytes:
            self._refuse_large_head()

    def on_headers_complete(self) -> None:
        """Begin the request, unless its head is too large."""
        self._unfinished_bytes = 0
        size_bytes = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size_bytes > self.pool.limits.max_header_bytes:
            self._head_too_large = True
            raise ValueError("the head is too large")
        if len(self.pipeline) >= _MAX_PIPELINED:
            raise ValueError("too many requests are pipelined")
        self._stop_head_timer()
        self.pool.begin_request(self)
        super().on_headers_complete()
        if self._body_timer is None:
            self._body_timer = self.loop.call_later(self.pool.limits.idle_timeout_s, self._check_body)

    def on_body(self, body: bytes) -> None:
        """Accept a part of the body."""
        self._unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body."""
        self._unfinished_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:
            self.pool.end_request(self)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that could not be parsed."""
        if self._head_too_large:
            self._refuse_large_head()
        else:
            self._refuse(400, "bad_request", "The request is not valid HTTP/1.1.")

    def pause_writing(self) -> None:
        """Start checking that the client reads its response."""
        super().pause_writing()
        self._stalled_bytes = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(self.pool.limits.idle_timeout_s, self._check_write)

    def resume_writing(self) -> None:
        """Stop checking that the client reads its response."""
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.pool.limits.header_timeout_s, self._refuse_slow_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse_slow_head(self) -> None:
        seconds = self.pool.limits.header_timeout_s
        self._refuse(408, "header_timeout", f"The request's headers did not arrive within {seconds:g} s.")

    def _refuse_large_head(self) -> None:
        limit = self.pool.limits.max_header_bytes
        self._refuse(431, "headers_too_large", f"The request's headers are larger than {limit:,} bytes.")

    def _check_body(self) -> None:
        """Refuse a request whose body has stalled for too long while the server reads it."""
        self._body_timer = None
        if self.cycle.response_complete or not self.cycle.more_body:
            return
        if self.flow.read_paused:
            self._last_data_s = self.loop.time()
        idle_s = self.pool.limits.idle_timeout_s
        remaining_s = self._last_data_s + idle_s - self.loop.time()
        if remaining_s > 0:
            self._body_timer = self.loop.call_later(remaining_s, self._check_body)
        else:
            self._refuse(408, "body_timeout", f"No byte of the request's body arrived for {idle_s:g} s.")

    def _check_write(self) -> None:
        """Close a connection whose client has stopped reading its response for too long."""
        waiting_bytes = self.transport.get_write_buffer_size()
        if waiting_bytes >= self._stalled_bytes:
            self.transport.abort()
            return
        self._stalled_bytes = waiting_bytes
        self._write_timer = self.loop.call_later(self.pool.limits.idle_timeout_s, self._check_write)

    def _unanswered(self) -> RequestResponseCycle | None:
        """Return the request whose response is incomplete, or ``None``."""
        cycle: RequestResponseCycle | None = getattr(self, "cycle", None)
        return None if cycle is None or cycle.response_complete else cycle

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Respond without the application, and close the connection when the client has read the response."""
        if self._refused:
            return
        self._refused = True
        self._stop_head_timer()
        cycle = self._unanswered()
        answering = cycle is not None and cycle.response_started
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        if answering or self.pipeline or not self.pool.linger(self):
            self.pipeline.clear()
            self.transport.abort()
            return
        self.transport.write(_response(status, code, detail))
        self.transport.write_eof()
        self._linger_timer = self.loop.call_later(_LINGER_S, self.transport.abort)


def bounded_protocol(limits: ConnectionLimits) -> type[BoundedHttpProtocol]:
    """Return the class of a server's connections, which share the limits."""

    class Connection(BoundedHttpProtocol):
        pool = ConnectionPool(limits)

    return Connection


def _response(status: int, code: str, detail: str) -> bytes:
    title = _PHRASES[status].capitalize()
    problem = Problem(type=problem_type(code), title=title, status=status, detail=detail, code=code, errors=())
    body = problem.model_dump_json().encode()
    head = (
        f"HTTP/1.1 {status} {_PHRASES[status]}\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
