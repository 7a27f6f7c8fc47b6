"""The server's settings: safe with every commit, reachable by a socket only, and small enough for a laptop."""

import os
from pathlib import Path

from genlock.db.embedded.folders import PORT

MB = 1024 * 1024
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def settings(sockets: Path, *, durable: bool) -> dict[str, str]:
    """Return every setting of the server's command line, which neither a file nor ALTER SYSTEM can override.

    How often it checkpoints is left to PostgreSQL's defaults, which keep recovery short, and to ALTER SYSTEM.
    """
    memory = memory_bytes()
    switch = "on" if durable else "off"
    return {
        # Who can reach it: the owner and root, through the socket's folder.
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        # What a commit means. Even a test's server loses none when it is killed, only when the machine is.
        "synchronous_commit": "on",
        "fsync": switch,
        "full_page_writes": switch,
        # Room. Pages of shared_buffers take memory only once they are used.
        "max_connections": "100",
        "shared_buffers": f"{_between(64, memory // 8 // MB, 1024)}MB",
        "effective_cache_size": f"{max(128, memory // 2 // MB)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{_between(64, memory // 32 // MB, 256)}MB",
        # Containers give /dev/shm 64 MB, and some systems empty it when a user logs out: the server does without it.
        # A little is set aside in its main memory at the start, the rest are files in its own folder.
        "shared_memory_type": "mmap",
        "dynamic_shared_memory_type": "mmap",
        "min_dynamic_shared_memory": "16MB",
        "random_page_cost": "1.1",
        "jit": "off",
        # The log has no limit, so it gets what an owner needs to know and no statements, which hold prompts.
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_min_messages": "log",
        "log_min_error_statement": "panic",
        "log_checkpoints": "off",
        "log_startup_progress_interval": "1s",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "lc_messages": "C",
    }


def memory_bytes() -> int:
    """Return the memory of this machine, or the limit of this container, whichever is less."""
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in CGROUP_LIMITS:
        limit = path.read_text().strip() if path.is_file() else ""
        if limit.isdecimal():
            available = min(available, int(limit))
    return available


def _between(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))
