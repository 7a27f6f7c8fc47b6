"""Follows a prompt to its end, by the web socket and by the history; each may fail.

    socket   ── executing, progress ──▶ progress, seconds of each node, a wake-up at the end
    queue, then history, once a second ──▶ the outcome; if the history was cleared, the outcome from the socket

In that order, a prompt that is in neither, and whose end the socket did not report, is lost: the server was restarted.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from genlock.engines.comfyui.client import ComfyClient
from genlock.engines.comfyui.refusals import failed
from genlock.engines.model import AWAY, LOST
from genlock.errors import Conflict, Unavailable

logger = logging.getLogger(__name__)
_LARGEST_MESSAGE = 64 * 2**20  # it carries previews of pictures too
_ENDINGS = ("execution_success", "execution_error", "execution_interrupted")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a server is polled, and for how long it may be unreachable, in seconds."""

    poll_s: float = 1.0
    away_s: float = 15.0
    reconnect_s: float = 0.5
    last_words_s: float = 1.0
    withdrawal_s: float = 5.0


@dataclass(frozen=True)
class Finished:
    """A prompt that succeeded: its outputs by node, the cached nodes, and the seconds of the others."""

    outputs: Mapping[str, Any]
    cached: frozenset[str]
    per_node_s: Mapping[str, float]


@dataclass
class Following:
    """A prompt that is followed. ``report`` receives its progress from 0 to 1."""

    client: ComfyClient
    prompt_id: str
    nodes: frozenset[str]
    report: Callable[[float, str], None]
    stop: asyncio.Event
    patience: Patience
    per_node_s: dict[str, float] = field(default_factory=dict[str, float])
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _listening: bool = False
    _node: str | None = None
    _since_s: float = 0.0
    _parts: dict[str, float] = field(default_factory=dict[str, float])
    _messages: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    _outputs: dict[str, Any] = field(default_factory=dict[str, Any])

    async def to_its_end(self) -> Finished:
        """Wait for the end and return the result.

        ``Conflict`` with the code ``cancelled`` once ``stop`` is set, ``Unavailable`` if a node failed, and with the
        code ``engine_away`` or ``run_lost`` if the server does not respond or has lost the run.
        """
        asking = asyncio.create_task(self._watch_stop())
        answered_s = time.monotonic()
        try:
            while True:
                try:
                    ended = await self._poll()
                    answered_s = time.monotonic()
                except Unavailable as error:
                    if error.code != AWAY or time.monotonic() - answered_s > self.patience.away_s:
                        raise
                    ended = None
                if self.stop.is_set():
                    raise Conflict("The run was cancelled.", hint="Start it again.", code="cancelled")
                if ended is not None:
                    return await self._concluded(ended)
                await _within(self._wake.wait(), self.patience.poll_s)
                self._wake.clear()
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking

    async def _poll(self) -> dict[str, Any] | None:
        waiting = await self.client.is_queued(self.prompt_id)
        ended = await self.client.history(self.prompt_id)
        if ended is None and not waiting:
            ended = await self._outcome_from_socket()
        if ended is None and not waiting:
            raise Unavailable(
                f"ComfyUI at {self.client.url} has lost the run: it was restarted.",
                hint="Render it again.",
                code=LOST,
            )
        return ended

    async def _outcome_from_socket(self) -> dict[str, Any] | None:
        """Return the history's entry as far as the socket reported it; ``None`` if its reports are incomplete."""
        if self._listening and not self._ended.is_set():
            await _within(self._ended.wait(), self.patience.last_words_s)
        if "execution_cached" not in self._messages or not self._messages.keys() & set(_ENDINGS):
            return None
        status = "success" if "execution_success" in self._messages else "error"
        return {"outputs": self._outputs, "status": {"status_str": status, "messages": list(self._messages.items())}}

    async def _concluded(self, ended: Mapping[str, Any]) -> Finished:
        messages = {message[0]: cast("dict[str, Any]", message[1]) for message in ended["status"].get("messages", [])}
        if "execution_interrupted" in messages:
            raise Conflict(
                "The run was interrupted in ComfyUI.", hint="Retry it with `genlock plans retry`.", code="interrupted"
            )
        if ended["status"].get("status_str") != "success":
            raise failed(messages.get("execution_error", {}))
        if self._listening and not self._ended.is_set():
            await _within(self._ended.wait(), self.patience.last_words_s)
        self._between(None)
        return Finished(
            outputs=ended.get("outputs", {}),
            cached=frozenset(map(str, messages.get("execution_cached", {}).get("nodes", []))),
            per_node_s=dict(self.per_node_s),
        )

    async def _watch_stop(self) -> None:
        await self.stop.wait()
        self._wake.set()

    # messages of the socket -----------------------------------------------------------------------

    @asynccontextmanager
    async def listening(self, client_id: str) -> AsyncGenerator[None]:
        """Receive messages while the block lasts. It begins once the socket is open, or could not be opened."""
        taking = asyncio.create_task(self._listen(client_id))
        try:
            await self._ready.wait()
            yield
        finally:
            taking.cancel()
            with suppress(asyncio.CancelledError):
                await taking

    async def _listen(self, client_id: str) -> None:
        """Connect, and reconnect whenever the socket is lost."""
        url = f"{self.client.url.replace('http', 'ws', 1)}/ws?clientId={quote(client_id)}"
        while True:
            try:
                async with connect(url, max_size=_LARGEST_MESSAGE) as socket:
                    self._listening = True
                    self._ready.set()
                    async for message in socket:
                        if isinstance(message, str):
                            self._take(message)
            except (OSError, WebSocketException, TimeoutError) as error:
                logger.debug("The web socket of %s is lost: %s", self.client.url, error)
            finally:
                self._listening = False
                self._ready.set()
            await asyncio.sleep(self.patience.reconnect_s)

    def _take(self, message: str) -> None:
        try:
            event = json.loads(message)
            kind, content = str(event["type"]), cast("dict[str, Any]", event.get("data") or {})
        except (ValueError, LookupError, TypeError):
            logger.debug("ComfyUI sent a message that cannot be read.")
            return
        if content.get("prompt_id") != self.prompt_id:
            return
        if kind == "executing":
            node = content.get("node")
            self._between(None if node is None else str(content.get("display_node") or node))
            if node is None:
                self._end()
        elif kind == "progress_state":
            for node, state in cast("dict[str, dict[str, Any]]", content.get("nodes") or {}).items():
                whole = float(state.get("max") or 1) or 1.0
                part = 1.0 if state.get("state") == "finished" else float(state.get("value") or 0) / whole
                self._parts[str(state.get("display_node_id") or node)] = min(part, 1.0)
            self._report_progress()
        elif kind == "progress" and content.get("node") is not None:
            whole = float(content.get("max") or 1) or 1.0
            self._parts[str(content["node"])] = min(float(content.get("value") or 0) / whole, 1.0)
            self._report_progress()
        elif kind == "executed" and content.get("node") is not None:
            self._outputs[str(content["node"])] = content.get("output") or {}
        elif kind == "execution_cached":
            self._messages[kind] = content
            self._parts |= dict.fromkeys(map(str, content.get("nodes") or ()), 1.0)
            self._report_progress()
        elif kind in _ENDINGS:
            self._messages[kind] = content
            self._wake.set()

    def _between(self, node: str | None) -> None:
        """Count the seconds since the last message for the previous node, and begin with ``node``."""
        now_s = time.monotonic()
        if self._node is not None:
            self.per_node_s[self._node] = self.per_node_s.get(self._node, 0.0) + now_s - self._since_s
            self._parts[self._node] = 1.0
        self._node, self._since_s = node, now_s
        self._report_progress()

    def _end(self) -> None:
        self._ended.set()
        self._wake.set()

    def _report_progress(self) -> None:
        done = sum(self._parts.get(node, 0.0) for node in self.nodes) / max(len(self.nodes), 1)
        self.report(done, f"node {self._node}" if self._node else "running")


async def _within(waiting: Coroutine[Any, Any, object], limit_s: float) -> None:
    """Wait at most ``limit_s`` seconds. Not ``wait_for``: on Python 3.11 it can lose a cancellation."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await waiting
