"""The files of the project, as a clone has them, and the parts of its pages."""

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_NOT_OURS = frozenset({".venv", ".git", "node_modules", "build", "dist"})


@cache
def files() -> tuple[Path, ...]:
    """Every file that belongs to the project; those git ignores do not."""
    found = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if found.returncode == 0:
        paths = [ROOT / name for name in found.stdout.decode().split("\0") if name]
    else:  # an unpacked archive
        paths = [path for path in ROOT.rglob("*") if not _NOT_OURS & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in paths if path.is_file()))


def named(*suffixes: str) -> tuple[Path, ...]:
    """Those with one of these suffixes."""
    return tuple(path for path in files() if path.suffix in suffixes)


def pages() -> tuple[Path, ...]:
    """Everything written to be read."""
    return named(".md")


def short(path: Path) -> str:
    """A path as a message names it."""
    return str(path.relative_to(ROOT))


def blocks(text: str, *languages: str) -> tuple[str, ...]:
    """The fenced blocks of a page in one of these languages."""
    return tuple(body for language, body in _FENCE.findall(text) if language in languages)


def without_blocks(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)
