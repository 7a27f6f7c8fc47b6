"""Exit codes of the commands, documented in ``docs/reference/cli.md``."""

FAILED = 1
WRONG_USAGE = 2
STALE = 3
INTERRUPTED = 130
