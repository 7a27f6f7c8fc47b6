"""Terminal output of the demo: headings, sentences, figures with their call, tables, progress bars."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from genlock.cli.demo.figures import Figure

_INDENT = 3


class Bar:
    """A progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def reach(self, done: int) -> None:
        """Set the number done."""
        self._progress.update(self._task, completed=done)


class Teller:
    """Writes to a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._acts = 0

    def title(self, text: str, below: str) -> None:
        """Print the title of the demo."""
        self._console.print(Text(text, style="bold"))
        self._console.print(Text(below, style="dim"))

    def act(self, title: str) -> None:
        """Begin the next numbered part."""
        self._acts += 1
        self._console.print()
        self._console.print(Text.assemble((f"{self._acts:>2} ", "bold cyan"), (title, "bold")))

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence."""
        self._console.print(_indented(Text(text, style=style)))

    def sentence(self, text: str) -> None:
        """Print the sentence of a report."""
        self.say(f"⚠  {text}", "bold dark_orange")

    def figure(self, figure: Figure) -> None:
        """Print a figure, whether it is correct, and its call."""
        mark, style = ("✓", "green") if figure.holds else ("✗", "bold red")
        shown = Text.assemble((f"{mark} ", style), figure.what)
        if figure.actual is not True:  # a true claim needs only its mark
            shown.append(": ").append(_words(figure.actual), "bold")
        shown.append(f"   {figure.call}", "dim")
        self._console.print(_indented(shown), overflow="ellipsis", no_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a small table."""
        table = Table(*columns, box=None, padding=(0, 2, 0, 0), header_style="dim")
        for row in rows:
            table.add_row(*map(Text, row))
        self._console.print(_indented(table))

    @contextmanager
    def bar(self, label: str, total: int) -> Generator[Bar]:
        """Show a progress bar during the block."""
        columns = (
            TextColumn(" " * _INDENT + "{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            yield Bar(progress, progress.add_task(label, total=total))


def _indented(shown: RenderableType) -> Padding:
    return Padding(shown, (0, 0, 0, _INDENT), expand=False)


def _words(value: Any) -> str:
    """Return a value as text."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value)) or "nothing"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items())  # pyright: ignore[reportUnknownVariableType]
    return f"{value:g}" if isinstance(value, float) else str(value)
