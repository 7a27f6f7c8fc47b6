"""Records the runs that the hooks missed, from what ComfyUI reports over HTTP. It needs no hook.

    GET /history, else GET /api/jobs ─▶ a finished prompt that no hook delivered ─▶ its record, with weaker evidence

So a ComfyUI whose functions changed loses detail, and no run.
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, cast

from .quiet import log_once

logger = logging.getLogger("genlock")

NOT_REPORTED = "no hook reported the end of this run: it was read from ComfyUI's history"
_NEWEST = 64
_TIMEOUT_S = 10
_MOST_BYTES = 256 * 2**20
_TRIES = 3


class Ended(NamedTuple):
    """A finished prompt as ComfyUI reports it; ``messages`` are pairs of an event and its fields."""

    prompt_id: str
    graph: dict[str, Any]
    extra: dict[str, Any]
    saved: dict[str, Any]
    messages: list[tuple[str, dict[str, Any]]]
    status: str


class HistoryWatch:
    """The thread that compares ComfyUI's history with the runs that were delivered.

    ``url`` returns ComfyUI's own address, or nothing before it listens; ``taken`` the prompts that were delivered.
    """

    def __init__(
        self,
        url: Callable[[], str | None],
        taken: Callable[[], Collection[str]],
        take: Callable[[Ended], None],
        pause_s: Callable[[], float],
    ) -> None:
        self._url, self._taken, self._take, self._pause_s = url, taken, take, pause_s
        self.runs = 0
        self.last_error: str | None = None
        self._tries: dict[str, int] = {}
        self._newest: str | None = None

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._work, name="genlock-history", daemon=True).start()

    def _work(self) -> None:
        while True:
            time.sleep(self._pause_s())
            url = self._url()
            try:
                if url is not None:
                    self.take_missed(url)
                self.last_error = None
            except Exception as error:  # noqa: BLE001 - if the thread ended, no later run would be recorded
                self.last_error = str(error)
                log_once("reading ComfyUI's history", error)

    def take_missed(self, url: str) -> None:
        """Record the finished prompts that were not delivered."""
        newest = newest_prompt(url)
        if newest == self._newest and not any(count < _TRIES for count in self._tries.values()):
            return
        for ended in ended_prompts(url):
            if ended.prompt_id in self._taken() or self._tries.get(ended.prompt_id, 0) >= _TRIES:
                continue
            self._tries[ended.prompt_id] = self._tries.get(ended.prompt_id, 0) + 1
            self._take(ended)
            del self._tries[ended.prompt_id]
            self.runs += 1
            logger.warning("[genlock] run %s was read from ComfyUI's history: no hook reported it.", ended.prompt_id)
        self._newest = newest


def newest_prompt(url: str) -> str | None:
    """Return the id of the prompt that ended last; None if none did."""
    history = _get(f"{url}/history?max_items=1")
    if isinstance(history, dict):
        return next(iter(cast("dict[str, Any]", history)), None)
    jobs = _jobs(url, 1)
    return jobs[0] if jobs else None


def ended_prompts(url: str) -> Iterator[Ended]:
    """Yield the prompts that ended last, oldest first."""
    history = _get(f"{url}/history?max_items={_NEWEST}")
    if isinstance(history, dict):
        for prompt_id, entry in cast("dict[str, Any]", history).items():
            prompt = entry["prompt"]
            yield _ended(prompt_id, prompt[2], prompt[3], entry.get("outputs"), entry.get("status"))
        return
    for prompt_id in reversed(_jobs(url, _NEWEST)):
        job = _get(f"{url}/api/jobs/{prompt_id}")
        if isinstance(job, dict):
            entry = cast("dict[str, Any]", job)
            workflow = entry["workflow"]
            extra = workflow.get("extra_data")
            yield _ended(prompt_id, workflow["prompt"], extra, entry.get("outputs"), entry.get("execution_status"))


def _ended(prompt_id: str, graph: Any, extra: Any, saved: Any, status: Any) -> Ended:
    fields: Mapping[str, Any] = status or {}
    pairs: list[tuple[Any, Any]] = fields.get("messages") or []
    messages = [(str(name), cast("dict[str, Any]", event)) for name, event in pairs]
    return Ended(prompt_id, graph, extra or {}, saved or {}, messages, str(fields.get("status_str") or ""))


def _jobs(url: str, limit: int) -> list[str]:
    """Return the ids of the jobs that ended last, newest first."""
    answer = _get(f"{url}/api/jobs?status=completed,failed,cancelled&limit={limit}")
    if not isinstance(answer, dict):
        raise OSError("ComfyUI answers neither at /history nor at /api/jobs")
    return [str(job["id"]) for job in cast("dict[str, Any]", answer)["jobs"]]


def _get(url: str) -> Any:
    """Return the JSON at a URL of this ComfyUI; None if it has no such route."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE  # its own certificate names another host
    context = unchecked if url.startswith("https:") else None
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S, context=context) as answer:  # noqa: S310 - its own URL
            content = answer.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        if error.code in {404, 405}:
            return None
        raise
    if len(content) > _MOST_BYTES:
        raise OSError(f"ComfyUI's history is larger than {_MOST_BYTES} bytes")
    return json.loads(content)
