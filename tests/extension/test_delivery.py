"""Delivery of records to a real Genlock: later if it is down, once for repeated requests, and past refused ones."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from comfyui.config import Config, ConfigFile
from comfyui.delivery import Delivery, NotNow, Refused, Unreached, deliver
from comfyui.spool import Spool
from tests.capture.runs import run_record, video
from tests.conftest import LiveServer


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "genlock.json"


def configure(path: Path, url: str, token: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"url": url, "token": token, "secret": "s"}))
    temporary.chmod(0o600)
    temporary.replace(path)


def keep(spool: Spool, tmp_path: Path, **changes: Any) -> tuple[Path, dict[str, Any]]:
    content = video()
    (tmp_path / "1_00001_.mp4").write_bytes(content)
    record = run_record(content, **changes)
    entry = spool.begin(record["run"], record, [str(tmp_path / "1_00001_.mp4")])
    return spool.finish(entry, record), record


def captures(server: LiveServer) -> list[dict[str, Any]]:
    with server.client() as client:
        return client.get("/api/v1/captures?state=all").json()["items"]


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it did not come true in a minute"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def delivery(spool: Spool, config: Path) -> Generator[Delivery]:
    started = Delivery(spool, ConfigFile(config), lambda record, answer: None, first_pause_s=0.05)
    yield started
    started.close()


def test_records_that_wait_while_genlock_is_down_are_delivered_later(
    live_server: LiveServer, spool: Spool, config: Path, delivery: Delivery, tmp_path: Path
) -> None:
    configure(config, f"http://127.0.0.1:{free_port()}", live_server.token)
    runs = [keep(spool, tmp_path)[1]["run"] for _ in range(3)]
    delivery.start()
    until(lambda: delivery.last_error)
    assert len(spool.waiting()) == 3
    configure(config, live_server.url, live_server.token)
    until(lambda: not spool.waiting())
    assert [capture["run"] for capture in reversed(captures(live_server))] == runs
    until(lambda: delivery.last_error is None)
    assert delivery.delivered == 3


def test_a_lost_answer_does_not_create_a_second_capture(
    live_server: LiveServer, spool: Spool, config: Path, delivery: Delivery, tmp_path: Path
) -> None:
    """A proxy between the two passes the first request on and drops the answer."""
    port = int(live_server.url.rpartition(":")[2])
    passed: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pass_on() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                threading.Thread(target=copy, args=(near, far), daemon=True).start()
                answer = whole_answer(far)
                passed.append(len(answer))
                if len(passed) > 1:
                    near.sendall(answer)
                near.shutdown(socket.SHUT_RDWR)  # closing alone does nothing while the other thread reads

    def copy(near: socket.socket, far: socket.socket) -> None:
        try:
            while chunk := near.recv(65_536):
                far.sendall(chunk)
        except OSError:
            return  # one of the two closed the connection, as expected

    def whole_answer(far: socket.socket) -> bytes:
        answer = b""
        while chunk := far.recv(65_536):
            answer += chunk
            head, end, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            if end and length and len(body) >= int(length[1]):
                break
        return answer

    threading.Thread(target=pass_on, daemon=True).start()
    configure(config, f"http://127.0.0.1:{listener.getsockname()[1]}", live_server.token)
    keep(spool, tmp_path)
    delivery.start()
    until(lambda: not spool.waiting())
    listener.close()
    assert len(passed) == 2, "it was sent twice"
    assert len(captures(live_server)) == 1


def test_a_refused_record_is_set_aside_and_the_next_one_delivered(
    live_server: LiveServer, spool: Spool, config: Path, delivery: Delivery, tmp_path: Path
) -> None:
    configure(config, live_server.url, live_server.token)
    keep(spool, tmp_path, surprise=1)
    _, good = keep(spool, tmp_path)
    delivery.start()
    until(lambda: not spool.waiting())
    assert [capture["run"] for capture in captures(live_server)] == [good["run"]]
    (aside,) = spool.refused()
    assert "surprise" in (aside / "why.txt").read_text()


def test_a_refused_token_keeps_all_records(live_server: LiveServer, spool: Spool, tmp_path: Path) -> None:
    entry, record = keep(spool, tmp_path)
    for token in ("gl_nobody", ""):
        with pytest.raises(NotNow, match=r"401.*token"):
            deliver(Config(live_server.url, token, ""), entry, record)
    assert entry.exists()


def test_a_server_that_is_not_genlock_gets_no_records(spool: Spool, tmp_path: Path) -> None:
    entry, record = keep(spool, tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    body = b'{"hello": "from somebody else"}'

    def answer() -> None:
        near, _ = listener.accept()
        with near:
            while b"--\r\n" not in near.recv(65_536):
                pass
            near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with pytest.raises(Unreached, match="not Genlock"):
        deliver(Config(f"http://127.0.0.1:{listener.getsockname()[1]}", "t", ""), entry, record)
    thread.join()
    listener.close()


def test_an_overwritten_output_is_not_sent_and_its_digest_is_unchanged(
    live_server: LiveServer, spool: Spool, tmp_path: Path
) -> None:
    entry, record = keep(spool, tmp_path)
    (entry / "output_0").write_bytes(b"somebody wrote into it")
    answer = deliver(Config(live_server.url, live_server.token, ""), entry, record)
    assert (answer["capture"]["state"], answer["capture"]["video"]) == ("inbox", None)
    with live_server.client() as client:
        stored = client.get(f"/api/v1/captures/{answer['capture']['id']}").json()["record"]
    assert stored["outputs"][0]["digest"] == record["outputs"][0]["digest"]


def test_a_record_that_can_never_be_accepted_has_a_reason(
    live_server: LiveServer, spool: Spool, tmp_path: Path
) -> None:
    entry, record = keep(spool, tmp_path, status="fine")
    with pytest.raises(Refused, match=r"422.*status"):
        deliver(Config(live_server.url, live_server.token, ""), entry, record)


def test_a_configuration_is_read_again_when_it_changes(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = ConfigFile(config)
    assert file.now() == Config()
    assert "genlock comfyui install" in caplog.text
    configure(config, "http://a", "one")
    assert file.now() == Config("http://a", "one", "s")
    configure(config, "http://a", "two")
    assert file.now().token == "two"
    assert file.now().staging_bytes == 200 * 2**30
    for value, expected in ((7, 7), ("much", 200 * 2**30), (True, 200 * 2**30)):
        config.write_text(json.dumps({"staging_bytes": value}))
        assert ConfigFile(config).now().staging_bytes == expected
    config.chmod(0o644)
    configure(config, "http://a", "three")
    assert "others may read" not in caplog.text
    config.write_text("[]")
    config.chmod(0o644)
    assert ConfigFile(config).now() == Config()
    assert "others may read" in caplog.text
