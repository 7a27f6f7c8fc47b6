"""The routes for ComfyUI's own page: the receipt of a run, and which files of the open graph are out of date.

GET  /genlock/runs/{prompt_id}                  the run's receipt, and what is out of date today
POST /genlock/graph    {"graph": {…}}           the graph's files by node: current, superseded, unknown, unregistered

The page has no secret. It sends the header ``X-Genlock-Page``, which no page of another site can send: the browser asks
ComfyUI first, and ComfyUI does not allow it. What may be seen is decided by Genlock, by the extension's token.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .asking import Unanswered, ask
from .config import ConfigFile
from .files import Files
from .open_graph import files_in, with_digests
from .place import place_in
from .routes import Handler, json_response, refused

PAGE_HEADER = "X-Genlock-Page"
MOST_BYTES = 8 * 2**20
_HASHING_LIMIT_S = 2.0
_PROMPT_ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_SAME_SITE = ("same-origin", "none")


def add_page_routes(
    routes: Any, config: ConfigFile, files: Files, folders: Callable[[], Mapping[str, Sequence[str]]]
) -> None:
    """Add the routes to ComfyUI's table. ``folders`` returns the folders of each category, and of its media."""

    def check(graph: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        entries, pending = with_digests(files_in(graph, folders()), files, _HASHING_LIMIT_S)
        document = {"graph": graph, "files": entries, "place": place_in(graph, {})}
        status, answer = ask(config.now(), "POST", "/api/v1/captures:check", document)
        return status, {**answer, "pending": pending} if status == 200 else answer

    @routes.get("/genlock/runs/{prompt_id}")
    @_from_the_page
    async def get_run(request: Any) -> Any:
        prompt_id = request.match_info["prompt_id"]
        if not _PROMPT_ID.fullmatch(prompt_id):
            return refused(400, "this is not a prompt id")
        return await _answered(lambda: ask(config.now(), "GET", f"/api/v1/captures/by-prompt/{prompt_id}"))

    @routes.post("/genlock/graph")
    @_from_the_page
    async def post_graph(request: Any) -> Any:
        if request.content_length is None or request.content_length > MOST_BYTES:
            return refused(413, f"a graph has at most {MOST_BYTES // 2**20} MiB, and its length must be sent")
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return refused(400, "this is not JSON")
        graph = body.get("graph") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if not isinstance(graph, dict):
            return refused(400, "`graph` must be a graph in API format")
        return await _answered(lambda: check(graph))  # pyright: ignore[reportUnknownArgumentType]

    del get_run, post_graph  # the table holds them


async def _answered(call: Callable[[], tuple[int, dict[str, Any]]]) -> Any:
    """Return Genlock's answer, or that there is none; the call runs on another thread."""
    try:
        status, answer = await asyncio.get_running_loop().run_in_executor(None, call)
    except Unanswered as why:
        return refused(502, str(why))
    if status >= 400:
        words = [str(answer[name]) for name in ("detail", "hint") if answer.get(name)]
        return refused(status, " ".join(words)[:1000] or f"Genlock answered {status}")
    return json_response(answer, status)


def _from_the_page(handler: Handler) -> Handler:
    """Refuse requests that do not come from ComfyUI's own page."""

    async def guarded(request: Any) -> Any:
        site = request.headers.get("Sec-Fetch-Site", "none")
        if not request.headers.get(PAGE_HEADER) or site not in _SAME_SITE:
            return refused(403, f"this is for ComfyUI's own page, which sends the header {PAGE_HEADER}")
        return await handler(request)

    return guarded
