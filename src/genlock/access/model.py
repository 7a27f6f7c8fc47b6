"""Access tokens and stored responses."""

from genlock.model import Model, Name, Role, Utc


class Token(Model):
    """An access token without its secret, which is shown once and never stored."""

    id: int
    name: str
    role: Role
    created_at: Utc
    created_by: str
    revoked_at: Utc | None


class NewToken(Model):
    """The name and the role of a token to create."""

    name: Name
    role: Role


class IssuedToken(Token):
    """A token that was just created. ``secret`` is sent as ``Authorization: Bearer …``."""

    secret: str


class StoredResponse(Model):
    """The response to a request with an idempotency key, and the digest of that request."""

    request_digest: str
    status: int
    media_type: str | None
    answer: bytes
