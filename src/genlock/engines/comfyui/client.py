"""ComfyUI's HTTP interface, as far as a render needs it; its failures become Genlock's errors here.

A server that does not respond is ``Unavailable`` with the code ``engine_away``: another worker may do the work.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx

from genlock.digest import Digest
from genlock.engines.comfyui.refusals import refused
from genlock.engines.model import AWAY
from genlock.errors import Denied, Invalid, Tampered, Unavailable
from genlock.tls import needs_certificates

_REFUSED, _UNAUTHORIZED, _NOT_FOUND, _NOT_ALLOWED, _CONFLICT, _TOO_LARGE, _BROKEN = 400, 401, 404, 405, 409, 413, 500
_SECRET = "X-Genlock-Secret"  # noqa: S105 - the name of a header
_TIMEOUT = httpx.Timeout(60, connect=5)
_STAGING_TIMEOUT = httpx.Timeout(3600, connect=5)
_UPLOAD_TIMEOUT = httpx.Timeout(600, connect=5)


def away(url: str, why: str) -> Unavailable:
    """Return the error for a server that does not respond."""
    return Unavailable(
        f"ComfyUI at {url} does not answer: {why}.",
        hint="Start it, or set GENLOCK_COMFYUI_URL to its URL. The work goes on when it answers.",
        code=AWAY,
    )


class ComfyClient:
    """A client of one server. ``url`` has no trailing slash."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self._http = http

    async def system_stats(self) -> dict[str, Any]:
        """Return the server's version, system and devices."""
        return await self._json("GET", "/system_stats")

    async def object_info(self) -> dict[str, Any]:
        """Return every node class of the server, with its inputs and its package."""
        return await self._json("GET", "/object_info")

    async def names_in(self, category: str) -> tuple[str, ...]:
        """Return the names of the files in a models folder; empty for a folder that the server does not have."""
        answer = await self._send("GET", f"/models/{quote(category)}")
        return () if answer.status_code == _NOT_FOUND else tuple(_parsed(answer, self.url))

    async def sizes_in(self, category: str) -> Mapping[str, int]:
        """Return the sizes of the files in a models folder, as far as the server reports them."""
        answer = await self._send("GET", f"/experiment/models/{quote(category)}")
        if not answer.is_success:
            return {}
        files = cast("list[dict[str, Any]]", _parsed(answer, self.url))
        return {file["name"]: file["size"] for file in files if isinstance(file.get("size"), int)}

    async def upload(self, path: Path, name: str, subfolder: str) -> str:
        """Upload a file to the input folder, and return the name that the server gave it."""
        with path.open("rb") as file:
            answer = await self._send(
                "POST",
                "/upload/image",
                files={"image": (name, file)},
                data={"subfolder": subfolder, "type": "input"},
                timeout=_UPLOAD_TIMEOUT,
            )
        if answer.status_code == _TOO_LARGE:
            raise Invalid(
                f"ComfyUI takes no file as large as {path.name} ({path.stat().st_size} bytes).",
                hint="Start it with a larger --max-upload-size, or set GENLOCK_COMFYUI_FOLDER.",
                too_large=True,
                code="input_too_large",
            )
        uploaded = cast("dict[str, str]", _parsed(answer, self.url))
        return f"{uploaded['subfolder']}/{uploaded['name']}" if uploaded.get("subfolder") else uploaded["name"]

    async def stage(self, category: str, digest: Digest, name: str, secret: str) -> str:
        """Let Genlock's extension fetch a file from Genlock and verify it; return its name in graphs.

        Raises ``Tampered`` if the file exists with other bytes.
        """
        answer = await self._send(
            "POST",
            "/genlock/stage",
            json={"category": category, "digest": digest, "name": name},
            headers={_SECRET: secret},
            timeout=_STAGING_TIMEOUT,
        )
        if answer.status_code == _UNAUTHORIZED:
            raise Denied(
                f"Genlock's extension in ComfyUI at {self.url} has another secret.",
                hint="GENLOCK_COMFYUI_SECRET is the `secret` in its custom_nodes/genlock/genlock.json.",
                code="wrong_secret",
            )
        if answer.status_code in (_NOT_FOUND, _NOT_ALLOWED):
            raise Unavailable(
                f"ComfyUI at {self.url} has no Genlock extension that could fetch {name}.",
                hint="Run `genlock comfyui install FOLDER`, restart ComfyUI, then `genlock comfyui doctor FOLDER`.",
                code="no_extension",
            )
        staged = cast("dict[str, str]", _parsed(answer, self.url, any_status=answer.status_code == _CONFLICT))
        if answer.status_code != _CONFLICT:
            return staged["name"]
        if "other bytes" in staged["error"]:
            raise Tampered(
                f"In ComfyUI at {self.url}, {staged['error']}.",
                hint="Let only Genlock write to the genlock folders of ComfyUI; then restart it and retry.",
                code="staged_file_changed",
            )
        raise Unavailable(
            f"ComfyUI at {self.url} could not fetch {name} from Genlock: {staged['error']}.",
            hint="`genlock comfyui doctor FOLDER` checks the connection between the two.",
            code="not_staged",
        )

    async def submit(self, graph: bytes, prompt_id: str, client_id: str, editor: bytes | None = None) -> None:
        """Queue a graph under the id ``prompt_id``; raise ``Invalid`` if the server refuses it, or any part of it.

        ``editor``: the JSON of the workflow as the page saves it, which the server writes into what it generates.
        If the response was lost, the queue and the history tell whether the graph arrived: it is never queued twice.
        """
        # Genlock's extension sees this run too; the mark tells it that the worker writes the receipt.
        shown = b"" if editor is None else b',"extra_pnginfo":{"workflow":%b}' % editor
        body = b'{"client_id":%b,"extra_data":{"genlock":"render"%b},"prompt":%b,"prompt_id":%b}' % (
            json.dumps(client_id).encode(),
            shown,
            graph,
            json.dumps(prompt_id).encode(),
        )
        try:
            answer = await self._send("POST", "/prompt", content=body, headers={"Content-Type": "application/json"})
        except Unavailable:
            if await self.is_queued(prompt_id) or await self.history(prompt_id) is not None:
                return
            raise
        if answer.status_code == _REFUSED:
            raise refused(_parsed(answer, self.url, any_status=True))
        queued = cast("dict[str, Any]", _parsed(answer, self.url))
        if queued.get("node_errors"):
            # A part of the graph was queued: it would succeed, and not be the requested render.
            await self.withdraw(prompt_id)
            raise refused(queued)
        if queued.get("prompt_id") != prompt_id:
            await self.withdraw(str(queued.get("prompt_id", "")))
            raise Invalid(
                f"ComfyUI at {self.url} does not accept prompt ids from its clients.",
                hint="Use ComfyUI 0.3.64 or newer.",
                code="engine_too_old",
            )

    async def queue(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Return the running and waiting prompts: ids with their graphs."""
        queue = cast("dict[str, list[list[Any]]]", await self._json("GET", "/queue"))
        entries = [*queue.get("queue_running", []), *queue.get("queue_pending", [])]
        return tuple((entry[1], entry[2]) for entry in entries)

    async def is_queued(self, prompt_id: str) -> bool:
        """Return whether a prompt runs or waits."""
        return any(prompt_id == queued_id for queued_id, _ in await self.queue())

    async def history(self, prompt_id: str) -> dict[str, Any] | None:
        """Return the outcome of a prompt that has ended; ``None`` before that, and after a restart."""
        history = await self._json("GET", f"/history/{quote(prompt_id, safe='')}")
        return history.get(prompt_id)

    async def withdraw(self, prompt_id: str) -> None:
        """Remove a prompt from the queue, or interrupt it if it runs: never another one."""
        if not prompt_id:
            return  # an interrupt without an id would stop any running prompt
        await self._send("POST", "/queue", json={"delete": [prompt_id]})
        await self._send("POST", "/interrupt", json={"prompt_id": prompt_id})

    async def free(self) -> None:
        """Ask the server to drop its models and its cache before its next prompt."""
        answer = await self._send("POST", "/free", json={"unload_models": True, "free_memory": True})
        if not answer.is_success:
            raise Unavailable(
                f"ComfyUI at {self.url} did not free its memory ({answer.status_code}).",
                hint="Its log has the details.",
                code="engine_failed",
            )

    async def fetch(self, filename: str, subfolder: str, kind: str, path: Path) -> None:
        """Write a file of the server's output, temporary or input folder to ``path``."""
        query = {"filename": filename, "subfolder": subfolder, "type": kind}
        try:
            async with self._http.stream("GET", "/view", params=query) as answer:
                if not answer.is_success:
                    raise Unavailable(
                        f"ComfyUI at {self.url} has no file {filename} ({answer.status_code}).",
                        hint="Check whether another program removes its outputs.",
                        code="output_missing",
                    )
                with path.open("wb") as file:
                    async for chunk in answer.aiter_bytes():
                        file.write(chunk)
        except httpx.TransportError as error:
            raise away(self.url, _reason(error)) from error

    async def _json(self, method: str, path: str) -> dict[str, Any]:
        return cast("dict[str, Any]", _parsed(await self._send(method, path), self.url))

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise away(self.url, _reason(error)) from error


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[ComfyClient]:
    """Return a client of the server at ``url``, open while the block lasts."""
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, verify=needs_certificates(url)) as http:
        yield ComfyClient(url, http)


def _parsed(answer: httpx.Response, url: str, *, any_status: bool = False) -> Any:
    if answer.is_success or any_status:
        try:
            return answer.json()
        except ValueError:
            pass
    raise Unavailable(
        f"The server at {url} is not ComfyUI: {answer.request.url.path} returns {answer.status_code}.",
        hint="Set GENLOCK_COMFYUI_URL to the address of ComfyUI's page.",
        code=AWAY if answer.status_code >= _BROKEN else "not_comfyui",
    )


def _reason(error: httpx.TransportError) -> str:
    return str(error).rstrip(".") or type(error).__name__
