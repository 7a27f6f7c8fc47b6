"""The files of the project, as a clone has them, and the blocks of its pages."""

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_IGNORED = frozenset({".venv", ".git", "node_modules", "build", "dist"})


@cache
def files() -> tuple[Path, ...]:
    """Return every file of the project, without those that git ignores."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:  # an unpacked archive
        paths = [path for path in ROOT.rglob("*") if not _IGNORED & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in paths if path.is_file()))


def named(*suffixes: str) -> tuple[Path, ...]:
    """Return the files with any of these suffixes."""
    return tuple(path for path in files() if path.suffix in suffixes)


def pages() -> tuple[Path, ...]:
    """Return the Markdown pages."""
    return named(".md")


def short(path: Path) -> str:
    """Return a path relative to the project, for messages."""
    return str(path.relative_to(ROOT))


def blocks(text: str, *languages: str) -> tuple[str, ...]:
    """Return the fenced blocks of a page in any of these languages."""
    return tuple(body for language, body in _FENCE.findall(text) if language in languages)


def without_blocks(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", text)
