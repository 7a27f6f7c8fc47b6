"""Results of store operations, and the blobs table's rows."""

from datetime import datetime

from genlock.digest import Digest
from genlock.model import Model


class Stored(Model):
    """The result of a committed upload. ``is_new`` is false if the store already had these bytes."""

    digest: Digest
    size_bytes: int
    is_new: bool


class BlobStat(Model):
    """Size and last upload time of a stored blob; retention counts from the last upload."""

    digest: Digest
    size_bytes: int
    written_at: datetime


class Blob(Model):
    """A blob registered in the database. ``gone_since`` is when its loss was noticed, null while it is stored."""

    digest: Digest
    size_bytes: int
    media_type: str
    created_at: datetime
    gone_since: datetime | None
