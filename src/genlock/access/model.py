"""Access tokens and stored responses."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from genlock.model import Model, Name, Role, Utc

MAX_PROJECTS = 1000


class Token(Model):
    """An access token without its secret, which is shown once and never stored."""

    id: int
    name: str
    role: Role
    projects: tuple[int, ...] | None = Field(
        default=None, description="The projects in which its runs may become takes; null for every project."
    )
    created_at: Utc
    created_by: str
    revoked_at: Utc | None


class NewToken(Model):
    """The name and the role of a token to create."""

    name: Name
    role: Role
    projects: (
        Annotated[tuple[Annotated[int, Field(ge=1, le=2**63 - 1)], ...], Field(max_length=MAX_PROJECTS)] | None
    ) = Field(default=None, description="The projects in which its runs may become takes, for the role capture.")

    @model_validator(mode="after")
    def _only_captures_are_limited(self) -> Self:
        if self.projects is not None and self.role is not Role.CAPTURE:
            raise ValueError("only a token of the role capture is limited to projects")
        if self.projects is not None and not self.projects:
            raise ValueError("name at least one project, or leave projects out for every project")
        return self


class IssuedToken(Token):
    """A token that was just created. ``secret`` is sent as ``Authorization: Bearer …``."""

    secret: str


class StoredResponse(Model):
    """The response to a request with an idempotency key, and the digest of that request."""

    request_digest: str
    status: int
    media_type: str | None
    answer: bytes


class SignInLink(Model):
    """A link that signs a browser in once. ``path`` is relative to the server's URL."""

    path: str
    expires_at: Utc


class SignInCode(Model):
    """The code of a sign-in link."""

    code: Annotated[str, Field(min_length=1, max_length=200)]


class BrowserSession(Model):
    """A browser that is signed in. ``current`` is true for the session of the request."""

    id: int
    token_id: int
    name: str
    role: Role
    browser: str
    created_at: Utc
    last_used_at: Utc
    expires_at: Utc
    current: bool = False
