"""What a store says about the bytes it keeps."""

from datetime import datetime

from genlock.digest import Digest
from genlock.model import Model


class Stored(Model):
    """The answer to a finished upload. ``is_new`` is false if the store had these bytes already."""

    digest: Digest
    size_bytes: int
    is_new: bool


class Held(Model):
    """One blob of a store: how large it is, and when it was last uploaded (retention counts from there)."""

    digest: Digest
    size_bytes: int
    written_at: datetime


class Blob(Model):
    """Bytes that the database knows. ``gone_since``: when their loss was noticed; null while they are there."""

    digest: Digest
    size_bytes: int
    media_type: str
    created_at: datetime
    gone_since: datetime | None
