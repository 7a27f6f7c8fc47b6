"""Genlock from Python: ``Genlock()`` speaks with a server over HTTP, and gives the same frozen values as it.

    from genlock.client import Genlock

    gl = Genlock()
    for segment in gl.segments("rooftop", state="stale"):
        print(segment.name, segment.causes)

Without arguments it means ``GENLOCK_URL`` and ``GENLOCK_TOKEN``, or else this machine's own server, which is started
when it does not run. Projects, scenes, segments and assets are named by references (``rooftop/night/3``,
``lora:rain@2``), ids, or the objects themselves. Lists are read page by page as they are iterated over. What fails
raises one of the six errors of ``genlock.errors``, with a message and a hint.
"""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from genlock.errors import Invalid
from genlock.sdk.captures import CapturesCalls
from genlock.sdk.imports import ImportCalls
from genlock.sdk.local import address_of
from genlock.sdk.regeneration import RegenerationCalls
from genlock.sdk.reproduction import ReproductionCalls
from genlock.sdk.scanning import ScanCalls
from genlock.sdk.staleness import StalenessCalls
from genlock.sdk.system import SystemCalls
from genlock.sdk.takes import TakesCalls
from genlock.sdk.timeline import TimelineCalls
from genlock.sdk.transport import Retry, Transport
from genlock.settings import Settings

BAD_SETTING = "bad_setting"


class Genlock(
    TimelineCalls,
    ScanCalls,
    TakesCalls,
    ImportCalls,
    CapturesCalls,
    StalenessCalls,
    RegenerationCalls,
    ReproductionCalls,
    SystemCalls,
):
    """A server of Genlock: every call of its API as a method.

    ``url`` and ``token`` name a server; ``data`` names a data folder whose own server is used, and started when
    needed. ``on_progress`` is told in words what is being waited for. Usable as a context manager.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        data: Path | str | None = None,
        *,
        settings: Settings | None = None,
        retry: Retry | None = None,
        on_progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.settings = settings or settings_of(url, token, data)
        super().__init__(Transport(address_of(self.settings, on_progress), retry=retry or Retry(), say=on_progress))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections. The server goes on."""
        self._http.close()

    def __repr__(self) -> str:
        return f"Genlock({str(self.settings.url or self.settings.data)!r})"


def settings_of(url: str | None, token: str | None, data: Path | str | None, **rest: Any) -> Settings:
    """Settings in which what was said wins over the environment; ``Invalid`` for what cannot be a setting.

    A data folder that was named means its own server and token, whatever server the environment names.
    """
    named: dict[str, Any] = {"url": url, "token": token, "data": data, **rest}
    said: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if data is not None and url is None:
        said = {"url": None, "token": None, **said}
    try:
        return Settings(**said)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise Invalid(
            f"The setting {'.'.join(str(part) for part in wrong['loc'])} cannot be {wrong['input']!r}: {wrong['msg']}.",
            hint="Settings are options or GENLOCK_… variables; docs/reference/settings.md lists them.",
            code=BAD_SETTING,
        ) from error
