"""Where the embedded server keeps what.

data folder/      belongs to whoever runs Genlock; root lets others pass through, not look in
├── cluster/      PostgreSQL's own files; belongs to the user that runs the server, 0700
├── run/          the socket; the same user, 0700. In a short temporary folder if this path is too long for a socket
├── run-folder    the path of that temporary folder, when there is one
├── passwords     of the two roles that may log in, for libpq; belongs to whoever runs Genlock, 0600
├── pg_hba.conf   asks every login for its password
├── users/        a locked file for each process that uses the server
├── lock          held while somebody starts or stops the server
├── server.log    what the server says
└── binaries/     a copy of PostgreSQL, where its user cannot enter the installed one
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

from genlock.db.embedded.owner import Owner
from genlock.db.embedded.trouble import explained
from genlock.errors import Invalid

OURS = {"cluster", "users", "lock"}  # one of these marks a folder that the server already lives in
NEUTRAL = {"lost+found"}

NAME = "genlock"  # of the database, and of the role that owns it
SERVER_ROLE = "genlock_server"  # as which the server and its workers log in; no superuser, owns nothing

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
        """The file that is locked while somebody starts or stops the server."""
        return self.home / "lock"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "server.log"

    @property
    def binaries(self) -> Path:
        """Copies of PostgreSQL, where its user cannot enter the installed one."""
        return self.home / "binaries"

    @property
    def passwords(self) -> Path:
        """The passwords of the roles that may log in, as libpq reads them."""
        return self.home / "passwords"

    @property
    def hba(self) -> Path:
        """Who may log in how. Holds no secret: the server's user reads it."""
        return self.home / "pg_hba.conf"

    @property
    def run_note(self) -> Path:
        """The path of the temporary folder for the socket, when there is one."""
        return self.home / "run-folder"


def default_home() -> Path:
    """Genlock's folder where nobody chose one: `/var/lib/genlock` for root, else the platform's for this user."""
    return Path("/var/lib/genlock") if os.geteuid() == 0 else platformdirs.user_data_path("genlock", appauthor=False)


def prepare(data_dir: Path, owner: Owner) -> Folders:
    """Makes the data folder fit for use, or says why it is not. Touches no folder above it that exists."""
    folders = Folders(data_dir.expanduser().absolute())
    with explained(folders.home):
        folders = Folders(folders.home.resolve())
        _make(folders.home, 0o711 if owner.switches else 0o700)
        _claim(folders.home, owner)
        if not owner.may_enter(folders.home):
            raise _closed(folders.home, owner)
        folders.users.mkdir(mode=0o700, exist_ok=True)
    return folders


def _make(home: Path, mode: int) -> None:
    """Makes the data folder and the missing ones above it. These are passable, whatever this process's umask is."""
    missing = [folder for folder in (home, *home.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        folder.chmod(mode if folder == home else 0o755)


def _claim(home: Path, owner: Owner) -> None:
    found = home.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise Invalid(f"{home} is not a folder.", hint="Choose another data folder.")
    me = os.geteuid()
    if found.st_uid != me and not (owner.switches and found.st_uid == owner.uid):
        raise Invalid(
            f"The data folder {home} belongs to user {found.st_uid}, and this is user {me}.",
            hint=f"Run Genlock as user {found.st_uid}, or choose another data folder.",
        )
    names = {entry.name for entry in home.iterdir()}
    if names - NEUTRAL and not names & OURS:
        raise Invalid(
            f"{home} holds other files already, and the database wants a folder of its own.",
            hint=f"Nothing was changed. Choose another data folder, such as {home / 'postgres'}.",
        )
    if owner.switches:
        # Root writes here. A folder of the unprivileged user would let that user point root's writes elsewhere.
        os.chown(home, 0, 0)
        home.chmod(stat.S_IMODE(found.st_mode) & ~0o022 | 0o711)


def _closed(home: Path, owner: Owner) -> Invalid:
    first = next(folder for folder in (*reversed(home.parents), home) if not owner.may_enter(folder))
    return Invalid(
        f"The data folder {home} is inside {first}, which user {owner.uid} cannot enter. "
        "PostgreSQL refuses to run as root, so it runs as that user.",
        hint=f"Choose a data folder outside {first}, such as one in {default_home()}, or let others pass it: "
        f"chmod o+x '{first}'.",
    )


def own(folder: Path, owner: Owner) -> None:
    """Makes a folder that only the owner may enter, if it is not there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if owner.switches:
        os.chown(folder, owner.uid, owner.gid)
    folder.chmod(0o700)


def choose_sockets(folders: Folders, owner: Owner) -> Path:
    """The folder for the socket: beside the data where a socket fits there, else a short temporary one of our own.

    The same answer each time while that folder is there, so that who waits for a restarted server finds it again.
    """
    beside = folders.home / "run"
    fits = len(os.fsencode(beside / SOCKET_NAME)) <= LONGEST_SOCKET and PLAIN_PATH.fullmatch(str(beside))
    if fits:
        own(beside, owner)
        if _takes_sockets(beside):
            return beside
    noted = _noted(folders)
    if noted is not None and not noted.exists():  # as when /tmp was emptied: those who know the address wait there
        noted.mkdir(mode=0o700)  # fails if somebody was quicker, so that nothing of theirs is given away
        own(noted, owner)
    if noted is not None and _is_private(noted, owner):
        return noted
    # Not the caller's TMPDIR at first: it may be long, or closed to the server's user.
    roots = [root for root in (Path("/tmp"), Path(tempfile.gettempdir())) if owner.may_enter(root)]  # noqa: S108 - a random, private folder in it
    if not roots:
        raise Invalid(
            f"The path of {folders.home} is too long for a socket, and there is no temporary folder to use instead.",
            hint="Choose a data folder with a shorter path.",
        )
    made = Path(tempfile.mkdtemp(prefix="genlock-", dir=roots[0]))
    own(made, owner)
    folders.run_note.write_bytes(os.fsencode(made))
    return made


def forget_sockets(folders: Folders, owner: Owner) -> None:
    """Removes the temporary folder for the socket, if there is one, after the server has stopped."""
    noted = _noted(folders)
    if noted is not None and noted.exists() and _is_private(noted, owner):
        shutil.rmtree(noted)
    folders.run_note.unlink(missing_ok=True)


def _noted(folders: Folders) -> Path | None:
    """The temporary folder that was noted, whether it is there or not."""
    return Path(os.fsdecode(folders.run_note.read_bytes())) if folders.run_note.exists() else None


def _is_private(folder: Path, owner: Owner) -> bool:
    """Whether nobody else has put something in a folder's place."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner.uid and stat.S_IMODE(found.st_mode) == 0o700


def _takes_sockets(folder: Path) -> bool:
    """Whether a socket can be made in a folder: some shared and foreign file systems have none."""
    trial = folder / "trial"
    trial.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(os.fsencode(trial))
        except OSError:
            return False
    trial.unlink()
    return True
