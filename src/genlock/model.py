"""The frozen model that every value of Genlock is, and the words that several rooms share."""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

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
            kind = part.get("type")  # a schema's type is text; a field may be named type as well
            if kind == "model" and part is not schema:
                continue  # it has done so itself
            if isinstance(kind, str) and kind in _COLLECTIONS:
                part["fail_fast"] = True
            pending += [value for key, value in part.items() if key not in _VALUES or not isinstance(kind, str)]


class Model(BaseModel):
    """A frozen value that refuses fields it does not know: row, domain value, API body and SDK result at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuse a collection at its first wrong item, so that a body of wrong items has few errors, not millions."""
        schema = handler(source)
        _fail_fast(schema)
        return schema

    def _repr_html_(self) -> str:
        """A small table, which notebooks show."""
        return card_of(self)


class Page(Model, Generic[T]):
    """One keyset page. ``next`` is the cursor of the page after it; ``total`` is exact where it is given."""

    items: tuple[T, ...]
    next: str | None = None
    total: int | None = None


class Role(StrEnum):
    """What a token may do; each role may do what the one before it may."""

    VIEWER = "viewer"
    CREATOR = "creator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what ``other`` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Actor(Model):
    """Who asks: a token's name and role. Every write carries one."""

    token_id: int | None
    name: str
    role: Role


class Kind(StrEnum):
    """What an asset is."""

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
"""The one role that is not also a kind: the last frame of the take before, where a chain continues."""

FORBIDDEN_IN_NAMES = frozenset("/\\@:")
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the text after a name around as well. Right-to-left scripts need none of them, nor do single marks."""
MAX_NAME = 200
MAX_SEED = 2**64 - 1


def check_name(name: str) -> str:
    """``name`` if it may name something: 1–200 characters, not blank, without controls and ``/ \\ @ :``."""
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"a name has 1 to {MAX_NAME} characters, this one has {len(name)}")
    if name in {".", ".."}:
        raise ValueError("a name cannot be '.' or '..'")
    if all(unicodedata.category(character) in {"Zs", "Cf"} for character in name):
        raise ValueError("a name cannot be blank")
    for character in name:
        if character in FORBIDDEN_IN_NAMES:
            raise ValueError(f"a name cannot contain {character!r} (nor any of / \\ @ :)")
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _REORDERING:
            raise ValueError(f"a name cannot contain the control character U+{ord(character):04X}")
    return name


Name = Annotated[str, AfterValidator(check_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200})]
"""The name of a project, scene, segment or asset."""


def check_seed(text: str) -> str:
    """``text`` if it is a seed: an unsigned 64-bit integer in decimal, without sign, exponent or leading zero."""
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
"""Free text that a person wrote."""

Utc = datetime
"""A point in time, always with an offset; RFC 3339 in UTC on the wire."""
