"""Who sent a run: by that it is decided which runs a token may see, and which takes its runs may replace. Pure."""

from typing import NamedTuple

from genlock.model import Actor


class Sender(NamedTuple):
    """The token that sent a run; ``token_id`` is None for runs from before tokens were recorded with them."""

    token_id: int | None
    name: str
    is_revoked: bool

    def is_same_as(self, actor: Actor) -> bool:
        """Whether the actor sent the run: with this token, or with the one of the same name that replaced it."""
        if self.token_id is not None and self.token_id == actor.token_id:
            return True
        return self.name == actor.name and (self.token_id is None or self.is_revoked)
