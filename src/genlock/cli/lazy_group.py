"""A command group that imports a command's module only when that command runs.

The root group lists some thirty commands. Importing all of them loads the SDK, its models and the demo, which takes
several times as long as the help text. ``LazyGroup`` shows names and help from a table and imports one module by name.
"""

from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from genlock.lazy_import import load


@dataclass(frozen=True)
class LazyCommand:
    """The location of a command or group, and its line in the list of commands.

    ``module`` has a ``typer.Typer`` named ``attribute``: the group itself, or one that has the command.
    """

    module: str
    attribute: str
    help: str
    panel: str


class LazyGroup(TyperGroup):
    """A group of commands from ``table``; each is imported when it is resolved on the command line."""

    table: dict[str, LazyCommand] = {}  # noqa: RUF012 - set by the subclass

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, entry in self.table.items():
            self.add_command(TyperCommand(name, help=entry.help, rich_help_panel=entry.panel), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command named by ``args`` and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else self.load(name), rest

    def load(self, name: str) -> Any:
        """Import the command ``name`` and return it."""
        entry = self.table[name]
        group = typer.main.get_group(load(entry.module, entry.attribute))
        return group.commands.get(name, group)

    def load_all(self) -> dict[str, Any]:
        """Import all commands and return them by name."""
        return {name: self.load(name) for name in self.table}
