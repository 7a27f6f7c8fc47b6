"""The sentence about what a group of stale segments has in common. Pure."""

import re

from genlock.kinds import RULES
from genlock.model import Kind

_EXTENSION = re.compile(r"(?<=.)\.[0-9A-Za-z_]+\Z")


def sentence(
    *,
    segments: int,
    scenes: int,
    kind: str | None = None,
    name: str | None = None,
    used: int | None = None,
    filename: str | None = None,
    expected: int | None = None,
    pinned: bool = False,
) -> str:
    """Return ``12 segments across 3 scenes used clothed_v1.png — you are on v2``, or a variant of it.

    Without ``name`` the group is that of the chains. With a name but without ``used`` it is the unmatched one of that
    asset. ``filename`` is that of the used version; ``pinned`` says that every segment of the group follows a pin.
    """
    who = f"{segments} segment{'' if segments == 1 else 's'}"
    where = "in 1 scene" if scenes == 1 else f"across {scenes} scenes"
    if name is None:
        return f"{who} {where} {'continues' if segments == 1 else 'continue'} a take that was replaced"
    if used is None:
        return f"{who} {where} used {name} in a form no version has"
    today = f"pinned to v{expected}" if pinned else f"you are on v{expected}"
    return f"{who} {where} used {name}_v{used}{extension(kind, filename)} — {today}"


def extension(kind: str | None, filename: str | None) -> str:
    """Return the extension with its dot, for kinds that show it; else an empty string."""
    if kind is None or filename is None or not RULES[Kind(kind)].in_sentences:
        return ""
    match = _EXTENSION.search(filename)
    return match.group() if match else ""
