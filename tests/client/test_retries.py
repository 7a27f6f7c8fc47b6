"""Which requests are retried, how, and how often: over a real socket that cuts connections to a real server."""

import json
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.client.served import Served

from genlock.client import Genlock
from genlock.errors import Conflict, Denied, Invalid, NotFound, Tampered, Unavailable
from genlock.sdk.transport import Address, Retry, Transport
from genlock.timeline.model import Project

QUICK = Retry(attempts=5, first_attempts=5, first_pause_s=0.01, longest_pause_s=0.02)


@contextmanager
def listening(serve: Callable[[socket.socket, int], None]) -> Generator[str]:
    """Yield the URL of a socket that passes every connection to ``serve``, with its number from 1."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            number += 1
            thread = threading.Thread(target=serve, args=(connection, number))
            thread.start()
            threads.append(thread)

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()


def pump(source: socket.socket, sink: socket.socket, cut: bool) -> None:
    """Forward bytes until the source ends; with ``cut`` close both sides as soon as bytes arrive."""
    with suppress(OSError):
        while (chunk := source.recv(1 << 20)) and not cut:
            sink.sendall(chunk)
    for connection in (source, sink):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(url: str, cut: Callable[[int], bool], *, at: str) -> Generator[str]:
    """Run a proxy that cuts connections before (``at="request"``) or after the server answers (``at="answer"``)."""
    host, _, port = url.removeprefix("http://").partition(":")

    def serve(client: socket.socket, number: int) -> None:
        with client, socket.create_connection((host, int(port))) as server:
            backwards = threading.Thread(target=pump, args=(server, client, cut(number) and at == "answer"))
            backwards.start()
            pump(client, server, cut(number) and at == "request")
            backwards.join()

    with listening(serve) as proxy:
        yield proxy


def saying(*answers: bytes) -> Callable[[socket.socket, int], None]:
    """Answer each connection with the next of several answers; all further ones with the last."""

    def serve(connection: socket.socket, number: int) -> None:
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answers[min(number, len(answers)) - 1])

    return serve


def answer(status: str, body: object, *headers: str, media_type: str = "application/json") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(content)}", "Connection: close"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + content


def refusal(status: int, code: str, **more: object) -> bytes:
    body = {"type": "x", "title": "T", "status": status, "detail": "it says why", "code": code, **more}
    return answer(f"{status} X", body, media_type="application/problem+json")


PROJECT = {
    "id": 1,
    "slug": "a",
    "name": "A",
    "archived": False,
    "created_at": "2026-01-01T00:00:00Z",
    "created_by": "x",
}


def to(url: str, retry: Retry = QUICK) -> Transport:
    return Transport(lambda: Address(url=url, token="t"), retry=retry, say=lambda text: None)


def ask(url: str, retry: Retry = QUICK) -> Project:
    with to(url, retry) as http:
        return http.get(Project, "/projects/1")


@pytest.mark.parametrize("at", ["request", "answer"])
def test_a_request_that_was_cut_off_is_done_once(server: Served, at: str) -> None:
    with cutting(server.url, lambda number: number <= 2, at=at) as proxy:
        with Genlock(proxy, server.token, retry=QUICK) as gl:
            created = gl.create_project(f"cut-at-{at}")
        with server.client() as gl:
            assert gl.project(f"cut-at-{at}") == gl.project(created.id)
            assert [event.verb for event in gl.events(project=created.id)] == ["project.created"]


def test_an_upload_that_was_cut_off_is_done_once(server: Served, tmp_path: Path) -> None:
    (tmp_path / "grain_v1.bin").write_bytes(bytes(range(256)) * 64)
    with cutting(server.url, lambda number: number == 2, at="answer") as proxy, server.client() as gl:
        asset = gl.create_asset("other", "cut")
        with Genlock(proxy, server.token, retry=QUICK) as through:
            assert through.asset(asset.id).versions_total == 0
            through.close()  # so that the upload has the second connection, which is cut
            added = through.add_version(asset, tmp_path / "grain_v1.bin")
        assert (added.outcome, added.version.number) == ("created", 1)
        assert gl.asset(asset.id).versions_total == 1


def test_a_connection_that_is_always_cut_ends_in_an_error(server: Served) -> None:
    cuts: list[int] = []

    def cut(number: int) -> bool:
        cuts.append(number)
        return True

    with (
        cutting(server.url, cut, at="request") as proxy,
        Genlock(proxy, server.token, retry=QUICK) as gl,
        pytest.raises(Unavailable) as refused,
    ):
        gl.me()
    assert refused.value.hint
    assert max(cuts) == QUICK.attempts


def test_a_server_that_never_answered_gets_fewer_attempts() -> None:
    tried: list[int] = []

    def serve(connection: socket.socket, number: int) -> None:
        tried.append(number)
        connection.close()

    with listening(serve) as url, pytest.raises(Unavailable):
        ask(url, QUICK.model_copy(update={"first_attempts": 2}))
    assert tried == [1, 2]


def test_503_is_retried() -> None:
    with listening(saying(refusal(503, "unavailable"), refusal(503, "unavailable"), answer("200 OK", PROJECT))) as url:
        assert ask(url).slug == "a"


def test_503_on_every_attempt_is_an_error() -> None:
    with listening(saying(refusal(503, "unavailable", hint="wait"))) as url, pytest.raises(Unavailable) as refused:
        ask(url)
    assert (refused.value.message, refused.value.hint) == ("it says why", "wait")


def test_a_key_that_is_in_use_after_a_loss_is_waited_for() -> None:
    # no answer, as when the connection is lost; then the first attempt still runs; then its answer
    answers = saying(b"", refusal(409, "key_in_use"), answer("201 Created", PROJECT))
    with listening(answers) as url, to(url) as http:
        assert http.send(Project, "POST", "/projects", {"slug": "a"}).slug == "a"


def test_all_attempts_share_a_key_and_the_next_request_has_another() -> None:
    keys: list[str] = []

    def serve(connection: socket.socket, number: int) -> None:
        with connection:
            request = connection.recv(1 << 16).decode()
            keys.extend(line for line in request.split("\r\n") if line.lower().startswith("idempotency-key:"))
            connection.sendall(refusal(503, "unavailable") if number < 3 else answer("201 Created", PROJECT))

    with listening(serve) as url, to(url) as http:
        http.send(Project, "POST", "/projects", {"slug": "a"})
        http.send(Project, "POST", "/projects", {"slug": "a"})
    assert len(keys) == 4
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_a_server_that_moved_to_another_port_is_found_again(server: Served) -> None:
    addresses = iter([Address(url="http://127.0.0.1:9", token=None), Address(url=server.url, token=server.token)])
    with Transport(lambda: next(addresses), retry=QUICK, say=lambda text: None) as http:
        assert http.get(dict, "/me")["role"] == "admin"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "no_token", Denied),
        (403, "role_too_low", Denied),
        (404, "not_found", NotFound),
        (409, "conflict", Conflict),
        (409, "tampered", Tampered),
        (413, "too_large", Invalid),
        (422, "invalid", Invalid),
        (400, "bad", Invalid),
        (500, "internal", Unavailable),
    ],
)
def test_each_refusal_raises_the_error_of_the_server(status: int, code: str, error: type[Exception]) -> None:
    fields = [{"field": "body.name", "message": "no", "code": "invalid"}]
    refused_so = saying(refusal(status, code, hint="do this", errors=fields))
    with listening(refused_so) as url, pytest.raises(error) as refused:
        ask(url)
    raised = refused.value
    assert isinstance(raised, Invalid | Denied | NotFound | Conflict | Tampered | Unavailable)
    assert (raised.message, raised.hint, raised.code, raised.fields[0]["field"]) == (
        "it says why",
        "do this",
        code,
        "body.name",
    )
    assert raised.http_status in {status, 422, 503}


@pytest.mark.parametrize("body", [b"<html>no</html>", {"other": "thing"}, []])
def test_an_answer_that_is_not_from_genlock_is_an_error(body: object) -> None:
    with listening(saying(answer("200 OK", body))) as url, pytest.raises(Unavailable) as refused:
        ask(url)
    assert refused.value.code == "unexpected_answer"


def test_a_proxys_error_page_is_an_error_with_a_reason() -> None:
    page = answer("404 Not Found", b"<html>", media_type="text/html")
    with listening(saying(page)) as url, pytest.raises(NotFound) as refused:
        ask(url)
    assert "404" in refused.value.message


def test_unknown_fields_of_a_newer_server_are_ignored() -> None:
    with listening(saying(answer("200 OK", {**PROJECT, "mood": "blue"}))) as url:
        assert ask(url).slug == "a"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "nonsense", "http://[::1", "http://127.0.0.1:1"])
def test_a_url_without_a_server_is_unreachable(url: str) -> None:
    with pytest.raises(Unavailable) as refused:
        ask(url, Retry(attempts=1))
    assert "--url" in (refused.value.hint or "")
