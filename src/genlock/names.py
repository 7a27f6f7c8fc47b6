"""Names of projects, scenes, segments, assets and tokens: allowed characters and normalisation. Pure.

Names that look the same are the same: Unicode is normalised to NFC, and invisible characters are refused.
"""

import unicodedata

MAX_NAME = 200
FORBIDDEN_IN_NAMES = frozenset("/\\@:")

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Unicode's property Default_Ignorable_Code_Point (version 15), which unicodedata lacks, and the blank of Braille.
_INVISIBLE_RANGES = (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
_INVISIBLE = frozenset(chr(code) for first, last in _INVISIBLE_RANGES for code in range(first, last + 1))
# Persian, Hindi and emoji need these: they change the appearance of the preceding character.
_JOINERS = frozenset("\u200c\u200d")
_VARIATION_SELECTORS = frozenset(chr(code) for code in range(0xFE00, 0xFE10))


def normalise_name(text: str) -> str:
    """Return ``text`` in the normal form of names, Unicode NFC."""
    return unicodedata.normalize("NFC", text)


def check_name(name: str) -> str:
    """Return ``name`` normalised. Raise ``ValueError`` if it is not a valid name.

    A name has 1 to 200 characters of any script, none of them a control, invisible or ``/ \\ @ :``, and no leading or
    trailing blank.
    """
    name = normalise_name(name)
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"a name has 1 to {MAX_NAME} characters, this one has {len(name)}")
    if name in {".", ".."}:
        raise ValueError("a name cannot be '.' or '..'")
    for place, character in enumerate(name):
        if character in FORBIDDEN_IN_NAMES:
            raise ValueError(f"a name cannot contain {character!r} (nor any of / \\ @ :)")
        if unicodedata.category(character) in _CONTROLS:
            raise ValueError(f"a name cannot contain the control character U+{ord(character):04X}")
        if _is_invisible(name[:place], character):
            raise ValueError(f"a name cannot contain the invisible character U+{ord(character):04X}")
    if not name.strip():
        raise ValueError("a name cannot be blank")
    if name.strip() != name:
        raise ValueError("a name cannot begin or end with a blank")
    if name[-1] in _JOINERS:
        raise ValueError(f"a name cannot end with the invisible character U+{ord(name[-1]):04X}")
    return name


def name_from(text: str, suffix: str = "") -> str:
    """Return a name made from any text, such as a file's stem, and a suffix; empty if no character is allowed.

    Separators and controls become ``_``, invisible characters are removed, and the text is truncated to fit the suffix.
    """
    suffix = _allowed(suffix)
    name = (_allowed(text).strip()[: MAX_NAME - len(suffix)] + suffix).strip()
    name = name.rstrip("".join(_JOINERS))
    return "" if name in {".", ".."} else name


def _allowed(text: str) -> str:
    allowed = ""
    for character in normalise_name(text):
        if character in FORBIDDEN_IN_NAMES or unicodedata.category(character) in _CONTROLS:
            allowed += "_"
        elif not _is_invisible(allowed, character):
            allowed += character
    return normalise_name(allowed)


def _is_invisible(before: str, character: str) -> bool:
    """Return whether a character is invisible after ``before`` and does not change how that looks."""
    if character not in _INVISIBLE:
        return False
    if character not in _JOINERS and character not in _VARIATION_SELECTORS:
        return True
    last = before[-1:]
    return last.isascii() or last.isspace() or last in _JOINERS
