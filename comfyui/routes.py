"""The routes that the extension adds to ComfyUI, for clients with the secret (header ``X-Genlock-Secret``).

GET  /genlock/health                            which hooks work, how many records wait, how long the hooks take
POST /genlock/have     {"digests": […]}         which of these files ComfyUI has, by name
POST /genlock/stage    {"digest", "category", "name"}   fetch a file from Genlock under a name given by its content
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
"""Takes an aiohttp request and returns its response; aiohttp comes with ComfyUI and is not installed without it."""


def add_routes(
    routes: Any,
    config: ConfigFile,
    files: Files,
    tidying: Tidying,
    folders: Callable[[], Mapping[str, Sequence[str]]],
    health: Callable[[], Mapping[str, Any]],
) -> None:
    """Add the routes to ComfyUI's table. ``folders`` returns the folders of each category."""

    def stage_file(category: str, digest: str, name: str) -> dict[str, Any]:
        current, categories = config.now(), folders()
        staged = stage(current, categories, category, digest, name, is_known)
        with Quiet("making room for staged files"):
            tidying.make_room(categories, category, staged["name"], current.staging_bytes)
        return staged

    def is_known(path: str, digest: str) -> bool:
        return files.find(digest) == path  # hashed once and not touched since

    @routes.get("/genlock/health")
    @_guarded(config)
    async def get_health(request: Any) -> Any:
        return json_response(health())

    @routes.post("/genlock/have")
    @_guarded(config)
    async def post_have(request: Any) -> Any:
        digests = (await _body(request)).get("digests")
        if not isinstance(digests, list) or len(digests) > _MOST_DIGESTS:  # pyright: ignore[reportUnknownArgumentType]
            return refused(400, f"`digests` must be a list of at most {_MOST_DIGESTS} digests")
        names = [str(digest) for digest in digests]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        paths = {digest: files.find(digest) for digest in names}
        categories = folders()
        return json_response({"have": {key: name_in(path, categories) for key, path in paths.items() if path}})

    @routes.post("/genlock/stage")
    @_guarded(config)
    async def post_stage(request: Any) -> Any:
        body = await _body(request)
        texts = [body.get(name) for name in ("category", "digest", "name")]
        if not all(isinstance(text, str) for text in texts):
            return refused(400, "`category`, `digest` and `name` must be strings")
        category, digest, name = (str(text) for text in texts)
        try:
            return json_response(
                await asyncio.get_running_loop().run_in_executor(None, stage_file, category, digest, name)
            )
        except Unstaged as why:
            return refused(409, str(why))

    del get_health, post_have, post_stage  # the table holds them


def name_in(path: str, categories: Mapping[str, Sequence[str]]) -> dict[str, str] | None:
    """Return a file's category and its name in graphs; None for a file outside the categories' folders."""
    for category, folders in categories.items():
        for folder in folders:
            if path.startswith(os.path.join(os.path.abspath(folder), "")):
                return {"category": category, "name": os.path.relpath(path, folder).replace(os.sep, "/")}
    return None


def _guarded(config: ConfigFile) -> Callable[[Handler], Handler]:
    """Refuse requests without the secret, and all requests while no secret is configured."""

    def guard(handler: Handler) -> Handler:
        async def guarded(request: Any) -> Any:
            secret = config.now().secret
            shown = request.headers.get(HEADER, "")
            if not secret or not hmac.compare_digest(shown.encode(), secret.encode()):
                return refused(401, f"send the secret in the header {HEADER}")
            return await handler(request)

        return guarded

    return guard


async def _body(request: Any) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def refused(status: int, why: str) -> Any:
    """Return a refusal as JSON."""
    return json_response({"error": why}, status)


def json_response(value: Any, status: int = 200) -> Any:
    """Return a response of JSON."""
    web: Any = importlib.import_module("aiohttp.web")
    return web.json_response(value, status=status)
