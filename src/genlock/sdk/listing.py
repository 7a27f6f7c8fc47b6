"""Listings: the pages of a list, fetched when needed."""

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from genlock.notebook import table_of

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class SomePage(Protocol[T_co]):
    """The attributes of a page."""

    @property
    def items(self) -> tuple[T_co, ...]:
        """The items of the page."""
        ...

    @property
    def next(self) -> str | None:
        """The cursor of the next page."""
        ...

    @property
    def total(self) -> int | None:
        """Number of items; ``None`` if the server does not count them."""
        ...


class Listing(Generic[T]):
    """All items of a list, fetched page by page. Each iteration starts from the beginning; ``first`` is cached."""

    def __init__(self, page: Callable[[str | None], SomePage[T]]) -> None:
        self._page = page
        self._first: SomePage[T] | None = None

    @property
    def first(self) -> SomePage[T]:
        """The first page."""
        if self._first is None:
            self._first = self._page(None)
        return self._first

    @property
    def total(self) -> int | None:
        """Number of items; ``None`` if the server does not count them."""
        return self.first.total

    def pages(self) -> Iterator[SomePage[T]]:
        """Iterate over the pages."""
        page = self._page(None)
        while True:
            yield page
            if page.next is None:
                return
            page = self._page(page.next)

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items

    def __repr__(self) -> str:
        shown = ",\n ".join(repr(item) for item in self.first.items[:10])
        rest = ",\n …" if self._goes_on(10) else ""
        return f"[{shown}{rest}]"

    def _repr_html_(self) -> str:
        rest = "…" if self._goes_on(len(self.first.items)) else ""
        counted = f"{self.total} in all" if self.total is not None and rest else rest
        return table_of(self.first.items, counted)

    def _goes_on(self, shown: int) -> bool:
        return self.first.next is not None or len(self.first.items) > shown
