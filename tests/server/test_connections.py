"""Limits of a connection: headers, silence and number, over real sockets against real processes."""

import contextlib
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.database_pool import DatabasePool
from tests.server.test_limits import MIB, peak_bytes, reset_peak
from tests.server.test_process import announced, client, command, running

QUICK = {"GENLOCK_HEADER_TIMEOUT_S": "1", "GENLOCK_IDLE_TIMEOUT_S": "1.5"}


class Target:
    """A server process and connections to it."""

    def __init__(self, pid: int, data: Path) -> None:
        self.pid = pid
        self.address = urlsplit(announced(data)["url"])
        self.token = (data / "admin.token").read_text().strip()

    def connect(self) -> socket.socket:
        return socket.create_connection((self.address.hostname, self.address.port), timeout=30)

    def head(self, start: str, *lines: str) -> bytes:
        token = f"Authorization: Bearer {self.token}"
        return "\r\n".join([f"{start} HTTP/1.1", "Host: x", token, *lines, "", ""]).encode()


@contextmanager
def target(data: Path, database: str, environment: dict[str, str]) -> Generator[tuple[Target, httpx.Client]]:
    with running(command(data, database), environment) as process, client(data) as http:
        yield Target(process.pid, data), http


@pytest.fixture(scope="module")
def quick(pool: DatabasePool, tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Target, httpx.Client]]:
    """Start a server with timeouts of about a second, for all tests that need no other."""
    with pool.borrowed() as database, target(tmp_path_factory.mktemp("quick") / "data", database, QUICK) as server:
        yield server


def rest_of(connection: socket.socket) -> bytes:
    """Return the remaining bytes until the server closes the connection."""
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            content += chunk
    return content


def status_of(content: bytes) -> int:
    return int(content.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "part",
    [
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(9000)) + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Open: " + b"a" * 70_000,
    ],
    ids=["long", "many", "path", "open"],
)
def test_headers_over_the_limit_are_answered_431(quick: tuple[Target, httpx.Client], part: bytes) -> None:
    server, _ = quick
    with server.connect() as connection:
        connection.sendall(part)
        answer = rest_of(connection)
    assert status_of(answer) == 431
    assert b"headers_too_large" in answer


def test_headers_within_the_limit_are_read(quick: tuple[Target, httpx.Client]) -> None:
    _, http = quick
    assert http.get("/api/v1/me", headers={"X-Long": "a" * 60_000}).is_success


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\nX-Endless: ", b"GET / HTTP/1.1\r\n", b"GET /"])
def test_endless_headers_cost_little_memory(quick: tuple[Target, httpx.Client], start: bytes) -> None:
    server, http = quick
    before = reset_peak(server.pid)
    line = b"X-Header: value\r\n" * (MIB // 17) if start.endswith(b"\n") else b"a" * MIB
    with server.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(start)
        for _ in range(100):
            connection.sendall(line)
    assert peak_bytes(server.pid) - before < 20 * MIB
    assert http.get("/healthz").is_success


def test_endless_trailers_and_chunk_extensions_cost_little_memory(quick: tuple[Target, httpx.Client]) -> None:
    server, http = quick
    before = reset_peak(server.pid)
    head = server.head(
        "POST /api/v1/projects", "Content-Type: application/json", "Transfer-Encoding: chunked", "Expect: 100-continue"
    )
    for start in (b"0\r\nX-Endless: ", b"5;x="):
        with server.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(head)
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(start)
            for _ in range(100):
                connection.sendall(b"a" * MIB)
    assert peak_bytes(server.pid) - before < 20 * MIB
    assert http.get("/healthz").is_success


@pytest.mark.parametrize("part", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_arrive_is_answered_408(quick: tuple[Target, httpx.Client], part: bytes) -> None:
    server, _ = quick
    started_s = time.monotonic()
    with server.connect() as connection:
        connection.sendall(part)
        assert status_of(rest_of(connection)) == 408
    assert time.monotonic() - started_s > 0.9


def test_a_head_that_trickles_in_is_answered_408(quick: tuple[Target, httpx.Client]) -> None:
    server, _ = quick
    with server.connect() as connection:
        for letter in b"GET /0123456789":
            connection.sendall(bytes([letter]))
            time.sleep(0.1)
        assert status_of(rest_of(connection)) == 408


def test_a_stalled_body_is_answered_408_and_a_slow_one_is_read(quick: tuple[Target, httpx.Client]) -> None:
    server, _ = quick
    body = b'{"slug": "a", "name": "A"}'
    head = server.head("POST /api/v1/projects", "Content-Type: application/json", f"Content-Length: {len(body)}")
    with server.connect() as connection:
        connection.sendall(head + body[:5])
        answer = rest_of(connection)
        assert status_of(answer) == 408
        assert b"body_timeout" in answer
    with server.connect() as connection:
        connection.sendall(head)
        for number in range(len(body)):
            connection.sendall(body[number : number + 1])
            time.sleep(0.1)
        assert status_of(connection.recv(65536)) == 201


def test_an_idle_connection_is_closed_and_a_silent_answer_is_not(quick: tuple[Target, httpx.Client]) -> None:
    server, _ = quick
    with server.connect() as idle, server.connect() as stream:
        stream.sendall(server.head("GET /api/v1/events/stream"))
        assert status_of(stream.recv(65536)) == 200
        idle.sendall(server.head("GET /healthz"))
        answer = rest_of(idle)
        assert status_of(answer) == 200
        assert answer.count(b"HTTP/1.1") == 1
        time.sleep(2)
        stream.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            assert stream.recv(65536) != b""


def test_a_client_that_does_not_read_its_answer_is_disconnected(quick: tuple[Target, httpx.Client]) -> None:
    server, http = quick
    asset = http.post("/api/v1/assets", json={"kind": "other", "name": "large"}).json()["id"]
    http.post(f"/api/v1/assets/{asset}/versions", files={"file": ("large", b"a" * 40 * MIB)}).raise_for_status()
    with server.connect() as connection:
        connection.sendall(server.head(f"GET /api/v1/assets/{asset}/versions/1/content"))
        time.sleep(6)
        assert len(rest_of(connection)) < 40 * MIB


@pytest.mark.parametrize("open_files", [1024, 4096])
def test_half_open_requests_do_not_end_service(tmp_path: Path, database: str, open_files: int) -> None:
    data = tmp_path / "data"
    limited = ["sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh", *command(data, database)]
    patient = {"GENLOCK_HEADER_TIMEOUT_S": "600"}  # so that no timeout frees a connection
    with running(limited, patient) as process, client(data) as http, ExitStack() as stack:
        server = Target(process.pid, data)
        for _ in range(1100):
            stack.enter_context(server.connect()).sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for _ in range(3):
            assert http.get("/api/v1/me").is_success
            with httpx.Client(timeout=60) as other:
                assert other.get(f"{server.address.geturl()}/healthz").is_success


def test_a_connection_over_the_limit_is_answered_503_while_all_have_requests(tmp_path: Path, database: str) -> None:
    with target(tmp_path / "data", database, {"GENLOCK_MAX_CONNECTIONS": "4"}) as (server, _):
        streams = [server.connect() for _ in range(4)]
        try:
            for stream in streams:
                stream.sendall(server.head("GET /api/v1/events/stream"))
                assert status_of(stream.recv(65536)) == 200
            with server.connect() as connection:
                connection.sendall(server.head("GET /healthz"))
                answer = rest_of(connection)
                assert status_of(answer) == 503
                assert b"too_many_connections" in answer
        finally:
            for stream in streams:
                stream.close()
        deadline_s = time.monotonic() + 20
        status = 503
        while status == 503 and time.monotonic() < deadline_s:
            with server.connect() as connection:
                connection.sendall(server.head("GET /healthz", "Connection: close"))
                status = status_of(rest_of(connection))
        assert status == 200
