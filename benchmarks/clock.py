"""Measures repeated calls in milliseconds, bounded in number and time."""

import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Row:
    """One line of the table: what was measured, and what was promised.

    ``limit`` is of the p50, or of the value of a row that is not a time; ``floor`` names what it is held against.
    """

    name: str
    limit: float | None = None
    limit_p99: float | None = None
    unit: str = "ms"
    floor: str = "probe"
    times_ms: list[float] = field(default_factory=list[float])
    first_ms: float | None = None  # the first one, on cold caches or a new connection
    value: float | None = None  # of a rate or a size
    note: str = ""

    @property
    def p50(self) -> float | None:
        """The median, or the value of a row that is not a time."""
        return self.value if self.value is not None else median(self.times_ms) if self.times_ms else None

    @property
    def p99(self) -> float | None:
        """The time that one of a hundred goes over."""
        if not self.times_ms:
            return None
        ordered = sorted(self.times_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    @property
    def met(self) -> bool | None:
        """Whether the limits are met; nothing where there is none."""
        if self.limit is None or self.p50 is None:
            return None
        if self.unit != "ms":
            return self.p50 >= self.limit if self.unit.endswith("/s") or self.unit == "%" else self.p50 <= self.limit
        late = self.limit_p99 is not None and (self.p99 or 0) > self.limit_p99
        return self.p50 <= self.limit and not late


@contextmanager
def timed(row: Row) -> Generator[None]:
    """Add what the block takes to a row."""
    began = time.perf_counter()
    yield
    row.times_ms.append((time.perf_counter() - began) * 1000)


def repeat(row: Row, each: Callable[[int], object], *, count: int, seconds: float, warm: int = 2) -> Row:
    """Time ``each`` up to ``count`` times within ``seconds``, after a first call (timed apart) and ``warm`` more."""
    began = time.perf_counter()
    each(0)
    row.first_ms = (time.perf_counter() - began) * 1000
    if row.first_ms > seconds * 1000:
        row.times_ms.append(row.first_ms)  # it is too slow for a second call
        return row
    for number in range(1, warm):
        each(number)
    until = time.perf_counter() + seconds
    for number in range(warm, count + warm):
        with timed(row):
            each(number)
        if time.perf_counter() > until:
            break
    return row


async def repeat_async(row: Row, each: Callable[[int], Awaitable[object]], *, count: int, seconds: float) -> Row:
    """Time an awaitable like ``repeat``."""
    began = time.perf_counter()
    await each(0)
    row.first_ms = (time.perf_counter() - began) * 1000
    until = time.perf_counter() + seconds
    for number in range(1, count + 1):
        with timed(row):
            await each(number)
        if time.perf_counter() > until:
            break
    return row


def rate(row: Row, done: int, seconds: float) -> Row:
    """Set the rate of a row: ``done`` per ``seconds``."""
    row.value = done / seconds
    return row


def cycle(keys: Sequence[int], number: int) -> int:
    """Return the key for the n-th call."""
    return keys[number % len(keys)]
