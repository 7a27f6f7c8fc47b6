"""The table of routes of the application, for tests of every route."""

import re
from dataclasses import dataclass
from typing import Any

from fastapi.routing import iter_route_contexts

from genlock.model import Role
from genlock.web.app import assemble
from genlock.web.route import CAPTURES, ROLE, ApiRoute

OPEN = {"/healthz", "/readyz", "/api/v1/sign-in"}
_ANY_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Entry:
    """A method of a route."""

    method: str
    path: str
    role: Role | None
    captures: bool
    is_guarded: bool
    takes_body: bool

    @property
    def url(self) -> str:
        """The path with something plausible for each parameter."""
        return re.sub(r"\{(\w+)\}", lambda match: _ANY_DIGEST if match[1] == "digest" else "1", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def entries() -> list[Entry]:
    """Return every method of every route."""
    listed: list[Entry] = []
    for context in iter_route_contexts(assemble().routes):
        extra: dict[str, Any] = getattr(context, "openapi_extra", None) or {}
        for method in sorted(context.methods or ()):
            listed.append(
                Entry(
                    method=method,
                    path=str(context.path),
                    role=Role(extra[ROLE]) if ROLE in extra else None,
                    captures=bool(extra.get(CAPTURES)),
                    is_guarded=isinstance(context.original_route, ApiRoute),
                    takes_body=method in {"POST", "PUT", "PATCH", "DELETE"},
                )
            )
    return listed


GUARDED = [entry for entry in entries() if entry.path not in OPEN]
