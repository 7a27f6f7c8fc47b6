"""Passwords in database URLs: refused on command lines, redacted in messages and logs."""

import re

from genlock.errors import Invalid

_IN_URL = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^/?#\s:@]*:)[^\s]*(?=@)", re.IGNORECASE)
_AS_WORD = re.compile(r"(?P<before>\b(?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&'\"]+)", re.IGNORECASE)
_HIDDEN = r"\g<before>***"


def redact(text: str) -> str:
    """Return ``text`` with the passwords of URLs and connection strings replaced by ``***``."""
    return _AS_WORD.sub(_HIDDEN, _IN_URL.sub(_HIDDEN, text))


def refuse_password_argument(url: str | None) -> None:
    """Raise ``Invalid`` if a database URL on a command line has a password.

    Every user of the machine can read command lines.
    """
    if url is not None and redact(url) != url:
        raise Invalid(
            "--database-url must not contain a password: every user of this machine can read command lines.",
            hint="Set GENLOCK_DATABASE_URL instead, or keep the password in ~/.pgpass (mode 0600).",
            code="password_on_command_line",
        )
