"""``comfyui``: put the extension into a ComfyUI, and say whether everything between the two works."""

import hashlib
import json
import secrets
import shutil
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import typer
from pydantic import ConfigDict, ValidationError

from genlock.cli.command import command, group
from genlock.cli.exit_codes import FAILED
from genlock.cli.session import Session
from genlock.cli.tables import table
from genlock.client import Genlock
from genlock.errors import Conflict, GenlockError, Invalid, NotFound
from genlock.model import Model, Role
from genlock.private_file import write_private

comfyui = group(
    "ComfyUI extension, which records every run: install and check it.",
    example="genlock comfyui install ~/ComfyUI",
)

_PACK = "genlock"
_CONFIG = "genlock.json"
_MARK = "place.py"
_HEADER = "X-Genlock-Secret"
_WAIT_S = 10
_UNAUTHORIZED = 401
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", _CONFIG)

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="ComfyUI's folder: the one that has custom_nodes in it.")
]
Finding = tuple[bool, str, str]
"""Whether something is as it should be, what, and what was found or what to do."""


class _Health(Model):
    """What the extension says of itself; ``code`` tells the code that runs from what was installed since."""

    model_config = ConfigDict(extra="ignore")

    sees: dict[str, bool]
    runs: int
    waiting: int
    refused: int
    delivered: int
    environment: dict[str, Any]
    overhead: float | None = None
    last_error: str | None = None
    code: str | None = None


@command(comfyui, "install", example="genlock comfyui install ~/ComfyUI")
def install(
    session: Session,
    folder: FolderArgument,
    reach: Annotated[
        str | None, typer.Option(metavar="URL", help="Genlock's address as ComfyUI reaches it, if it is another.")
    ] = None,
) -> None:
    """Put the extension into a ComfyUI, or renew it, with a token of its own. Restart ComfyUI afterwards."""
    target = _pack_in(folder)
    if target.exists() and not (target / _MARK).is_file():
        raise Conflict(f"{target} is something else.", hint="Move it away, then install again.", code="not_ours")
    url = reach or session.gl.url
    config = _config_of(target)
    fresh = not _still_good(config, url)
    if fresh:
        name = f"ComfyUI in {folder.resolve().name}"
        token = session.gl.create_token(name, Role.CREATOR).secret
        config = {"url": url, "token": token, "secret": config.get("secret") or secrets.token_urlsafe(32)}
    document = {**_said_in(target), **config}  # with what a person wrote into it
    _copy(target)
    write_private(target / _CONFIG, json.dumps(document, indent=1) + "\n")
    told = f"The extension is in {target}" + (", with a token of its own." if fresh else "; its token stays.")
    answer = {"folder": target, "url": url, "new_token": fresh}
    session.show(answer, f"{told}\nRestart ComfyUI, then: genlock comfyui doctor {folder}")


@command(comfyui, "doctor", example="genlock comfyui doctor ~/ComfyUI --comfyui http://127.0.0.1:8188")
def doctor(
    session: Session,
    folder: FolderArgument,
    comfyui_url: Annotated[
        str, typer.Option("--comfyui", metavar="URL", help="Where that ComfyUI listens.")
    ] = "http://127.0.0.1:8188",
) -> None:
    """Look at everything between ComfyUI and Genlock, and say what is wrong. Exits with 1 if anything is."""
    target = _pack_in(folder)
    config = _config_of(target)
    found = [*_look_at_files(target, config), *_look_at_genlock(config), *_look_at_comfyui(comfyui_url, config, target)]
    rows = [("✓" if good else "✗", what, said) for good, what, said in found]
    items = [{"good": good, "what": what, "said": said} for good, what, said in found]
    session.show({"items": items, "good": all(good for good, *_ in found)}, table(("", "what", ""), rows))
    if not all(good for good, *_ in found):
        raise typer.Exit(FAILED)


def source() -> Path:
    """The extension's own files: beside the package when it is installed, beside ``src`` in a checkout."""
    package = Path(__file__).parents[1]
    places = (package / "comfyui", package.parents[1] / "comfyui")
    found = next((place for place in places if (place / _MARK).is_file()), None)
    if found is None:
        raise NotFound("The extension's files are not here.", hint="Install Genlock again.", code="no_extension")
    return found


def _pack_in(folder: Path) -> Path:
    packs = folder.expanduser() / "custom_nodes"
    if not packs.is_dir():
        raise Invalid(
            f"{folder} has no folder custom_nodes.",
            hint="Name ComfyUI's own folder, or the one given to it as --base-directory.",
            code="no_comfyui",
        )
    return packs / _PACK


def _copy(target: Path) -> None:
    """The files, put in place by one rename; what was there goes."""
    new = target.with_name(f".{_PACK}-{secrets.token_hex(4)}")
    old = target.with_name(f".{_PACK}-{secrets.token_hex(4)}")
    try:
        shutil.copytree(source(), new, ignore=_NOT_COPIED)
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    except OSError as error:
        raise Conflict(
            f"The extension cannot be written to {target}: {error.strerror}.", hint="Check who may write there."
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _said_in(target: Path) -> dict[str, Any]:
    try:
        said: Any = json.loads((target / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}


def _config_of(target: Path) -> dict[str, str]:
    found = _said_in(target)
    return {name: str(found[name]) for name in ("url", "token", "secret") if found.get(name)}


def _still_good(config: dict[str, str], url: str) -> bool:
    """Whether a configuration that is there may stay: for this server, with a token that is let in."""
    if config.get("url") != url or not {"token", "secret"} <= config.keys():
        return False
    try:
        with Genlock(url, config["token"]) as gl:
            return gl.me().role.includes(Role.CREATOR)
    except GenlockError:
        return False


def _look_at_files(target: Path, config: dict[str, str]) -> list[Finding]:
    there = (target / _MARK).is_file()
    if not there:
        return [(False, "extension", "not installed: genlock comfyui install")]
    ours = source()
    names = [path.relative_to(ours) for path in ours.rglob("*") if path.suffix in {".py", ".js"}]
    other = [name for name in names if not _same(ours / name, target / name)]
    files = (not other, "extension", "other than this Genlock's: genlock comfyui install" if other else str(target))
    file = target / _CONFIG
    if not config:
        return [files, (False, "configuration", "missing: genlock comfyui install")]
    private = file.stat().st_mode & 0o077 == 0
    return [files, (private, "configuration", str(file) if private else f"others may read it: chmod 600 {file}")]


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def _look_at_genlock(config: dict[str, str]) -> list[Finding]:
    if not {"url", "token"} <= config.keys():
        return []
    try:
        with Genlock(config["url"], config["token"]) as gl:
            me = gl.me()
    except GenlockError as error:
        return [(False, "Genlock", f"{error.message} {error.hint or ''}".strip())]
    good = me.role.includes(Role.CREATOR)
    return [(good, "Genlock", f"{config['url']} lets {me.name!r} in as {me.role}" + ("" if good else ": too low"))]


def _look_at_comfyui(url: str, config: dict[str, str], target: Path) -> list[Finding]:
    try:
        answer = httpx.get(
            f"{url.rstrip('/')}/genlock/health",
            headers={_HEADER: config.get("secret", "")},
            timeout=_WAIT_S,
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [(False, "ComfyUI", f"no answer at {url}: {error}. Start it, or say --comfyui URL")]
    if answer.status_code in {404, 405}:
        return [(False, "ComfyUI", f"{url} runs without the extension: restart it, and look into its log")]
    if answer.status_code == _UNAUTHORIZED:
        return [(False, "ComfyUI", f"{url} has another secret: is it another ComfyUI?")]
    try:
        said = _Health.model_validate_json(answer.content)
    except ValidationError:
        return [(False, "ComfyUI", f"what answers at {url} ({answer.status_code}) is not this version's extension")]
    current = said.code == code_of(target)
    where = f"{said.environment.get('comfyui', '?')} at {url}"
    blind = [name for name, works in said.sees.items() if not works]
    overhead = said.overhead
    spent = "nothing ran yet" if overhead is None else f"{overhead:.2%} of {said.runs} runs in hooks"
    waits = f"{said.waiting} wait, {said.refused} refused, {said.delivered} delivered"
    trouble = said.last_error
    return [
        (current, "ComfyUI", where if current else f"{where} runs other code than was installed: restart it"),
        (not blind, "sees", f"not: {', '.join(blind)}" if blind else ", ".join(said.sees)),
        (overhead is None or overhead <= 0.01, "costs", spent),
        (trouble is None and not said.refused, "records", f"{waits}. {trouble}" if trouble else waits),
    ]


def code_of(target: Path) -> str:
    """As the extension tells its own code: a digest over the names and contents of its modules."""
    found = hashlib.sha256()
    for path in sorted(target.glob("*.py")):
        found.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()
