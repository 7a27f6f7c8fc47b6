"""Codes of errors that mean wrong usage: the CLI exits with 2 for them."""

BAD_PATTERN = "bad_pattern"
BAD_REFERENCE = "bad_reference"
BAD_SETTING = "bad_setting"
USAGE_CODES = frozenset({BAD_PATTERN, BAD_REFERENCE, BAD_SETTING})
