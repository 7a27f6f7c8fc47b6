"""Puts the parts together inside a ComfyUI that is starting, and says in its log what can be seen."""

from __future__ import annotations

import hashlib
import importlib
import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .config import ConfigFile
from .delivery import Delivery
from .environment import environment
from .files import Files
from .hooks import Hooks
from .quiet import tell_once
from .routes import add_routes
from .runs import VERSION, Finished
from .spool import Spool
from .tidying import Tidying, names_in
from .watching import INPUT, Watch

logger = logging.getLogger("genlock")

NOTICE = "genlock.recorded"
_MOST_UNTOLD = 100


class Finisher:
    """Writes each finished run into the spool at once, and again when everything is hashed; one thread does it."""

    def __init__(self, spool: Spool, delivery: Delivery) -> None:
        self._spool, self._delivery = spool, delivery
        self._waiting: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self.runs = 0
        self.replaced: dict[str, tuple[str, ...]] = {}  # by run, what is another file on disk by now
        self.run_s = self.hooks_s = 0.0  # of runs in which something was computed
        threading.Thread(target=self._work, name="genlock-finishing", daemon=True).start()

    def take(self, finished: Finished) -> None:
        """A run that is over."""
        self._waiting.put(finished)

    def _work(self) -> None:
        while True:
            finished = self._waiting.get()
            try:
                self._finish(finished)
            except Exception as error:  # noqa: BLE001 - a thread that ends would lose every later run
                tell_once("keeping a run", error)

    def _finish(self, finished: Finished) -> None:
        outputs = [output.path if output.kind == "output" and output.held else None for output in finished.outputs]
        self.replaced[finished.run.run] = finished.run.replaced
        while len(self.replaced) > _MOST_UNTOLD:
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
    """Begin to watch, to deliver and to serve."""
    folder_paths: Any = importlib.import_module("folder_paths")
    server: Any = importlib.import_module("server").PromptServer.instance
    home = Path(folder_paths.get_user_directory()) / "genlock"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = ConfigFile()
    code = code_of(Path(__file__).parent)
    files = Files(home / "digests.json")
    watch = Watch(files)

    def told(record: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        replaced = finisher.replaced.pop(str(record.get("run")), ())
        server.send_sync(NOTICE, notice_of(record, answer, replaced, config.now().url))

    delivery = Delivery(Spool(home / "spool"), config, told)
    finisher = Finisher(delivery.spool, delivery)
    hooks = Hooks(watch, environment, finisher.take)
    hooks.install()
    _say(hooks.sees)

    def folders() -> Mapping[str, Sequence[str]]:
        known = {name: list(found[0]) for name, found in folder_paths.folder_names_and_paths.items()}
        return {**known, INPUT: [folder_paths.get_input_directory()]}

    def health() -> Mapping[str, Any]:
        return {
            "extension": VERSION,
            "code": code,
            "sees": hooks.sees,
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
    delivery.start()


def code_of(folder: Path) -> str:
    """What tells this code from other code: a digest over the names and contents of the modules of a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        found.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def notice_of(
    record: Mapping[str, Any], answer: Mapping[str, Any], replaced: Sequence[str], url: str
) -> dict[str, Any]:
    """What ComfyUI's page shows of a run that Genlock has: the receipt's number, and what is out of date."""
    capture: Mapping[str, Any] = answer.get("capture") or {}
    old = [f"{name} was replaced on disk: this run used the one that was loaded before" for name in replaced]
    return {
        "prompt_id": record.get("prompt_id"),
        **{name: capture.get(name) for name in ("state", "receipt_id", "place", "why")},
        "warnings": [*(answer.get("warnings") or []), *old],
        "url": url,
    }


def _say(sees: Mapping[str, bool]) -> None:
    blind = [name for name, works in sees.items() if not works]
    if blind:
        logger.warning(
            "[genlock] this ComfyUI is not as expected: %s cannot be seen. Receipts will say what is missing.",
            ", ".join(blind),
        )
    else:
        logger.info("[genlock] watching: %s", ", ".join(sees))
