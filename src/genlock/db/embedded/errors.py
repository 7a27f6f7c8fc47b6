"""Errors of the embedded server with hints: from system errors and from its output."""

import errno
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from genlock.errors import GenlockError, Invalid, Unavailable
from genlock.full_disk import is_full_disk

BY_URL = "or use your own PostgreSQL by its URL (GENLOCK_DATABASE_URL)"

REFUSED = (errno.EACCES, errno.EPERM)


class OutputError(NamedTuple):
    """A line that PostgreSQL prints, and the error that it stands for."""

    pattern: re.Pattern[str]
    kind: type[Invalid] | type[Unavailable]
    message: str
    hint: str


def _output_error(pattern: str, kind: type[Invalid] | type[Unavailable], message: str, hint: str) -> OutputError:
    return OutputError(re.compile(pattern, re.IGNORECASE), kind, message, hint)


# The order matters: a full disk also causes the lines further down.
OUTPUT_ERRORS = (
    _output_error(
        r"no space left on device|disk quota exceeded|file too large|wrote only \d+ of|check free disk space",
        Unavailable,
        "There is no room left for the database in {home}.",
        "Free some space on that disk, or choose a data folder on another one. Nothing that was committed is lost.",
    ),
    _output_error(
        r"read-only file system",
        Unavailable,
        "The data folder {home} is on a read-only file system.",
        "Mount it writable, or choose another data folder.",
    ),
    _output_error(
        r"database files are incompatible with server|not compatible with this version",
        Invalid,
        "The data folder {home} was written by another version of PostgreSQL.",
        "Start the Genlock that wrote it and dump its database, then restore the dump into a new data folder.",
    ),
    _output_error(
        r"unix-domain socket path .* is too long",
        Invalid,
        "The path of the database's socket is too long for this system.",
        f"Choose a data folder with a shorter path, {BY_URL}.",
    ),
    _output_error(
        r"could not (bind|create) unix (address|socket)|could not create any unix-domain sockets|"
        r"lock file \".*\.s\.PGSQL",
        Unavailable,
        "The database's socket in {sockets} is taken or cannot be created.",
        f"Stop the program that uses this socket, then start again; {BY_URL}.",
    ),
    _output_error(
        r"(could not (map anonymous shared memory|create shared memory segment|create semaphores|resize shared memory)"
        r"|out of memory|cannot allocate memory)",
        Unavailable,
        "The system does not give the database the memory that it needs.",
        f"Close other programs or raise the container's memory and IPC limits, {BY_URL}.",
    ),
    _output_error(
        r"pre-existing shared memory block|lock file \"postmaster\.pid\" already exists",
        Unavailable,
        "Another PostgreSQL process still uses the data folder {home}.",
        "Wait until it has ended, or end it; then start again.",
    ),
    _output_error(
        r"could not look up effective user id|user does not exist",
        Unavailable,
        "The user that should run the database has no entry in this system's list of users.",
        f"Add one to /etc/passwd (in a container: in its image), {BY_URL}.",
    ),
    _output_error(
        r"has wrong ownership|has invalid permissions|permission denied|operation not permitted",
        Invalid,
        "The database may not use its files in {home}.",
        "Give the whole folder back to the user who created it, or choose another data folder.",
    ),
    _output_error(
        r"could not locate a valid checkpoint record|invalid (primary )?checkpoint|could not open file|"
        r"incorrect checksum in control file|could not find the database system",
        Invalid,
        "The database files in {home} are damaged or incomplete.",
        "Nothing was changed. Restore the folder from a backup, or choose another data folder.",
    ),
)


def error_of_output(output: str, *, home: Path, sockets: Path | None = None, doing: str) -> GenlockError:
    """Return the error that PostgreSQL's output stands for; an unknown output is quoted."""
    for entry in OUTPUT_ERRORS:
        if entry.pattern.search(output):
            message = entry.message.format(home=home, sockets=sockets or home)
            return entry.kind(message, hint=f"{entry.hint} PostgreSQL said: {_summary(output)}")
    return Unavailable(
        f"{doing} failed in {home}.",
        hint=f"PostgreSQL said: {_summary(output)} Its log is {home / 'server.log'}.",
    )


def _summary(output: str) -> str:
    """Return the lines with errors, without time and process; the last lines if there are none."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    relevant = [line for line in lines if re.search(r"FATAL|PANIC|ERROR|HINT|error:|could not", line)]
    return (
        " ".join(re.sub(r"^.*?(?=FATAL|PANIC|ERROR|HINT)", "", line) for line in (relevant or lines)[-4:]) or "nothing."
    )


@contextmanager
def os_errors_with_hints(home: Path) -> Generator[None, None, None]:
    """Convert a system error about the data folder to one with a hint."""
    try:
        yield
    except OSError as error:
        raise of_system(error, home) from error


def of_system(error: OSError, home: Path) -> GenlockError:
    """Return the error for a system error about the data folder."""
    where = error.filename if isinstance(error.filename, str) else str(home)
    if is_full_disk(error):
        return Unavailable(
            f"There is no room left for the database in {home}.",
            hint="Free some space on that disk, or choose a data folder on another one.",
        )
    if error.errno == errno.EROFS:
        return Unavailable(
            f"The data folder {home} is on a read-only file system.",
            hint="Mount it writable, or choose another data folder.",
        )
    if error.errno in REFUSED:
        return Invalid(
            f"This user may not write {where}.",
            hint="Choose a data folder that belongs to you, or have its owner give it to you.",
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return Invalid(f"{where} is not a folder.", hint="Choose a data folder whose path has no file in it.")
    if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        return Invalid(f"The path {where} cannot be used.", hint="Choose a data folder with a shorter, plain path.")
    return Unavailable(
        f"The data folder {home} cannot be used: {error.strerror or error}.",
        hint=f"Choose a data folder on a local disk, {BY_URL}.",
    )
