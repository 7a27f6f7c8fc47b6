"""The six errors, by what the caller can do about them.

    GenlockError
    ├── Invalid       422  correct the request
    ├── Denied        401  send a token · 403 send one with a higher role
    ├── NotFound      404  name something that exists
    ├── Conflict      409  read the current state, then decide again
    ├── Unavailable   503  wait, or start what is missing
    └── Tampered      409  do not trust the bytes; restore them

Every error states what failed, with its name, and has a hint: what to do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class GenlockError(Exception):
    """An error that the caller can understand and act on.

    ``message`` states what failed, ``hint`` what to do; ``code`` is a stable identifier for programs; ``fields`` lists
    the refused fields of a request.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Error"
    default_code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        fields: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code
        self.fields = tuple(dict(field) for field in fields)

    @property
    def http_status(self) -> int:
        """The HTTP status of this error."""
        return self.status


class Invalid(GenlockError):
    """The request is not acceptable."""

    status = 422
    title = "Invalid request"
    default_code = "invalid"

    def __init__(self, message: str, *, too_large: bool = False, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.too_large = too_large

    @property
    def http_status(self) -> int:
        """413 if a size limit is exceeded, else 422."""
        return 413 if self.too_large else 422


class Denied(GenlockError):
    """The token is missing, revoked, or has too low a role."""

    status = 403
    title = "Not allowed"
    default_code = "denied"

    def __init__(self, message: str, *, unauthenticated: bool = False, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.unauthenticated = unauthenticated

    @property
    def http_status(self) -> int:
        """401 for an unknown client, 403 for a known one without the permission."""
        return 401 if self.unauthenticated else 403


class NotFound(GenlockError):
    """The named object does not exist."""

    status = 404
    title = "Not found"
    default_code = "not_found"


class Conflict(GenlockError):
    """The request conflicts with the current state."""

    status = 409
    title = "Conflict"
    default_code = "conflict"


class Unavailable(GenlockError):
    """A required service or resource is not available at the moment."""

    status = 503
    title = "Unavailable"
    default_code = "unavailable"


class Tampered(GenlockError):
    """Stored bytes do not match their digest."""

    status = 409
    title = "Stored bytes do not match their digest"
    default_code = "tampered"
