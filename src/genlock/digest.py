"""Digests: SHA-256, written ``sha256:<64 hex>``, and the canonical JSON they are taken of.

Nothing but bytes and canonical JSON (RFC 8785) is ever digested; strings are never joined and hashed.
"""

import hashlib
import re
from typing import Annotated, Any

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


def from_raw(raw: bytes) -> Digest:
    """The text of a digest from its 32 bytes."""
    return PREFIX + raw.hex()


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON of ``value``.

    Raises ``Invalid`` for what has no canonical form: NaN, infinities, integers beyond 2^53, lone surrogates.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise Invalid(
            f"This cannot be written as canonical JSON: {error}.",
            hint="Use finite numbers within ±2^53; write larger integers, such as seeds, as strings.",
            code="not_canonical",
        ) from error


def digest_of_json(value: Any) -> Digest:
    """The digest of the canonical JSON of ``value``."""
    return digest_of(canonical(value))
