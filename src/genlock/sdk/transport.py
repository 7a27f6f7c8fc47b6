"""Sends HTTP requests to a server: finds it, retries where that is safe, and raises refusals as the six errors.

    request ─┬─ answer 2xx ───────────────────────────▶ a frozen value
             ├─ no answer, 429, 502, 503, 504 ─ pause ─▶ again, under the same idempotency key
             └─ refused ──────────────────────────────▶ Invalid, Denied, NotFound, Conflict, Unavailable, Tampered

Requests that write have an idempotency key that is the same for all retries, so a request whose response was lost
is not executed twice.
"""

import time
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from genlock.errors import Unavailable
from genlock.model import Model
from genlock.sdk.problems import problem_of
from genlock.sdk.uploads import Form
from genlock.tls import needs_certificates

T = TypeVar("T")
Body = BaseModel | Mapping[str, Any] | None
Say = Callable[[str], None]

PREFIX = "/api/v1"
_RETRIED = frozenset({429, 502, 503, 504})
_NOT_RETRIED = frozenset({"disk_full", "disk_trouble"})  # and a large file would be sent in vain each time
_MAX_RETRY_AFTER_S = 30.0
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Address(Model):
    """A server's URL, and the token to send."""

    url: str
    token: str | None


class Retry(Model):
    """How often a request is tried, and the pauses between tries, each twice as long as the previous one.

    ``first_attempts`` applies to a server that has never answered: most likely it is not running.
    """

    attempts: int = 7
    first_attempts: int = 3
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0

    def pause_s(self, attempt: int) -> float:
        """Return the pause after a try, counted from 1."""
        return min(self.first_pause_s * 2 ** (attempt - 1), self.longest_pause_s)


class Transport:
    """A connection to one server. ``find`` returns its address, and is called again if it does not answer."""

    def __init__(self, find: Callable[[], Address], *, retry: Retry, say: Say, timeout_s: float = 120) -> None:
        self._find, self._retry, self._say = find, retry, say
        self._timeout = httpx.Timeout(timeout_s, connect=10)
        self._address: Address | None = None
        self._http: httpx.Client | None = None
        self._met = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._http is not None:
            self._http.close()
            self._http = self._address = None

    @property
    def url(self) -> str:
        """The server's URL. A local server is started if necessary."""
        self._client()
        assert self._address is not None  # noqa: S101 - the client was made for it
        return self._address.url

    def get(self, answer: type[T], path: str, **parameters: Any) -> T:
        """Return the result of a GET."""
        return _read(answer, self._exchange(_Call("GET", PREFIX + path, parameters)))

    def send(self, answer: type[T], method: str, path: str, body: Body = None) -> T:
        """Return the result of a request that writes."""
        return _read(answer, self._exchange(_Call(method, PREFIX + path, body=body)))

    def query(self, answer: type[T], path: str, body: Body) -> T:
        """Return the response to a POST that only reads: it is sent without an idempotency key."""
        return _read(answer, self._exchange(_Call("POST", PREFIX + path, body=body, writes=False)))

    def send_empty(self, method: str, path: str) -> None:
        """Send a request that writes and has no response body."""
        self._exchange(_Call(method, PREFIX + path))

    def send_form(self, answer: type[T], path: str, form: Form, **parameters: Any) -> T:
        """Return the result of an upload; files are read as they are sent."""
        return _read(answer, self._exchange(_Call("POST", PREFIX + path, parameters, form=form)))

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str] | None = None, **parameters: Any
    ) -> Generator[httpx.Response, None, None]:
        """Return a response that is read as it arrives. The request is retried, reading is not."""
        call = _Call("GET", PREFIX + path, parameters, headers=headers or {}, streamed=True)
        response = self._exchange(call)
        try:
            yield response
        finally:
            response.close()

    def _exchange(self, call: "_Call") -> httpx.Response:
        """Return the response to a call if it succeeds. Raise its error after the last try."""
        attempt, lost = 1, False
        while True:
            try:
                response = self._try(call)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:  # retrying does not help
                raise _unreachable(self._address, error) from error
            except httpx.TransportError as error:
                problem, retry_after_s, lost = _unreachable(self._address, error), 0.0, True
                if isinstance(error, httpx.ConnectError):
                    self.close()  # it may have another address by now
            else:
                self._met = True
                if response.is_success:
                    return response
                response.read()
                problem, retry_after_s = problem_of(response), _retry_after_s(response)
                still_running = lost and problem.code == "key_in_use"
                passing = response.status_code in _RETRIED and problem.code not in _NOT_RETRIED
                if not passing and not still_running:
                    raise problem
            most = self._retry.attempts if self._met else min(self._retry.first_attempts, self._retry.attempts)
            if attempt >= most:
                raise problem
            self._say(f"{problem.message} Retrying ({attempt} of {most - 1}) …")
            time.sleep(max(self._retry.pause_s(attempt), retry_after_s))
            attempt += 1

    def _try(self, call: "_Call") -> httpx.Response:
        client = self._client()
        body = call.body
        with ExitStack() as files:
            request = client.build_request(
                call.method,
                call.path,
                params={name: _as_text(value) for name, value in call.parameters.items() if value is not None},
                json=body.model_dump(mode="json", by_alias=True, exclude_unset=True)
                if isinstance(body, BaseModel)
                else body,
                headers={**call.headers, **call.key},
                **(call.form.opened(files) if call.form is not None else {}),
            )
            return client.send(request, stream=call.streamed)

    def _client(self) -> httpx.Client:
        if self._http is None:
            self._address = self._find()
            headers = {"User-Agent": f"genlock/{version('genlock')}"}
            if self._address.token:
                headers["Authorization"] = f"Bearer {self._address.token}"
            # A local server is reached without a proxy.
            url = httpx.URL(self._address.url)
            self._http = httpx.Client(
                base_url=url,
                headers=headers,
                timeout=self._timeout,
                trust_env=url.host not in _LOOPBACK,
                verify=needs_certificates(str(url)),
            )
        return self._http


@dataclass(frozen=True)
class _Call:
    """A request, the same for each try."""

    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    body: Body = None
    form: Form | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    streamed: bool = False
    writes: bool = True
    key: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        writes = self.writes and self.method not in _SAFE_METHODS
        object.__setattr__(self, "key", {"Idempotency-Key": str(uuid.uuid4())} if writes else {})


def _read(answer: type[T], response: httpx.Response) -> T:
    try:
        # A newer server may send fields that this client does not know.
        return _adapter(answer).validate_json(response.content, extra="ignore")
    except ValidationError as error:
        raise Unavailable(
            f"The answer of {response.request.url.copy_with(query=None)} is not what this client expects.",
            hint=f"Check that Genlock answers there, and that it has this client's version, {version('genlock')}.",
            code="unexpected_answer",
        ) from error


@cache
def _adapter(answer: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(answer)


def _as_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _retry_after_s(response: httpx.Response) -> float:
    """Return the pause that the server requests, in seconds."""
    seconds = response.headers.get("retry-after", "")
    return min(float(seconds), _MAX_RETRY_AFTER_S) if seconds.isdecimal() else 0.0


def _unreachable(address: Address | None, error: Exception) -> Unavailable:
    where = address.url if address is not None else "the server"
    return Unavailable(
        f"No answer from {where}: {str(error) or type(error).__name__}.",
        hint="Check the URL (--url or GENLOCK_URL), and that the server runs: `genlock up`.",
        code="unreachable",
    )
