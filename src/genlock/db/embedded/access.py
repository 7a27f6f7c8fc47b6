"""Logins: two roles, each with a password that only the user who runs Genlock can read.

The folder of the socket keeps other users out, but not other processes of the user that runs the server, which may be
the shared user 65534 if Genlock runs as root. So the server requires a password there too.

    genlock          owns the tables; migrations log in as it; superuser, because initdb creates it
    genlock_server   the server and its workers log in as it; no superuser, owns nothing, may act as genlock_app
"""

import base64
import hashlib
import hmac
import os
import secrets
import stat

from genlock.db.embedded.binaries import Binaries
from genlock.db.embedded.folders import NAME, SERVER_ROLE, Folders
from genlock.db.embedded.owner import Owner
from genlock.db.embedded.single_user import run_statements
from genlock.errors import Conflict
from genlock.private_file import write_private

APPLICATION_ROLE = "genlock_app"
_ITERATIONS = 4096
_HBA = """# Written by Genlock. Every login needs its password, which is in the file `passwords`.
local all all scram-sha-256
"""
_MAKE_ROLES = (
    f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') THEN"
    f" CREATE ROLE {APPLICATION_ROLE} NOLOGIN; END IF;"
    f" IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVER_ROLE}') THEN"
    f" CREATE ROLE {SERVER_ROLE}; END IF; END $$",
    f"ALTER ROLE {SERVER_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
    f"GRANT {APPLICATION_ROLE} TO {SERVER_ROLE}",
)


def ensure(folders: Folders, owner: Owner, binaries: Binaries, start_lock: int) -> None:
    """Require passwords of a stopped cluster: new ones, unless it has passwords that only this user can read.

    ``pg_hba.conf`` is written last, so a set-up that was interrupted is done again.
    """
    if folders.hba.is_file() and _is_private(folders):
        return
    folders.hba.unlink(missing_ok=True)
    passwords = {role: secrets.token_urlsafe(32) for role in (NAME, SERVER_ROLE)}
    # No server name: the folder of the socket may change.
    write_private(folders.passwords, "".join(f"*:*:*:{role}:{password}\n" for role, password in passwords.items()))
    set_passwords = [f"ALTER ROLE {role} PASSWORD '{_verifier(password)}'" for role, password in passwords.items()]
    run_statements([*_MAKE_ROLES, *set_passwords], folders.cluster, folders, owner, binaries, start_lock)
    write_private(folders.hba, _HBA)
    folders.hba.chmod(0o644)


def require(folders: Folders) -> None:
    """Raise ``Conflict`` if a running server was started without passwords."""
    if not (folders.hba.is_file() and folders.passwords.is_file()):
        raise Conflict(
            f"The database in {folders.home} was started by an earlier version of Genlock, which used no passwords.",
            hint="Stop it with `genlock down`, and end its workers; the next start sets passwords.",
        )


def _is_private(folders: Folders) -> bool:
    try:
        status = folders.passwords.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o600


def _verifier(password: str) -> str:
    """Return the verifier that PostgreSQL stores for a password (RFC 5803): it never receives the password itself."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
