"""A connection to a server, located by settings; a data folder's own server is started if necessary."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from genlock.errors import Invalid
from genlock.sdk.calls import Calls
from genlock.sdk.local import address_of
from genlock.sdk.transport import Retry, Transport
from genlock.sdk.usage_codes import BAD_SETTING
from genlock.settings import Settings


class Connection(Calls):
    """A connection without calls. ``Genlock`` has all calls; a subclass with a few of them imports faster.

    ``url`` and ``token`` name a server; ``data`` names a data folder whose own server is used, and started if
    necessary. ``on_progress`` receives a line of text about each wait. Usable as a context manager.
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
        """Close the connections. The server keeps running."""
        self._http.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.settings.url or self.settings.data)!r})"


def settings_of(url: str | None, token: str | None, data: Path | str | None, **overrides: Any) -> Settings:
    """Return settings in which the arguments override the environment. Raise ``Invalid`` for invalid values.

    Naming a data folder selects its own server and token, whatever server the environment names.
    """
    arguments: dict[str, Any] = {"url": url, "token": token, "data": data, **overrides}
    values: dict[str, Any] = {name: value for name, value in arguments.items() if value is not None}
    if data is not None and url is None:
        values = {"url": None, "token": None, **values}
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(
            f"The setting {'.'.join(str(part) for part in first['loc'])} cannot be {first['input']!r}: {first['msg']}.",
            hint="Settings are options or GENLOCK_… variables; docs/reference/settings.md lists them.",
            code=BAD_SETTING,
        ) from error
