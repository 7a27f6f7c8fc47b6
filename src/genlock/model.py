"""The frozen base model of all values of Genlock, and types shared by several rooms."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from genlock.names import FORBIDDEN_IN_NAMES as FORBIDDEN_IN_NAMES
from genlock.names import MAX_NAME as MAX_NAME
from genlock.names import check_name, normalise_name
from genlock.notebook import card_of

T = TypeVar("T")
_COLLECTIONS = frozenset({"list", "tuple", "set", "frozenset", "dict"})
_VALUES = frozenset({"metadata", "default"})


def _fail_fast(schema: Any) -> None:
    """Make every collection in a model's core schema fail at its first wrong item."""
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += cast("list[Any]", node)
        elif isinstance(node, dict):
            part = cast("dict[str, Any]", node)
            kind = part.get("type")  # a schema's type is a string; a field may also be named type
            if kind == "model" and part is not schema:
                continue  # it is already fail-fast
            if isinstance(kind, str) and kind in _COLLECTIONS:
                part["fail_fast"] = True
            pending += [value for key, value in part.items() if key not in _VALUES or not isinstance(kind, str)]


class Model(BaseModel):
    """A frozen value that refuses unknown fields: row, domain value, API body and SDK result at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate collections fail-fast, so that a body of invalid items has few errors, not millions."""
        schema = handler(source)
        _fail_fast(schema)
        return schema

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        return card_of(self)


class Page(Model, Generic[T]):
    """A keyset page. ``next`` is the cursor of the next page; ``total`` is exact if it is given."""

    items: tuple[T, ...]
    next: str | None = None
    total: int | None = None


class Role(StrEnum):
    """The permissions of a token. Viewer, creator, admin: each includes the previous one.

    ``capture`` is separate: ComfyUI's extension sends runs with it, and it may only call the routes for that.
    """

    CAPTURE = "capture"
    VIEWER = "viewer"
    CREATOR = "creator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Return whether this role includes the permissions of ``other``."""
        if Role.CAPTURE in {self, other}:
            return self is other
        order = list(Role)
        return order.index(self) >= order.index(other)


class Actor(Model):
    """The author of a request: a token's name and role. Every write has one.

    ``projects`` are the ids of the projects to which a token of the role ``capture`` is limited; ``None`` for no limit.
    """

    token_id: int | None
    name: str
    role: Role
    projects: tuple[int, ...] | None = None

    def may_record_in(self, project_id: int | None) -> bool:
        """Return whether runs of this actor may become takes of a project; ``None`` is one that does not exist."""
        return self.projects is None or project_id in self.projects


class Kind(StrEnum):
    """The kind of an asset."""

    SOURCE_IMAGE = "source_image"
    VARIANT = "variant"
    WORKFLOW = "workflow"
    MODEL = "model"
    LORA = "lora"
    VAE = "vae"
    TEXT_ENCODER = "text_encoder"
    CONTROLNET = "controlnet"
    PROMPT = "prompt"
    AUDIO = "audio"
    VIDEO = "video"
    OTHER = "other"


SEED_FRAME = "seed_frame"
"""The only role that is not a kind: the last frame of the previous take, which a chain continues."""


class InputRole(StrEnum):
    """The role of an input: its kind, or the frame that a chain continues."""

    SOURCE_IMAGE = "source_image"
    VARIANT = "variant"
    WORKFLOW = "workflow"
    MODEL = "model"
    LORA = "lora"
    VAE = "vae"
    TEXT_ENCODER = "text_encoder"
    CONTROLNET = "controlnet"
    SEED_FRAME = "seed_frame"
    PROMPT = "prompt"
    AUDIO = "audio"
    VIDEO = "video"
    OTHER = "other"


MAX_SEED = 2**64 - 1

Name = Annotated[
    str, AfterValidator(check_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME})
]
"""The name of a project, scene, segment, asset or token, in Unicode's NFC."""

NamePrefix = Annotated[str, AfterValidator(normalise_name), Field(max_length=MAX_NAME)]
"""The beginning of a name, normalised as names are."""


def check_seed(text: str) -> str:
    """Return ``text``. Raise ``ValueError`` unless it is an unsigned 64-bit decimal without sign, exponent or leading
    zero.
    """
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or len(text) > 20:
        raise ValueError('a seed is a string of decimal digits without a leading zero, such as "42"')
    if int(text) > MAX_SEED:
        raise ValueError("a seed is at most 18446744073709551615 (2^64 − 1)")
    return text


Seed = Annotated[
    str, AfterValidator(check_seed), WithJsonSchema({"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$"})
]
"""An unsigned 64-bit seed; always a string, so that no JSON parser rounds it."""

Note = Annotated[str, Field(max_length=4000)]
"""Free text written by a user."""

Utc = datetime
"""A point in time, always with an offset; RFC 3339 in UTC on the wire."""
