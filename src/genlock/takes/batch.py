"""Many takes recorded at once: claims whose outputs are stored already, all or nothing."""

from typing import Annotated

from pydantic import Field

from genlock.model import Model
from genlock.takes.claim import Claim
from genlock.takes.model import RecordedIds

MOST = 1000


class NewTake(Model):
    """A claim for a segment. Its outputs are named by digest."""

    segment_id: Annotated[int, Field(ge=1, le=2**63 - 1)]
    claim: Claim


class NewTakes(Model):
    """Claims of one project, recorded in order. ``select``: the newest take of each segment goes into the cut."""

    takes: Annotated[tuple[NewTake, ...], Field(min_length=1, max_length=MOST)]
    select: bool = True


class RecordedBatch(Model):
    """The ids of what was recorded, in the order of the claims."""

    items: tuple[RecordedIds, ...]
