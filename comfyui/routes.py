"""What the extension serves inside ComfyUI, to whoever knows the secret (header ``X-Genlock-Secret``).

GET  /genlock/health                            what is seen, what waits, how much time the hooks take
POST /genlock/have     {"digests": […]}         which of these files are here, by name
POST /genlock/stage    {"digest", "category", "name"}   fetch one from Genlock under a name its content gives
"""

from __future__ import annotations

import asyncio
import hmac
import importlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from .config import ConfigFile
from .files import Files
from .quiet import Quiet
from .staging import Unstaged, stage
from .tidying import Tidying

HEADER = "X-Genlock-Secret"
_MOST_DIGESTS = 10_000

Handler = Callable[[Any], Awaitable[Any]]
"""Takes a request of aiohttp and gives its answer; aiohttp is ComfyUI's, and is not there without it."""


def add_routes(
    routes: Any,
    config: ConfigFile,
    files: Files,
    tidying: Tidying,
    folders: Callable[[], Mapping[str, Sequence[str]]],
    health: Callable[[], Mapping[str, Any]],
) -> None:
    """Add them to ComfyUI's own table. ``folders`` gives the folders of each category."""

    def put(category: str, digest: str, name: str) -> dict[str, Any]:
        said, categories = config.now(), folders()
        staged = stage(said, categories, category, digest, name, is_known)
        with Quiet("making room for staged files"):
            tidying.after(categories, category, staged["name"], said.staging_bytes)
        return staged

    def is_known(path: str, digest: str) -> bool:
        return files.find(digest) == path  # hashed once and not touched since

    @routes.get("/genlock/health")
    @_guarded(config)
    async def say_health(request: Any) -> Any:
        return _json(health())

    @routes.post("/genlock/have")
    @_guarded(config)
    async def say_have(request: Any) -> Any:
        wanted = (await _body(request)).get("digests")
        if not isinstance(wanted, list) or len(wanted) > _MOST_DIGESTS:  # pyright: ignore[reportUnknownArgumentType]
            return _refused(400, f"`digests` is a list of at most {_MOST_DIGESTS} digests")
        texts = [str(one) for one in wanted]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        found = {digest: files.find(digest) for digest in texts}
        categories = folders()
        return _json({"have": {key: name_in(path, categories) for key, path in found.items() if path}})

    @routes.post("/genlock/stage")
    @_guarded(config)
    async def do_stage(request: Any) -> Any:
        said = await _body(request)
        texts = [said.get(name) for name in ("category", "digest", "name")]
        if not all(isinstance(text, str) for text in texts):
            return _refused(400, "`category`, `digest` and `name` are texts")
        category, digest, name = (str(text) for text in texts)
        try:
            return _json(await asyncio.get_running_loop().run_in_executor(None, put, category, digest, name))
        except Unstaged as why:
            return _refused(409, str(why))

    del say_health, say_have, do_stage  # the table has them


def name_in(path: str, categories: Mapping[str, Sequence[str]]) -> dict[str, str] | None:
    """The category of a file and the name by which a graph chooses it; None for one that lies in no such folder."""
    for category, folders in categories.items():
        for folder in folders:
            if path.startswith(os.path.join(os.path.abspath(folder), "")):
                return {"category": category, "name": os.path.relpath(path, folder).replace(os.sep, "/")}
    return None


def _guarded(config: ConfigFile) -> Callable[[Handler], Handler]:
    """Let in whoever shows the secret, and nobody while there is none."""

    def guard(handler: Handler) -> Handler:
        async def guarded(request: Any) -> Any:
            secret = config.now().secret
            shown = request.headers.get(HEADER, "")
            if not secret or not hmac.compare_digest(shown.encode(), secret.encode()):
                return _refused(401, f"show the secret in the header {HEADER}")
            return await handler(request)

        return guarded

    return guard


async def _body(request: Any) -> dict[str, Any]:
    try:
        said = await request.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _refused(status: int, why: str) -> Any:
    return _json({"error": why}, status)


def _json(value: Any, status: int = 200) -> Any:
    web: Any = importlib.import_module("aiohttp.web")
    return web.json_response(value, status=status)
