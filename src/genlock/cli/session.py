"""The context of a command: the client, the settings, the two consoles and the output format."""

import functools
import json
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import RenderableType

from genlock.cli.formatting import as_document, clean, console
from genlock.cli.options import CommonOptions
from genlock.lazy_import import load
from genlock.sdk.connection import Connection, settings_of
from genlock.settings import Settings

if TYPE_CHECKING:
    from genlock.client import Genlock

C = TypeVar("C", bound=Connection)


class Session:
    """One run of a command."""

    def __init__(self, options: CommonOptions) -> None:
        self.options = options
        self.out, self.err = console(stderr=False), console(stderr=True)
        self._clients: list[Connection] = []

    @property
    def as_json(self) -> bool:
        """Whether to print one JSON document and nothing else."""
        return self.options.as_json

    def settings(self, **overrides: Any) -> Settings:
        """Return the settings of this command."""
        return settings_of(self.options.url, self.options.token, self.options.data, **overrides)

    @functools.cached_property
    def gl(self) -> "Genlock":
        """The client with all calls. Its first request starts the data folder's server if none is running."""
        return self.connect(load("genlock.client", "Genlock"))

    def connect(self, client_class: type[C]) -> C:
        """Return a client of the server, closed when the command ends."""
        client = client_class(settings=self.settings(), on_progress=self.note)
        self._clients.append(client)
        return client

    def note(self, text: str) -> None:
        """Print a line about progress on standard error."""
        self.err.print(clean(text), style="dim")

    def show(self, document: Any, *renderables: RenderableType) -> None:
        """Print ``document`` with ``--json``, else ``renderables``."""
        if self.as_json:
            self.out.out(json.dumps(as_document(document), ensure_ascii=False, indent=2), highlight=False)
        else:
            for renderable in renderables:
                self.out.print(renderable)

    def close(self) -> None:
        """Close the clients' connections."""
        for client in self._clients:
            client.close()
