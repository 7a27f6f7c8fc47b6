"""Calls for tokens, events and stored bytes."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from genlock.access.model import BrowserSession, IssuedToken, NewToken, SignInLink, Token
from genlock.digest import Digest
from genlock.events.model import Event
from genlock.model import Actor, Page, Role
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.downloads import download
from genlock.sdk.listing import Listing
from genlock.sdk.names import ProjectLike
from genlock.sdk.uploads import Progress

_PAUSE_S = 1.0


class SystemCalls(Calls):
    """Tokens, events and bytes."""

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._http.url

    def me(self) -> Actor:
        """Return the name and role of the token."""
        return self._http.get(Actor, "/me")

    def create_token(
        self, name: str, role: Role | str, *, projects: Sequence[ProjectLike] | None = None
    ) -> IssuedToken:
        """Create a token. Its secret is returned only once.

        ``projects`` limits a token of the role capture: its runs become takes only there, by default in every project.
        """
        project_ids = None if projects is None else [self._names.project_id(project) for project in projects]
        body = body_of(NewToken, name=name, role=role, projects=project_ids)
        return self._http.send(IssuedToken, "POST", "/tokens", body)

    def tokens(self) -> Listing[Token]:
        """List all tokens, including revoked ones, without their secrets."""
        return self._list(Page[Token], "/tokens")

    def revoke_token(self, token: Token | int) -> Token:
        """Revoke a token: it is refused from the next request on."""
        token_id = token if isinstance(token, int) else token.id
        return self._http.send(Token, "DELETE", f"/tokens/{token_id}")

    def create_sign_in_link(self) -> SignInLink:
        """Create a link that signs one browser in with the role of this token, within an hour."""
        return self._http.send(SignInLink, "POST", "/sign-in-links")

    def sessions(self) -> Listing[BrowserSession]:
        """List the browsers that are signed in with this token; for an administrator, with any token."""
        return self._list(Page[BrowserSession], "/sessions")

    def end_session(self, session: BrowserSession | int) -> BrowserSession:
        """Sign a browser out."""
        session_id = session if isinstance(session, int) else session.id
        return self._http.send(BrowserSession, "DELETE", f"/sessions/{session_id}")

    # events --------------------------------------------------------------------------------------

    def events(self, *, after: int = 0, project: ProjectLike | None = None) -> Listing[Event]:
        """List events, oldest first, after an event id."""
        project_id = self._project_of(project)

        def page(cursor: str | None) -> Page[Event]:
            return self._http.get(
                Page[Event], "/events", after=after if cursor is None else cursor, project_id=project_id
            )

        return Listing(page)

    def follow_events(self, *, after: int | None = None, project: ProjectLike | None = None) -> Iterator[Event]:
        """Iterate over events as they happen, without end: from now on, or after an event id.

        A lost connection is reopened and continues after the last event.
        """
        project_id, last_id = self._project_of(project), after
        while True:
            headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
            try:
                with self._http.stream("/events/stream", headers, project_id=project_id) as response:
                    for line in response.iter_lines():
                        if line.startswith("data:"):
                            event = Event.model_validate(json.loads(line.removeprefix("data:")))
                            last_id = event.id
                            yield event
            except httpx.TransportError:
                pass  # missed events follow after the reconnection
            time.sleep(_PAUSE_S)

    # bytes ---------------------------------------------------------------------------------------

    def download(self, digest: Digest, path: Path | str, on_progress: Progress | None = None) -> Path:
        """Download the bytes with a digest to ``path`` and verify them."""
        return download(self._http, f"/blobs/{digest}", Path(path), digest, on_progress)
