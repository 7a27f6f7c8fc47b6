"""Digests: SHA-256, written ``sha256:<64 hex>``, and the canonical JSON they are taken of.

Nothing but bytes and canonical JSON (RFC 8785) is ever digested; strings are never joined and hashed.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, cast

import rfc8785
from pydantic import AfterValidator, WithJsonSchema

from genlock.errors import Invalid

PREFIX = "sha256:"
_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")


def check_digest(text: str) -> str:
    """``text`` if it is a well-formed digest; ``ValueError`` otherwise."""
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
    """The digest of some bytes."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def to_raw(digest: Digest) -> bytes:
    """The 32 bytes of a digest, as the database keeps them."""
    return bytes.fromhex(check_digest(digest).removeprefix(PREFIX))


def to_hex(digest: Digest) -> str:
    """The bytes of a digest as PostgreSQL reads them out of JSON: ``\\x…``."""
    return "\\x" + digest.removeprefix(PREFIX)


def from_raw(raw: bytes) -> Digest:
    """The text of a digest from its 32 bytes."""
    return PREFIX + raw.hex()


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON of ``value``.

    Raises ``Invalid`` for what has no canonical form: NaN, infinities, integers beyond 2^53, lone surrogates.
    """
    try:
        return _write(_plain(value)).encode()
    except _OutOfTheOrdinary:
        pass  # the reference implementation, several times slower, knows every rule
    except UnicodeEncodeError as error:
        raise _not_canonical(error) from error
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise _not_canonical(error) from error


_write = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_EXACT = 2**53


class _OutOfTheOrdinary(Exception):
    """A value that Python's own JSON would not write as RFC 8785 does."""


def _plain(value: Any) -> Any:
    """``value`` so that Python's JSON writes it as RFC 8785 does: whole floats as integers, and nothing unusual.

    Both write the shortest digits that give a float back; they differ in where an exponent begins. And both sort
    keys, by code points or by UTF-16 units, which is the same for ASCII.
    """
    kind = cast("type[object]", type(value))
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        if not _are_ascii(value):
            raise _OutOfTheOrdinary
        return {key: item if type(item) is str else _plain(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_plain(item) for item in value]
    if kind is int and -_EXACT < value < _EXACT:
        return value
    if kind is float and -_EXACT < value < _EXACT:
        if value.is_integer():
            return int(value)
        if abs(value) >= 1e-4:
            return value
    raise _OutOfTheOrdinary


def _are_ascii(keys: Iterable[Any]) -> bool:
    try:
        return "".join(keys).isascii()
    except TypeError:
        return False


def _not_canonical(error: Exception) -> Invalid:
    return Invalid(
        f"This cannot be written as canonical JSON: {error}.",
        hint="Use finite numbers within ±2^53; write larger integers, such as seeds, as strings.",
        code="not_canonical",
    )


def digest_of_json(value: Any) -> Digest:
    """The digest of the canonical JSON of ``value``."""
    return digest_of(canonical(value))
