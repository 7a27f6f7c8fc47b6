"""Living processes, and the PostgreSQL processes that work in a cluster's folder.

A pid alone proves nothing: after a restart, especially of a container, an old one soon belongs to another program. So a
server is identified by its pid *and* by its working folder, which is its cluster's.
"""

import subprocess
from pathlib import Path

from genlock.db.embedded.owner import ENVIRONMENT

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()


def lives(pid: int) -> bool:
    """Return whether a process runs. A zombie does not."""
    if HAS_PROC:
        return _state(pid) not in (None, "Z", "X")
    answer = _ps("-o", "stat=", "-p", str(pid)).strip()
    return bool(answer) and not answer.startswith("Z")


def serves(pid: int, cluster: Path) -> bool:
    """Return whether a process is a living PostgreSQL that works in a cluster's folder."""
    if HAS_PROC:
        return lives(pid) and _name(pid) == "postgres" and _is_in(pid, cluster)
    return lives(pid) and _serves_by_command(_ps("-o", "command=", "-p", str(pid)), cluster)


def survivors(cluster: Path) -> tuple[int, ...]:
    """Return every living PostgreSQL process that works in a cluster's folder."""
    if HAS_PROC:
        pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
        return tuple(pid for pid in pids if serves(pid, cluster))
    # Without /proc only a server's first process names its folder; PostgreSQL itself refuses to start while others run.
    lines = (line.split(maxsplit=1) for line in _ps("-axo", "pid=,command=").splitlines())
    return tuple(int(pid) for pid, *command in lines if _serves_by_command(" ".join(command), cluster))


def _state(pid: int) -> str | None:
    """Return the letter of a process's state, after its name, which may contain spaces and brackets."""
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
        # A process that we may not inspect belongs to another user, who cannot enter our private folder.
        return False


def _serves_by_command(command: str, cluster: Path) -> bool:
    return "postgres" in command and f"-D {cluster} " in f"{command} "


def _ps(*arguments: str) -> str:
    answer = subprocess.run(["ps", *arguments], stdout=subprocess.PIPE, text=True, check=False, env=ENVIRONMENT)
    return answer.stdout
