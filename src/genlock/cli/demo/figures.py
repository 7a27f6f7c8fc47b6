"""Figures: each is read from an API response, compared with the expected value, and collected for the report."""

from collections.abc import Callable
from typing import Any

from genlock.errors import Conflict
from genlock.model import Model


class Figure(Model):
    """A figure: what it counts, the expected value, the value from the API, and the call."""

    what: str
    expected: Any
    actual: Any
    call: str

    @property
    def holds(self) -> bool:
        """Whether the value is the expected one."""
        return self.actual == self.expected


class Figures:
    """Checks and collects figures; ``show`` is called with each."""

    def __init__(self, show: Callable[[Figure], None]) -> None:
        self._show = show
        self.checked: list[Figure] = []

    def check(self, what: str, actual: Any, expected: Any, call: str, *, shown: bool = False) -> None:
        """Collect a figure. Raise ``Conflict`` if it is wrong. A ``shown`` figure is not shown again."""
        figure = Figure(what=what, expected=expected, actual=actual, call=call)
        self.checked.append(figure)
        if not (shown and figure.holds):
            self._show(figure)
        if not figure.holds:
            raise Conflict(
                f"A figure is wrong: {what} should be {expected!r}, but {call} returned {actual!r}.",
                hint="This is a defect of Genlock; please report it. The demo's report has all figures.",
                code="figure_off",
            )
