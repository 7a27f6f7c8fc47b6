"""A worker: takes steps from the queue and runs them until it is stopped.

    python -m genlock.regeneration.worker --data FOLDER

The server starts workers, users start them on other machines. A worker survives a lost database connection. On SIGTERM
it returns unfinished steps to the queue and ends. If the server that started it dies, it ends once the queue is empty.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import stat
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ProcrastinateException
from procrastinate.jobs import DeleteJobCondition
from procrastinate.worker import Worker

from genlock.background import alongside, repeat
from genlock.blobs.opening import open_store
from genlock.blobs.store import Store
from genlock.database_url import refuse_password_argument
from genlock.db.connection import Database
from genlock.db.embedded import server as embedded
from genlock.db.migrate import require_current
from genlock.db.refusals import DriverError
from genlock.engines.model import Engine
from genlock.engines.registry import configured_engines
from genlock.errors import GenlockError
from genlock.events.listen import EventListener
from genlock.regeneration import worker_sql
from genlock.regeneration.making.patience import patiently
from genlock.regeneration.making.scratch import scratch_folder
from genlock.regeneration.making.work import do_step
from genlock.regeneration.making.worker_context import WorkerContext, no_fault
from genlock.regeneration.patrol import patrol
from genlock.regeneration.plans import queue_sql
from genlock.regeneration.reproduction.work import do_reproduction
from genlock.regeneration.review import ReviewWatch
from genlock.settings import Settings

logger = logging.getLogger(__name__)
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_STDIN = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """The intervals of a worker, in seconds. A worker without a heartbeat for ``silent_s`` counts as dead.

    ``poll_s``: a worker is notified of steps, but the queue can miss a notification while it starts or fetches.
    """

    heartbeat_s: float = 2.0
    silent_s: float = 12.0
    poll_s: float = 1.0
    patrol_s: float = 5.0
    tick_s: float = 0.5
    grace_s: float = 5.0


async def run_worker(
    db: Database,
    store: Store,
    *,
    stop: asyncio.Event | None = None,
    orphaned: asyncio.Event | None = None,
    name: str | None = None,
    engines: Mapping[str, Engine],
    concurrency: int = 1,
    pace: Pace | None = None,
    fault: Callable[[str], None] = no_fault,
    until_idle: bool = False,
) -> None:
    """Run steps until ``stop`` is set; with ``until_idle``, or once ``orphaned`` is set, until the queue is empty.

    ``fault`` is called with the name of each point that a step passes: ``claimed``, ``rendering``, ``stored``,
    ``recording``, ``recorded``.
    """
    pace = pace or Pace()
    orphaned = orphaned or asyncio.Event()
    if until_idle:
        orphaned.set()
    name = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    with scratch_folder() as scratch:
        context = WorkerContext(
            db=db,
            store=store,
            engines=engines,
            name=name,
            version=version("genlock"),
            scratch=scratch,
            tick_s=pace.tick_s,
            fault=fault,
        )
        listener = EventListener(db.conninfo)
        await context.health.probe(engines, engines.keys())
        worker_id = await patiently(db, lambda conn: worker_sql.enter(conn, name, context.health.reachable(engines)))
        try:
            async with alongside(
                repeat(
                    "heartbeat of the worker",
                    lambda: _heartbeat(context, worker_id),
                    every_s=pace.patrol_s,
                    longest_pause_s=pace.patrol_s,
                ),
                repeat("patrol for lost work", lambda: _patrol(context, pace), every_s=pace.patrol_s),
                context.health.watch(engines, pace.patrol_s),
                listener.run(),
                ReviewWatch(db, listener, pace.patrol_s).run(),
            ):
                await _work(context, stop or asyncio.Event(), orphaned, concurrency, pace)
        finally:
            with contextlib.suppress(GenlockError):
                async with db.transaction() as conn:
                    await worker_sql.leave(conn, worker_id)


async def _work(
    context: WorkerContext, stop: asyncio.Event, orphaned: asyncio.Event, concurrency: int, pace: Pace
) -> None:
    """Run procrastinate's worker in a loop: it ends when it loses the database."""
    app = App(connector=PsycopgConnector())

    @app.task(name=queue_sql.TASK)
    async def step(step_id: int) -> None:  # pyright: ignore[reportUnusedFunction] - procrastinate calls it by name
        await do_step(context, step_id)

    @app.task(name=queue_sql.REPRODUCE)
    async def reproduce(reproduction_id: int) -> None:  # pyright: ignore[reportUnusedFunction] - as above
        await do_reproduction(context, reproduction_id)

    pause_s = _FIRST_PAUSE_S
    async with app.open_async(pool=context.db.pool):
        while not stop.is_set():
            to_the_end = orphaned.is_set()
            context.health.changed.clear()
            queue = Worker(
                app,
                queues=queue_sql.queues_of(context.health.reachable(context.engines)),
                name=context.name,
                concurrency=concurrency,
                wait=not to_the_end,
                fetch_job_polling_interval=pace.poll_s,
                update_heartbeat_interval=pace.heartbeat_s,
                stalled_worker_timeout=pace.silent_s,
                listen_notify=not to_the_end,
                delete_jobs=DeleteJobCondition.ALWAYS,
                install_signal_handlers=False,
            )
            try:
                await _run(queue, context, stop, orphaned, pace)
            except (ProcrastinateException, DriverError, OSError) as error:
                logger.warning("The queue is unreachable, trying again in %.1f s: %s", pause_s, error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await stop.wait()
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = _FIRST_PAUSE_S
            if to_the_end and not context.health.changed.is_set():
                return


async def _run(queue: Worker, context: WorkerContext, stop: asyncio.Event, orphaned: asyncio.Event, pace: Pace) -> None:
    """Run the queue's worker until it ends or an event stops it, and then until its steps are done."""
    running = asyncio.create_task(queue.run())
    events = [asyncio.create_task(stop.wait()), asyncio.create_task(context.health.changed.wait())]
    if not orphaned.is_set():
        events.append(asyncio.create_task(orphaned.wait()))
    try:
        await asyncio.wait({running, *events}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            queue.stop()
            await asyncio.wait({running, events[0]}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=pace.grace_s)
            context.ending.set()  # unfinished steps go back into the queue
        await running
    finally:
        for event in events:
            event.cancel()


async def _heartbeat(context: WorkerContext, worker_id: int) -> None:
    async with context.db.transaction() as conn:
        await worker_sql.heartbeat(conn, worker_id, context.health.reachable(context.engines))


async def _patrol(context: WorkerContext, pace: Pace) -> None:
    recovered = await patrol(context.db, pace.silent_s)
    if recovered:
        logger.info("Continued %d stalled plans.", recovered)


def run(
    settings: Settings,
    *,
    name: str | None = None,
    concurrency: int = 1,
    engines: Sequence[str] | None = None,
    pace: Pace | None = None,
    fault: Callable[[str], None] = no_fault,
) -> None:
    """Work until stopped, with the database and store that the settings name."""
    with _database(settings) as conninfo:
        require_current(conninfo)
        asyncio.run(_main(settings, conninfo, name, concurrency, engines, pace or Pace(), fault))


@contextmanager
def _database(settings: Settings) -> Generator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded.attach(settings.data / "postgres") as attached:
        attached.keep_running()
        yield attached.conninfo


async def _main(
    settings: Settings,
    conninfo: str,
    name: str | None,
    concurrency: int,
    engines: Sequence[str] | None,
    pace: Pace,
    fault: Callable[[str], None],
) -> None:
    stop, orphaned = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if _has_parent_pipe():
        loop.add_reader(_STDIN, _watch_parent, loop, orphaned)
    db = Database(conninfo, max_size=4 + 2 * concurrency, application="genlock-worker")
    await db.open()
    try:
        store = await asyncio.to_thread(open_store, settings)
        await run_worker(
            db,
            store,
            stop=stop,
            orphaned=orphaned,
            name=name,
            concurrency=concurrency,
            engines=configured_engines(settings, engines),
            pace=pace,
            fault=fault,
        )
    finally:
        await db.close()


def _has_parent_pipe() -> bool:
    """Return whether standard input is a pipe or (with uvloop) a socket that the server holds open while it lives."""
    try:
        mode = os.fstat(_STDIN).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    except OSError:
        return False


def _watch_parent(loop: asyncio.AbstractEventLoop, orphaned: asyncio.Event) -> None:
    if not os.read(_STDIN, 4096):
        loop.remove_reader(_STDIN)
        orphaned.set()


def _die_at(point: str) -> Callable[[str], None]:
    def die(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return die


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(prog="python -m genlock.regeneration.worker", description="Run steps of plans.")
    parser.add_argument("--data", type=Path, help="the data folder (default: GENLOCK_DATA)")
    parser.add_argument("--database-url", help="your own PostgreSQL (default: the embedded one of the data folder)")
    parser.add_argument("--blobs", help="where bytes are stored (default: in the data folder)")
    parser.add_argument("--name", help="the worker's name in receipts (default: the machine's name)")
    parser.add_argument("--engine", action="append", dest="engines", help="only take steps of this engine; repeatable")
    parser.add_argument("--concurrency", type=int, default=1, help="how many steps at a time (default: 1)")
    parser.add_argument("--silent-s", type=float, default=Pace().silent_s, help="after how long others count as dead")
    parser.add_argument("--grace-s", type=float, default=Pace().grace_s, help="how long a render may go on at the end")
    # Fault injection, for tests: the process kills itself (SIGKILL) when a step of its passes this point.
    parser.add_argument("--die-at", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        refuse_password_argument(options.database_url)
    except GenlockError as error:
        sys.exit(f"{error.message} {error.hint}")
    given = {
        name: getattr(options, name) for name in ("data", "database_url", "blobs") if getattr(options, name) is not None
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as SIGINT until it works, when it handles both
    settings = Settings(**given)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    # It warns about apps in the main module because other modules cannot import them; none needs to import this one.
    logging.getLogger("procrastinate.blueprints").setLevel(logging.ERROR)
    silent_s = options.silent_s
    pace = Pace(
        heartbeat_s=min(2.0, silent_s / 5),
        silent_s=silent_s,
        patrol_s=min(5.0, silent_s / 2),
        tick_s=min(0.5, silent_s / 24),
        grace_s=options.grace_s,
    )
    try:
        run(
            settings,
            name=options.name,
            concurrency=options.concurrency,
            engines=options.engines,
            pace=pace,
            fault=_die_at(options.die_at) if options.die_at else no_fault,
        )
    except KeyboardInterrupt:
        logger.info("Stopped before it took any work.")
    except GenlockError as error:
        sys.exit(f"{error.message} {error.hint or ''}".strip())


if __name__ == "__main__":
    main()
