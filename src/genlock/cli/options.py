"""The options that every command has: --json, --data, --url and --token."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Every command"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.", rich_help_panel=_PANEL)]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder whose server to use.", rich_help_panel=_PANEL)]
Url = Annotated[str | None, typer.Option("--url", help="Server URL.", rich_help_panel=_PANEL)]
Token = Annotated[str | None, typer.Option("--token", help="Access token.", rich_help_panel=_PANEL)]

# For commands that do not use them: accepted only to refuse them with a reason.
HiddenUrl = Annotated[str | None, typer.Option("--url", hidden=True)]
HiddenToken = Annotated[str | None, typer.Option("--token", hidden=True)]


@dataclass(frozen=True)
class CommonOptions:
    """Values of the common options. Options after the command override those before it."""

    as_json: bool = False
    data: Path | None = None
    url: str | None = None
    token: str | None = None

    def override(self, outer: "CommonOptions") -> "CommonOptions":
        """Return these options, with unset values taken from ``outer``."""
        return CommonOptions(
            self.as_json or outer.as_json,
            self.data or outer.data,
            self.url or outer.url,
            self.token or outer.token,
        )
