"""Figures: each is read from an API answer, compared with what the story needs, and kept for the report."""

from collections.abc import Callable
from typing import Any

from genlock.errors import Conflict
from genlock.model import Model


class Figure(Model):
    """One figure: what it counts, what was expected, what the API answered, and which call that was."""

    what: str
    expected: Any
    found: Any
    call: str

    @property
    def holds(self) -> bool:
        """Whether the answer is the expected one."""
        return self.found == self.expected


class Figures:
    """Checks figures one by one and keeps them; ``show`` is told of each."""

    def __init__(self, show: Callable[[Figure], None]) -> None:
        self._show = show
        self.kept: list[Figure] = []

    def check(self, what: str, found: Any, expected: Any, call: str, *, told: bool = False) -> None:
        """Keep a figure; ``Conflict`` that names it if it is off. One that was ``told`` is not shown again."""
        figure = Figure(what=what, expected=expected, found=found, call=call)
        self.kept.append(figure)
        if not (told and figure.holds):
            self._show(figure)
        if not figure.holds:
            raise Conflict(
                f"A figure is off: {what} should be {expected!r}, and {call} answered {found!r}.",
                hint="This is a fault of Genlock; please report it. The demo's report has all that was checked.",
                code="figure_off",
            )
