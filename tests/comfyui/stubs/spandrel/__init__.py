"""Replaces spandrel: see ``absent``."""

from absent import declare_absent

declare_absent(__name__)
