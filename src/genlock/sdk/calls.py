"""The base class of all groups of calls."""

from typing import Any, TypeVar

from genlock.model import Page
from genlock.sdk.listing import Listing
from genlock.sdk.names import Names
from genlock.sdk.transport import Transport

T = TypeVar("T")


class Calls:
    """Calls to one server, with its transport and the lookup of names."""

    def __init__(self, http: Transport) -> None:
        self._http = http
        self._names = Names(http)

    def _list(self, page: type[Page[T]], path: str, **parameters: Any) -> Listing[T]:
        """Return a listing that is read page by page."""

        def fetch(cursor: str | None) -> Page[T]:
            return self._http.get(page, path, **parameters, cursor=cursor)

        return Listing(fetch)

    def _project_of(self, given: Any) -> int | None:
        """Return the id of an optional project."""
        return None if given is None else self._names.project_id(given)
