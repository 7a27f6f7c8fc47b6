"""The six errors, by what the caller can do about them.

    GenlockError
    ├── Invalid       422  change what was sent
    ├── Denied        401  bring a token · 403 bring a stronger one
    ├── NotFound      404  name something that exists
    ├── Conflict      409  look at what is there now, then decide again
    ├── Unavailable   503  wait, or start what is missing
    └── Tampered      409  do not trust the bytes; restore them

Every error says what happened, with the name, and carries a hint that says what to do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class GenlockError(Exception):
    """Something the caller can understand and act on.

    ``message`` says what happened; ``hint`` says what to do; ``code`` is a stable word for programs;
    ``fields`` lists single fields of a request that were refused.
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
        """The HTTP status that answers this error."""
        return self.status


class Invalid(GenlockError):
    """What was sent cannot be accepted as it is."""

    status = 422
    title = "Invalid request"
    default_code = "invalid"

    def __init__(self, message: str, *, too_large: bool = False, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.too_large = too_large

    @property
    def http_status(self) -> int:
        """413 when a limit on size was passed, else 422."""
        return 413 if self.too_large else 422


class Denied(GenlockError):
    """No token, a revoked token, or a role that is too low."""

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
    """The named thing does not exist."""

    status = 404
    title = "Not found"
    default_code = "not_found"


class Conflict(GenlockError):
    """The request contradicts what is there now."""

    status = 409
    title = "Conflict"
    default_code = "conflict"


class Unavailable(GenlockError):
    """Something that is needed is not there at the moment."""

    status = 503
    title = "Unavailable"
    default_code = "unavailable"


class Tampered(GenlockError):
    """Stored bytes are not what their digest says."""

    status = 409
    title = "Stored bytes do not match their digest"
    default_code = "tampered"
