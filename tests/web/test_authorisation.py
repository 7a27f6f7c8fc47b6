"""Authorisation of every route in the application's own table, over a real socket."""

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from tests.conftest import LiveServer
from tests.web.route_table import GUARDED, OPEN, Entry, entries

from genlock.model import Role

_ANNOUNCED = 64 * 2**20
FOR_CAPTURES = {
    "GET /api/v1/me",
    "GET /api/v1/blobs/{digest}",
    "POST /api/v1/captures",
    "POST /api/v1/captures:check",
    "GET /api/v1/captures/by-prompt/{prompt_id}",
}
OWN_SESSIONS = {"/api/v1/sign-in-links", "/api/v1/session", "/api/v1/sessions", "/api/v1/sessions/{session_id}"}
"""Everybody signs in and out."""

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def issue(server: LiveServer, role: Role) -> str:
    with server.client() as client:
        answer = client.post("/api/v1/tokens", json={"name": f"a {role}", "role": role})
        answer.raise_for_status()
        return answer.json()["secret"]


def status_of(server: LiveServer, entry: Entry, secret: str | None, method: str | None = None) -> tuple[int, str]:
    """Return the status and the problem's code, without waiting for the body of a stream."""
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    with server.client() as client:
        client.headers.pop("Authorization")
        with client.stream(method or entry.method, entry.url, headers=headers) as answer:
            if answer.headers.get("content-type") != "application/problem+json":
                return answer.status_code, ""
            answer.read()
            assert answer.json()["status"] == answer.status_code
            assert answer.json()["hint"] or answer.status_code == 404
            return answer.status_code, answer.json()["code"]


def test_only_two_routes_are_open_and_all_others_are_guarded() -> None:
    table = entries()
    assert {entry.path for entry in table if not entry.is_guarded} == OPEN
    assert all(entry.role is not None for entry in table if entry.path not in OPEN)


def test_reading_is_for_viewers_and_writing_for_creators_or_administrators() -> None:
    for entry in GUARDED:
        if entry.path.startswith("/api/v1/tokens"):
            assert entry.role is Role.ADMIN, entry
        elif entry.path in OWN_SESSIONS:
            assert entry.role is Role.VIEWER, entry
        elif entry.method == "GET":
            assert entry.role in {Role.VIEWER, Role.ADMIN}, entry
        else:
            assert entry.role in {Role.CREATOR, Role.ADMIN}, entry


def test_a_token_of_the_extension_may_call_only_the_routes_that_it_needs() -> None:
    assert {str(entry) for entry in GUARDED if entry.captures} == FOR_CAPTURES


def test_every_route_refuses_missing_unknown_and_revoked_tokens(live_server: LiveServer) -> None:
    revoked = issue(live_server, Role.ADMIN)
    with live_server.client(revoked) as client:
        assert client.delete(f"/api/v1/tokens/{client.get('/api/v1/me').json()['token_id']}").is_success
    for entry in GUARDED:
        assert status_of(live_server, entry, None) == (401, "no_token"), entry
        assert status_of(live_server, entry, "gl_nobody") == (401, "unknown_token"), entry
        assert status_of(live_server, entry, revoked) == (401, "unknown_token"), entry


def test_every_route_refuses_lower_roles_and_accepts_its_own(live_server: LiveServer) -> None:
    secrets = {role: issue(live_server, role) for role in Role}
    for entry in GUARDED:
        assert entry.role is not None
        for role, secret in secrets.items():
            outcome = status_of(live_server, entry, secret)
            if role.includes(entry.role) or (role is Role.CAPTURE and entry.captures):
                assert outcome[0] not in {401, 403, 405} and outcome[0] < 500, (entry, role, outcome)
            else:
                assert outcome == (403, "role_too_low"), (entry, role)


def test_every_other_method_is_refused(live_server: LiveServer) -> None:
    possible: dict[str, set[str]] = {}
    for entry in entries():
        possible.setdefault(entry.url, set()).add(entry.method)
    for entry in entries():
        for method in _METHODS - possible[entry.url]:
            assert status_of(live_server, entry, live_server.token, method) == (405, "method_not_allowed"), entry


@pytest.mark.parametrize("who", ["nobody", "revoked", "lower role", "extension", "too large"])
def test_no_byte_of_a_refused_body_is_read(live_server: LiveServer, who: str) -> None:
    """The request is refused before its body is read, and the connection ends soon afterwards."""
    secrets = {
        "nobody": "gl_nobody",
        "lower role": issue(live_server, Role.VIEWER),
        "extension": issue(live_server, Role.CAPTURE),
    }
    secret = secrets.get(who, live_server.token)
    if who == "revoked":
        secret = issue(live_server, Role.ADMIN)
        with live_server.client(secret) as client:
            client.delete(f"/api/v1/tokens/{client.get('/api/v1/me').json()['token_id']}")
    length = 2**50 if who == "too large" else _ANNOUNCED
    refused = [entry for entry in GUARDED if entry.takes_body and not _may_call(entry, who)]
    live_server.body_bytes_read = 0

    def refuse(entry: Entry) -> tuple[int, int]:
        return send_until_refused(live_server, entry, secret, length)

    with ThreadPoolExecutor(32) as pool:
        for entry, (status, sent) in zip(refused, pool.map(refuse, refused), strict=True):
            assert status == {"lower role": 403, "extension": 403, "too large": 413}.get(who, 401), entry
            assert sent < _ANNOUNCED, f"{entry}: the rest was swallowed"
    assert live_server.body_bytes_read == 0


def _may_call(entry: Entry, who: str) -> bool:
    return (who == "extension" and entry.captures) or (who == "lower role" and entry.role is Role.VIEWER)


def send_until_refused(server: LiveServer, entry: Entry, secret: str, length: int) -> tuple[int, int]:
    """Send a body of ``length`` bytes until the server refuses it; return its status and the number of bytes sent."""
    parts = urlsplit(server.url)
    head = (
        f"{entry.method} {entry.url} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    chunk, sent = b" " * 65_536, 0
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65_536)  # it refuses before any byte of the body was sent
        assert b"connection: close" in answer.lower()
        try:
            while sent < _ANNOUNCED:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass  # closed by the server, as expected
    return int(answer.split(b" ", 2)[1]), sent
