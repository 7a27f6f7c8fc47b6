"""Which processes live, and which PostgreSQL processes work in a cluster's folder.

A process id alone proves nothing: after a restart, of a container above all, an old one soon belongs to another
program. So a server is known by its id *and* by its working folder, which PostgreSQL makes its cluster's.
"""

import subprocess
from pathlib import Path

from genlock.db.embedded.owner import ENVIRONMENT

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()


def lives(pid: int) -> bool:
    """Whether a process runs. A dead one whose parent has not looked yet does not."""
    if HAS_PROC:
        return _state(pid) not in (None, "Z", "X")
    answer = _ps("-o", "stat=", "-p", str(pid)).strip()
    return bool(answer) and not answer.startswith("Z")


def serves(pid: int, cluster: Path) -> bool:
    """Whether a process is a living PostgreSQL that works in a cluster's folder."""
    if HAS_PROC:
        return lives(pid) and _name(pid) == "postgres" and _is_in(pid, cluster)
    return lives(pid) and _serves_by_command(_ps("-o", "command=", "-p", str(pid)), cluster)


def survivors(cluster: Path) -> tuple[int, ...]:
    """Every living PostgreSQL process that works in a cluster's folder."""
    if HAS_PROC:
        found = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
        return tuple(pid for pid in found if serves(pid, cluster))
    # Without /proc only a server's first process names its folder; PostgreSQL itself refuses to start beside others.
    lines = (line.split(maxsplit=1) for line in _ps("-axo", "pid=,command=").splitlines())
    return tuple(int(pid) for pid, *command in lines if _serves_by_command(" ".join(command), cluster))


def _state(pid: int) -> str | None:
    """The letter for a process's state, after the name, which may itself hold spaces and brackets."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()[0]


def _name(pid: int) -> str | None:
    try:
        return (PROC / str(pid) / "comm").read_text(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _is_in(pid: int, folder: Path) -> bool:
    try:
        return (PROC / str(pid) / "cwd").samefile(folder)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # A process we may not look at belongs to somebody else, who cannot work in a folder that only we may enter.
        return False


def _serves_by_command(command: str, cluster: Path) -> bool:
    return "postgres" in command and f"-D {cluster} " in f"{command} "


def _ps(*arguments: str) -> str:
    answer = subprocess.run(["ps", *arguments], stdout=subprocess.PIPE, text=True, check=False, env=ENVIRONMENT)
    return answer.stdout
