"""One persistent connection, for rates: the client's own work takes time of the same cores."""

from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection

import httpx

from benchmarks.environment import TIMEOUT_S

BOUNDARY = "genlock-bench-5f0c1a"


class Wire:
    """Sends bodies, and sees that each was taken."""

    def __init__(self, http: httpx.Client) -> None:
        self._prefix = http.base_url.path.rstrip("/")
        self._headers = {"Authorization": http.headers["Authorization"]}
        self._connection = HTTPConnection(http.base_url.host, http.base_url.port, timeout=TIMEOUT_S)

    def post(self, path: str, body: bytes, media_type: str) -> bytes:
        """Send a body and return the response; raise ``AssertionError`` unless it succeeds."""
        self._connection.request("POST", self._prefix + path, body, {**self._headers, "Content-Type": media_type})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{path} answered {answer.status}: {content[:500]!r}")
        return content

    def post_json(self, path: str, text: str) -> bytes:
        """Send JSON like ``post``."""
        return self.post(path, text.encode(), "application/json")

    def post_field(self, path: str, name: str, text: str) -> bytes:
        """Send a form with one field, which holds JSON, like ``post``."""
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: application/json\r\n\r\n'
        )
        form = f"{head}{text}\r\n--{BOUNDARY}--\r\n"
        return self.post(path, form.encode(), f"multipart/form-data; boundary={BOUNDARY}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def wire(http: httpx.Client) -> Generator[Wire]:
    """Return a connection to the server of ``http``, with its token, open while the block runs."""
    opened = Wire(http)
    try:
        yield opened
    finally:
        opened.close()
