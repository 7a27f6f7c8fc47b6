"""``comfyui``: install the extension in a ComfyUI, and check the connection between the two."""

import hashlib
import json
import secrets
import shutil
from importlib.metadata import version
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
from genlock.model import Actor, Model, Role
from genlock.private_file import write_private
from genlock.sdk.usage_codes import BAD_REFERENCE
from genlock.server import choices

comfyui = group(
    "ComfyUI extension, which records every run: install and check it.",
    example="genlock comfyui install ~/ComfyUI",
)

_PACK = "genlock"
_CONFIG = "genlock.json"
_MARK = "place.py"
_HEADER = "X-Genlock-Secret"
_NAME = "ComfyUI in "
_WAIT_S = 10
_USUAL_URL = "http://127.0.0.1:8188"
_INSTALLED_BY = "installed_by"
_UNAUTHORIZED = 401
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", _CONFIG)

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="ComfyUI's folder, which contains custom_nodes.")
]
Finding = tuple[bool, str, str]
"""Whether a check passed, its name, and its result or what to do."""


class _Health(Model):
    """The extension's health report; ``code`` is the digest of the code that runs, not of the installed code."""

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
    reasons: tuple[str, ...] = ()
    taken: int = 0
    missed: int = 0
    history_error: str | None = None


@command(comfyui, "install", example="genlock comfyui install ~/ComfyUI")
def install(
    session: Session,
    folder: FolderArgument,
    reach: Annotated[
        str | None, typer.Option(metavar="URL", help="Genlock's URL as ComfyUI reaches it, if it differs.")
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROJECT", help="Let its runs become takes only in this project; may be repeated. Default: in all."
        ),
    ] = None,
    all_projects: Annotated[bool, typer.Option("--all-projects", help="Remove an earlier limit to projects.")] = False,
) -> None:
    """Install or update the extension in a ComfyUI, with its own token. Restart ComfyUI afterwards.

    The token may send runs and nothing else. --project limits it further; a limit stays at later installs.
    """
    target = _pack_in(folder)
    if target.exists() and not (target / _MARK).is_file():
        raise Conflict(
            f"{target} exists and is not Genlock's extension.",
            hint="Move it away, then install again.",
            code="not_ours",
        )
    url = reach or session.gl.url
    config = _config_of(target)
    if project and all_projects:
        raise Invalid("--project and --all-projects exclude each other.", hint="Give one of them.", code=BAD_REFERENCE)
    holder = _holder_of(config, url)
    earlier = None if holder is None or all_projects else holder.projects
    projects = [session.gl.project(name).id for name in project or ()] or earlier
    fresh = holder is None or holder.role is not Role.CAPTURE or sorted(projects or ()) != sorted(holder.projects or ())
    if fresh:
        name = f"{_NAME}{folder.resolve().name}"
        token = session.gl.create_token(name, Role.CAPTURE, projects=projects or None).secret
        config = {"url": url, "token": token, "secret": config.get("secret") or secrets.token_urlsafe(32)}
    document = {**_read_config(target), **config, _INSTALLED_BY: version("genlock")}  # keeps what a user has added
    _copy(target)
    write_private(target / _CONFIG, json.dumps(document, indent=1) + "\n")
    if fresh and holder is not None and holder.token_id is not None and holder.name.startswith(_NAME):
        session.gl.revoke_token(holder.token_id)  # replaced, and known to no one else
    message = f"The extension is in {target}" + (", with its own token." if fresh else "; its token is unchanged.")
    answer = {"folder": target, "url": url, "new_token": fresh, "projects": projects}
    session.show(answer, f"{message}\nRestart ComfyUI, then: genlock comfyui doctor {folder}")


@command(comfyui, "doctor", example="genlock comfyui doctor ~/ComfyUI --comfyui http://127.0.0.1:8188")
def doctor(
    session: Session,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="ComfyUI's folder, which contains custom_nodes (default: the one that the data folder remembers).",
        ),
    ] = None,
    comfyui_url: Annotated[
        str | None,
        typer.Option(
            "--comfyui", metavar="URL", help=f"ComfyUI's URL (default: the one that is remembered, else {_USUAL_URL})."
        ),
    ] = None,
) -> None:
    """Check the extension, ComfyUI and Genlock. Exits with 1 if a check fails."""
    remembered = choices.with_stored_values(session.settings())
    folder = folder or remembered.comfyui_folder
    if folder is None:
        raise Invalid("ComfyUI's folder is not known.", hint="Name it: genlock comfyui doctor ~/ComfyUI")
    comfyui_url = comfyui_url or remembered.comfyui_url or _USUAL_URL
    target = _pack_in(folder)
    config = _config_of(target)
    findings = [
        *_look_at_files(target, config),
        *_look_at_genlock(config),
        *_look_at_comfyui(comfyui_url, config, target),
    ]
    rows = [("✓" if good else "✗", what, detail) for good, what, detail in findings]
    items = [{"good": good, "what": what, "detail": detail} for good, what, detail in findings]
    session.show({"items": items, "good": all(good for good, *_ in findings)}, table(("", "what", ""), rows))
    if not all(good for good, *_ in findings):
        raise typer.Exit(FAILED)


def source() -> Path:
    """Return the folder of the extension: in the installed package, or next to ``src`` in a checkout."""
    package = Path(__file__).parents[1]
    places = (package / "comfyui", package.parents[1] / "comfyui")
    folder = next((place for place in places if (place / _MARK).is_file()), None)
    if folder is None:
        raise NotFound(
            "The extension's files are missing from this installation.",
            hint="Install Genlock again.",
            code="no_extension",
        )
    return folder


def _pack_in(folder: Path) -> Path:
    packs = folder.expanduser() / "custom_nodes"
    if not packs.is_dir():
        raise Invalid(
            f"{folder} does not contain custom_nodes.",
            hint="Name ComfyUI's folder, or its --base-directory.",
            code="no_comfyui",
        )
    return packs / _PACK


def _copy(target: Path) -> None:
    """Install the files by one rename, replacing earlier ones."""
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
            f"The extension cannot be written to {target}: {error.strerror}.", hint="Check the folder's permissions."
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _read_config(target: Path) -> dict[str, Any]:
    try:
        config: Any = json.loads((target / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", config) if isinstance(config, dict) else {}


def _config_of(target: Path) -> dict[str, str]:
    config = _read_config(target)
    return {name: str(config[name]) for name in ("url", "token", "secret") if config.get(name)}


def _holder_of(config: dict[str, str], url: str) -> Actor | None:
    """Return the holder of a configuration's token; None if it is not for this server, or not accepted there."""
    if config.get("url") != url or not {"token", "secret"} <= config.keys():
        return None
    try:
        with Genlock(url, config["token"]) as gl:
            return gl.me()
    except GenlockError:
        return None


def _look_at_files(target: Path, config: dict[str, str]) -> list[Finding]:
    installed = (target / _MARK).is_file()
    if not installed:
        return [(False, "extension", "not installed: genlock comfyui install")]
    ours = source()
    names = [path.relative_to(ours) for path in ours.rglob("*") if path.suffix in {".py", ".js"}]
    other = [name for name in names if not _same(ours / name, target / name)]
    files = (not other, "extension", _skew(target) if other else str(target))
    file = target / _CONFIG
    if not config:
        return [files, (False, "configuration", "missing: genlock comfyui install")]
    private = file.stat().st_mode & 0o077 == 0
    return [files, (private, "configuration", str(file) if private else f"other users can read it: chmod 600 {file}")]


def _skew(target: Path) -> str:
    """Return how the installed extension differs from this Genlock, and what to do."""
    by, this = _read_config(target).get(_INSTALLED_BY), version("genlock")
    if by and by != this:
        return f"is that of Genlock {by}, and this is Genlock {this}: genlock comfyui install, then restart ComfyUI"
    return "differs from this version of Genlock: genlock comfyui install"


def _same(path: Path, other: Path) -> bool:
    return other.is_file() and path.read_bytes() == other.read_bytes()


def _look_at_genlock(config: dict[str, str]) -> list[Finding]:
    if not {"url", "token"} <= config.keys():
        return []
    try:
        with Genlock(config["url"], config["token"]) as gl:
            me = gl.me()
    except GenlockError as error:
        return [(False, "Genlock", f"{error.message} {error.hint or ''}".strip())]
    good = me.role is Role.CAPTURE or me.role.includes(Role.CREATOR)
    detail = f"{config['url']} accepts {me.name!r} as {me.role}"
    if me.projects is not None:
        detail += f", in {len(me.projects)} projects"
    if me.role is not Role.CAPTURE:
        detail += ", which is more than it needs" if good else ", which may not send runs"
        detail += ": genlock comfyui install"
    return [(good, "Genlock", detail)]


def _look_at_comfyui(url: str, config: dict[str, str], target: Path) -> list[Finding]:
    try:
        answer = httpx.get(
            f"{url.rstrip('/')}/genlock/health",
            headers={_HEADER: config.get("secret", "")},
            timeout=_WAIT_S,
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [(False, "ComfyUI", f"no answer at {url}: {error}. Start it, or name its URL with --comfyui")]
    if answer.status_code in {404, 405}:
        return [(False, "ComfyUI", f"{url} runs without the extension: restart it, and check its log")]
    if answer.status_code == _UNAUTHORIZED:
        return [(False, "ComfyUI", f"{url} has another secret: it may be another ComfyUI")]
    try:
        health = _Health.model_validate_json(answer.content)
    except ValidationError:
        return [(False, "ComfyUI", f"the answer at {url} ({answer.status_code}) is not from this version's extension")]
    current = health.code == code_of(target)
    where = f"{health.environment.get('comfyui', '?')} at {url}"
    blind = bool(health.reasons) or not all(health.sees.values())
    overhead = health.overhead
    spent = "no runs yet" if overhead is None else f"{overhead:.2%} of {health.runs} runs in hooks"
    return [
        (current, "ComfyUI", where if current else f"{where} does not run the installed code: restart it"),
        (not blind, "sees", _blind(health) if blind else ", ".join(health.sees)),
        (overhead is None or overhead <= 0.01, "costs", spent),
        _records(health, url),
    ]


def _blind(health: _Health) -> str:
    """Return what the extension does not see, and why."""
    blind = [name for name, works in health.sees.items() if not works]
    return f"not: {', '.join(blind)}" + "".join(f"; {reason}" for reason in health.reasons)


def _records(health: _Health, url: str) -> Finding:
    """Return whether runs are recorded: without any, whether ComfyUI ended a run since it started."""
    waits = f"{health.waiting} waiting, {health.refused} refused, {health.delivered} delivered"
    if health.missed:
        waits += f", {health.missed} read from ComfyUI's history"
    trouble = health.last_error or health.history_error
    if health.runs or health.taken or trouble or health.refused:
        return trouble is None and not health.refused, "records", f"{waits}. {trouble}" if trouble else waits
    if _has_run(url):
        return False, "records", f"ComfyUI ended runs, and none of them was recorded: see its log. {waits}"
    return True, "records", f"no run yet since ComfyUI was started. {waits}"


def _has_run(url: str) -> bool:
    """Return whether ComfyUI's history has a run."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/history", params={"max_items": 1}, timeout=_WAIT_S, trust_env=False)
        return answer.is_success and bool(answer.json())
    except (httpx.HTTPError, ValueError):
        return False


def code_of(target: Path) -> str:
    """Return the digest over the names and contents of the extension's modules, as the extension computes it."""
    hasher = hashlib.sha256()
    for path in sorted(target.glob("*.py")):
        hasher.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return hasher.hexdigest()
