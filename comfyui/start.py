"""Assembles the extension while ComfyUI starts, and logs which hooks work.

Parts that need ComfyUI's inner functions are installed independently, so that one that fails takes no other with it."""

from __future__ import annotations

import hashlib
import importlib
import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import self_test
from .config import ConfigFile
from .delivery import Delivery
from .environment import environment
from .files import Files
from .history import NOT_REPORTED, Ended, HistoryWatch
from .hooks import Hooks
from .page_routes import add_page_routes
from .quiet import Quiet, log_once
from .routes import add_routes
from .runs import VERSION, Finished
from .spool import Spool
from .tidying import Tidying, names_in
from .watching import INPUT, Watch

logger = logging.getLogger("genlock")

NOTICE = "genlock.recorded"
_MOST_UNREPORTED = 100
_POLL_S, _POLL_IF_BLIND_S = 15.0, 1.0
"""How often ComfyUI's history is compared with the runs that the hooks reported."""


class Finisher:
    """Writes each finished run into the spool at once, and again when its files are hashed, on one thread."""

    def __init__(self, spool: Spool, delivery: Delivery) -> None:
        self._spool, self._delivery = spool, delivery
        self._waiting: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self.runs = 0
        self.replaced: dict[str, tuple[str, ...]] = {}  # by run, the files that were replaced on disk
        self.run_s = self.hooks_s = 0.0  # of runs in which something was computed
        threading.Thread(target=self._work, name="genlock-finishing", daemon=True).start()

    def take(self, finished: Finished) -> None:
        """Queue a finished run."""
        self._waiting.put(finished)

    def _work(self) -> None:
        while True:
            finished = self._waiting.get()
            try:
                self._finish(finished)
            except Exception as error:  # noqa: BLE001 - a thread that ends would lose every later run
                log_once("keeping a run", error)

    def _finish(self, finished: Finished) -> None:
        outputs = [output.path if output.kind == "output" and output.held else None for output in finished.outputs]
        self.replaced[finished.run.run] = finished.run.replaced
        while len(self.replaced) > _MOST_UNREPORTED:
            del self.replaced[next(iter(self.replaced))]
        entry = self._spool.begin(finished.run.run, finished.record(), outputs)
        finished.wait()
        self._spool.finish(entry, finished.record())
        self._delivery.wake()
        self.runs += 1
        run = finished.run
        if run.nodes and run.duration_s > 0:
            share = run.overhead_s / run.duration_s
            self.run_s += run.duration_s
            self.hooks_s += run.overhead_s
            logger.info("[genlock] run %s: %.1f ms in hooks, %.2f %%", run.prompt_id, run.overhead_s * 1e3, share * 100)


def start() -> None:
    """Install the hooks and the routes, and start delivering."""
    folder_paths: Any = importlib.import_module("folder_paths")
    server: Any = importlib.import_module("server").PromptServer.instance
    home = Path(folder_paths.get_user_directory()) / "genlock"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = ConfigFile()
    code = code_of(Path(__file__).parent)
    files = Files(home / "digests.json")
    watch = Watch(files)

    def show_notice(record: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        replaced = finisher.replaced.pop(str(record.get("run")), ())
        server.send_sync(NOTICE, notice_of(record, answer, replaced, config.now().url))

    delivery = Delivery(Spool(home / "spool"), config, show_notice)
    finisher = Finisher(delivery.spool, delivery)
    hooks = Hooks(watch, environment, finisher.take)
    hooks.install()
    with Quiet("preparing the self-test"):
        self_test.install(hooks, lambda: _log_hooks(hooks))

    def take_missed(ended: Ended) -> None:
        prompt = (0, ended.prompt_id, ended.graph, ended.extra)
        observed = hooks.take_ended(ended.prompt_id)
        began = time.perf_counter()
        hooks.take(observed, prompt, ended.saved, ended.messages, ended.status, began, [NOT_REPORTED])

    history = HistoryWatch(
        lambda: own_url(server),
        lambda: hooks.taken,
        take_missed,
        lambda: _POLL_IF_BLIND_S if hooks.complaints() else _POLL_S,
    )

    def folders() -> Mapping[str, Sequence[str]]:
        categories = {name: list(entry[0]) for name, entry in folder_paths.folder_names_and_paths.items()}
        return {**categories, INPUT: [folder_paths.get_input_directory()]}

    def every_folder() -> Mapping[str, Sequence[str]]:
        media = {name: folder_paths.get_directory_by_type(name) for name in ("output", "temp")}
        return {**folders(), **{name: [folder] for name, folder in media.items() if folder}}

    def health() -> Mapping[str, Any]:
        return {
            "extension": VERSION,
            "code": code,
            "sees": hooks.sees,
            "reasons": hooks.complaints(),
            "taken": hooks.taken_total,
            "missed": history.runs,
            "history_error": history.last_error,
            "genlock": config.now().url,
            "runs": finisher.runs,
            "overhead": round(finisher.hooks_s / finisher.run_s, 6) if finisher.run_s else None,
            "delivered": delivery.delivered,
            "waiting": len(delivery.spool.waiting()),
            "refused": len(delivery.spool.refused()),
            "last_error": delivery.last_error,
            "environment": dict(environment()),
        }

    def queued() -> set[str]:
        running, pending = server.prompt_queue.get_current_queue()
        return names_in([*running, *pending])

    tidying = Tidying(home / "staged.json", queued)
    add_routes(server.routes, config, files, tidying, folders, health)
    add_page_routes(server.routes, config, files, every_folder)
    delivery.start()
    history.start()


def own_url(server: Any) -> str | None:
    """Return the URL at which this process reaches its own ComfyUI; None before it listens."""
    port = getattr(server, "port", None)
    if not isinstance(port, int):
        return None
    address = str(getattr(server, "address", "") or "127.0.0.1")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared, not listened on
    arguments: Any = importlib.import_module("comfy.cli_args").args
    scheme = "https" if getattr(arguments, "tls_keyfile", None) else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def code_of(folder: Path) -> str:
    """Return a digest over the names and contents of a folder's modules, which identifies this code."""
    hasher = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        hasher.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return hasher.hexdigest()


def notice_of(
    record: Mapping[str, Any], answer: Mapping[str, Any], replaced: Sequence[str], url: str
) -> dict[str, Any]:
    """Return the notice that ComfyUI's page shows for a delivered run: its receipt's number, and outdated inputs."""
    capture: Mapping[str, Any] = answer.get("capture") or {}
    old = [f"{name} was replaced on disk: this run used the one that was loaded before" for name in replaced]
    return {
        "prompt_id": record.get("prompt_id"),
        **{name: capture.get(name) for name in ("state", "receipt_id", "place", "why", "for_review")},
        "warnings": [*(answer.get("warnings") or []), *old],
        "url": url,
    }


def _log_hooks(hooks: Hooks) -> None:
    complaints = hooks.complaints()
    if complaints:
        logger.warning(
            "[genlock] this ComfyUI is not as expected, and receipts get weaker evidence: %s.", "; ".join(complaints)
        )
    else:
        logger.info("[genlock] watching: %s", ", ".join(hooks.sees))
