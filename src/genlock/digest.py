"""Digests: SHA-256, written ``sha256:<64 hex>``, and the canonical JSON that is digested.

Only bytes and canonical JSON (RFC 8785) are digested; strings are never joined and hashed.
"""

import hashlib
import re
from typing import Annotated, Any, cast

import rfc8785
from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticSerializationError, to_json

from genlock.errors import Invalid

PREFIX = "sha256:"
_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


def check_digest(text: str) -> str:
    """Return ``text``. Raise ``ValueError`` if it is not a well-formed digest."""
    if _PATTERN.fullmatch(text) is None:
        raise ValueError("a digest is written sha256: followed by 64 lower-case hexadecimal digits")
    return text


Digest = Annotated[
    str,
    AfterValidator(check_digest),
    WithJsonSchema({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}),
]
"""A SHA-256 digest as text, ``sha256:<64 hex>``."""


def digest_of(content: bytes) -> Digest:
    """Return the digest of some bytes."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def to_raw(digest: Digest) -> bytes:
    """Return the 32 bytes of a digest, as stored in the database."""
    return bytes.fromhex(check_digest(digest).removeprefix(PREFIX))


def to_hex(digest: Digest) -> str:
    """Return the bytes of a digest as PostgreSQL reads them from JSON: ``\\x…``."""
    return "\\x" + digest.removeprefix(PREFIX)


def from_raw(raw: bytes) -> Digest:
    """Return the digest with these 32 bytes, as text."""
    return PREFIX + raw.hex()


def canonical(value: Any) -> bytes:
    """Return the canonical JSON (RFC 8785) of ``value``.

    Raise ``Invalid`` for values without a canonical form: NaN, infinities, integers beyond 2^53, lone surrogates.
    """
    try:
        return to_json(_plain(value))
    except (_NeedsReference, PydanticSerializationError, RecursionError):
        pass  # fall through to the reference implementation, which is complete and ten times slower
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise _not_canonical(error) from error


_EXACT = 2**53


class _NeedsReference(Exception):
    """A value that pydantic would not serialise as RFC 8785 does."""


def _ordered(value: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object that pydantic serialises as RFC 8785 does: keys sorted, whole floats as integers.

    Both write the shortest digits that round-trip; they differ in when they use an exponent. Python sorts keys by code
    point, which for ASCII is the order of UTF-16 units.
    """
    try:
        if not "".join(value).isascii():
            raise _NeedsReference
    except TypeError as error:  # a key that is not a string
        raise _NeedsReference from error
    ordered: dict[str, Any] = {}
    for key in sorted(value):
        item = value[key]
        ordered[key] = item if type(item) is str else _plain(item)
    return ordered


def _plain(item: Any) -> Any:
    """Return the same for any JSON value."""
    kind = cast("type[object]", type(item))
    if kind is str or kind is bool or item is None or (kind is int and -_EXACT < item < _EXACT):
        return item
    if kind is dict:
        return _ordered(item)
    if kind is list or kind is tuple:
        return [_plain(each) for each in item]
    if kind is float and -_EXACT < item < _EXACT:
        if item.is_integer():
            return int(item)
        if abs(item) >= 1e-4:
            return item
    raise _NeedsReference


def _not_canonical(error: Exception) -> Invalid:
    return Invalid(
        f"This cannot be written as canonical JSON: {error}.",
        hint="Use finite numbers within ±2^53; write larger integers, such as seeds, as strings.",
        code="not_canonical",
    )


def digest_of_json(value: Any) -> Digest:
    """Return the digest of the canonical JSON of ``value``."""
    return digest_of(canonical(value))
