"""The folders and files of the embedded server.

data folder/      owned by the user who runs Genlock; root lets other users pass through, not list it
├── cluster/      PostgreSQL's own files; owned by the user who runs the server, 0700
├── run/          the socket; the same user, 0700. In a short temporary folder if this path is too long for a socket
├── run-folder    the path of that temporary folder, if there is one
├── passwords     of the two roles that may log in, for libpq; owned by the user who runs Genlock, 0600
├── pg_hba.conf   requires a password for every login
├── users/        a locked file for each process that uses the server
├── lock          locked while a process starts or stops the server
├── server.log    the server's log
└── binaries/     a copy of PostgreSQL, if its user cannot reach the installed one
"""

import os
import re
import shutil
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from genlock.db.embedded.errors import os_errors_with_hints
from genlock.db.embedded.owner import Owner
from genlock.errors import Invalid

OURS = {"cluster", "users", "lock"}  # one of these marks a folder that the server already lives in
NEUTRAL = {"lost+found"}

NAME = "genlock"  # of the database, and of the role that owns it
SERVER_ROLE = "genlock_server"  # the login of the server and its workers; not a superuser, owns nothing

PORT = 5432  # only a part of the socket's name: nothing listens on TCP
SOCKET_NAME = f".s.PGSQL.{PORT}"

# macOS allows 103 bytes and Linux 107; PostgreSQL's setting takes a list, so a comma or a quote would split the path.
LONGEST_SOCKET = 103
PLAIN_PATH = re.compile(r"/[\w./@+=~-]*", re.ASCII)


@dataclass(frozen=True)
class Folders:
    """The paths below one data folder."""

    home: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own files."""
        return self.home / "cluster"

    @property
    def users(self) -> Path:
        """One locked file for each process that uses the server."""
        return self.home / "users"

    @property
    def lock(self) -> Path:
        """The file that is locked while a process starts or stops the server."""
        return self.home / "lock"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "server.log"

    @property
    def binaries(self) -> Path:
        """Copies of PostgreSQL, if its user cannot reach the installed one."""
        return self.home / "binaries"

    @property
    def passwords(self) -> Path:
        """The passwords of the roles that may log in, as libpq reads them."""
        return self.home / "passwords"

    @property
    def hba(self) -> Path:
        """The rules for logins. It contains no secret: the server's user reads it."""
        return self.home / "pg_hba.conf"

    @property
    def run_note(self) -> Path:
        """The file with the path of the temporary folder for the socket, if there is one."""
        return self.home / "run-folder"


def default_home() -> Path:
    """Return the default data folder: `/var/lib/genlock` for root, else the platform's folder for this user."""
    return Path("/var/lib/genlock") if os.geteuid() == 0 else platformdirs.user_data_path("genlock", appauthor=False)


def prepare(data_dir: Path, owner: Owner) -> Folders:
    """Prepare the data folder, or raise an error that says why it is unusable. Existing parents stay unchanged."""
    folders = Folders(data_dir.expanduser().absolute())
    with os_errors_with_hints(folders.home):
        folders = Folders(folders.home.resolve())
        _make(folders.home, 0o711 if owner.switches else 0o700)
        _claim(folders.home, owner)
        if not owner.may_enter(folders.home):
            raise _closed(folders.home, owner)
        folders.users.mkdir(mode=0o700, exist_ok=True)
    return folders


def _make(home: Path, mode: int) -> None:
    """Create the data folder and its missing parents. Parents are passable, independent of the umask."""
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        folder.chmod(mode if folder == home else 0o755)


def _claim(home: Path, owner: Owner) -> None:
    status = home.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise Invalid(f"{home} is not a folder.", hint="Choose another data folder.")
    me = os.geteuid()
    if status.st_uid != me and not (owner.switches and status.st_uid == owner.uid):
        raise Invalid(
            f"The data folder {home} belongs to user {status.st_uid}, and this is user {me}.",
            hint=f"Run Genlock as user {status.st_uid}, or choose another data folder.",
        )
    names = {entry.name for entry in home.iterdir()}
    if names - NEUTRAL and not names & OURS:
        raise Invalid(
            f"{home} contains other files, and the database needs a separate folder.",
            hint=f"Nothing was changed. Choose another data folder, such as {home / 'postgres'}.",
        )
    if owner.switches:
        # Root writes here. A folder of the unprivileged user would let that user point root's writes elsewhere.
        os.chown(home, 0, 0)
        home.chmod(stat.S_IMODE(status.st_mode) & ~0o022 | 0o711)


def _closed(home: Path, owner: Owner) -> Invalid:
    first = next(folder for folder in (*reversed(home.parents), home) if not owner.may_enter(folder))
    return Invalid(
        f"The data folder {home} is inside {first}, which user {owner.uid} cannot enter. "
        "PostgreSQL refuses to run as root, so it runs as that user.",
        hint=f"Choose a data folder outside {first}, such as one in {default_home()}, or let others pass it: "
        f"chmod o+x '{first}'.",
    )


def own(folder: Path, owner: Owner) -> None:
    """Create a folder that only the owner may enter, if it does not exist."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if owner.switches:
        os.chown(folder, owner.uid, owner.gid)
    folder.chmod(0o700)


def choose_sockets(folders: Folders, owner: Owner) -> Path:
    """Return the folder for the socket: in the data folder if its path is short enough, else a temporary one.

    It stays the same while that folder exists, so that clients that wait for a restarted server find it again.
    """
    run_folder = folders.home / "run"
    fits = len(os.fsencode(run_folder / SOCKET_NAME)) <= LONGEST_SOCKET and PLAIN_PATH.fullmatch(str(run_folder))
    if fits:
        own(run_folder, owner)
        if _takes_sockets(run_folder):
            return run_folder
    noted = _noted(folders)
    if noted is not None and not noted.exists():  # such as when /tmp was emptied: clients still use its path
        noted.mkdir(mode=0o700)  # fails if another user has created it, so their folder is not changed
        own(noted, owner)
    if noted is not None and _is_private(noted, owner):
        return noted
    # The caller's TMPDIR comes last: it may be long, or closed to the server's user.
    roots = [root for root in (Path("/tmp"), Path(tempfile.gettempdir())) if owner.may_enter(root)]  # noqa: S108 - a random, private folder in it
    if not roots:
        raise Invalid(
            f"The path of {folders.home} is too long for a socket, and there is no temporary folder to use instead.",
            hint="Choose a data folder with a shorter path.",
        )
    temporary = Path(tempfile.mkdtemp(prefix="genlock-", dir=roots[0]))
    own(temporary, owner)
    folders.run_note.write_bytes(os.fsencode(temporary))
    return temporary


def forget_sockets(folders: Folders, owner: Owner) -> None:
    """Remove the temporary folder for the socket, if there is one, after the server has stopped."""
    noted = _noted(folders)
    if noted is not None and noted.exists() and _is_private(noted, owner):
        shutil.rmtree(noted)
    folders.run_note.unlink(missing_ok=True)


def _noted(folders: Folders) -> Path | None:
    """Return the recorded temporary folder, which may no longer exist."""
    return Path(os.fsdecode(folders.run_note.read_bytes())) if folders.run_note.exists() else None


def _is_private(folder: Path, owner: Owner) -> bool:
    """Return whether a folder still belongs to the owner alone, and was not replaced by another user."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner.uid and stat.S_IMODE(status.st_mode) == 0o700


def _takes_sockets(folder: Path) -> bool:
    """Return whether a socket can be created in a folder: some shared and foreign file systems do not support it."""
    trial = folder / "trial"
    trial.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(os.fsencode(trial))
        except OSError:
            return False
    trial.unlink()
    return True
