"""Events."""

from typing import Any

from genlock.model import Model, Utc


class Event(Model):
    """An event of the log. Ids increase in the order in which events became visible."""

    id: int
    at: Utc
    actor: str
    verb: str
    project_id: int | None
    subject: str | None
    data: dict[str, Any]
