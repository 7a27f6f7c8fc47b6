"""Tokens and remembered answers."""

from genlock.model import Model, Name, Role, Utc


class Token(Model):
    """Something that lets its holder in, without the secret: that is shown once and never kept."""

    id: int
    name: str
    role: Role
    created_at: Utc
    created_by: str
    revoked_at: Utc | None


class NewToken(Model):
    """What a token is to be called and what it may do."""

    name: Name
    role: Role


class IssuedToken(Token):
    """A token just made. ``secret`` is what its holder sends as ``Authorization: Bearer …``."""

    secret: str


class RememberedAnswer(Model):
    """What was answered to a request that carried an idempotency key, and which request that was."""

    request_digest: str
    status: int
    media_type: str | None
    answer: bytes
