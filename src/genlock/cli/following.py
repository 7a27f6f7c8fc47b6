"""Progress on standard error: bars in a terminal, lines elsewhere."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from genlock.cli.formatting import clean
from genlock.regeneration.model import Plan, Step, StepKind, StepState

_SMALL_BYTES = 8 * 2**20
_IDLE_POLLS = 20
"""Polls without a running step before the reason is shown; a worker that has just started needs a moment."""


@contextmanager
def transfer(err: Console, name: str) -> Generator[Callable[[int, int], None], None, None]:
    """Show the progress of a transfer; nothing for small files."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(clean(name), total=None, visible=False)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None, visible=total > _SMALL_BYTES)

        yield report


class PlanProgress:
    """The progress of a plan: a bar for the plan, and one for each running step."""

    def __init__(self, err: Console) -> None:
        self._err = err
        self._last_line = ""
        self._idle_polls = 0

    def follow(self, plans: Iterable[Plan], steps: Callable[[], Iterable[Step]]) -> Plan | None:
        """Show a plan until it ends and return its last state. On Ctrl-C, print that the plan keeps running."""
        last: Plan | None = None
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._err, transient=True, disable=not self._err.is_terminal) as progress:
            whole = progress.add_task("plan", total=None)
            bars: dict[int, TaskID] = {}
            try:
                for last in plans:
                    runnable = [step for step in steps() if step.kind is not StepKind.BLOCKED]
                    done = sum(_has_ended(step) for step in runnable)
                    progress.update(whole, description=f"plan {last.id}", completed=done, total=len(runnable))
                    self._show_running(progress, bars, runnable)
                    self._print_line(f"plan {last.id}: {done} of {len(runnable)} steps done")
                    self._report_waiting(runnable)
            except KeyboardInterrupt:
                progress.stop()
                self._report_still_running(last)
                raise
        return last

    def _show_running(self, progress: Progress, bars: dict[int, TaskID], steps: list[Step]) -> None:
        running = {step.id: step for step in steps if step.state is StepState.RUNNING}
        for step_id in [shown_id for shown_id in bars if shown_id not in running]:
            progress.remove_task(bars.pop(step_id))
        for step_id, step in running.items():
            if step_id not in bars:
                bars[step_id] = progress.add_task(clean(step.name), total=100)
            progress.update(bars[step_id], completed=round(100 * step.progress))

    def _report_waiting(self, steps: list[Step]) -> None:
        """Print once why no step runs, if that lasts."""
        why = [step.why for step in steps if step.state is StepState.QUEUED and step.why]
        is_idle = bool(why) and not any(step.state is StepState.RUNNING for step in steps)
        self._idle_polls = self._idle_polls + 1 if is_idle else 0
        if self._idle_polls == _IDLE_POLLS:
            self._err.print(clean(f"Waiting: {why[0]} The plan continues by itself."), style="yellow")

    def _report_still_running(self, plan: Plan | None) -> None:
        if plan is not None:
            self._err.print(
                f"Plan {plan.id} keeps running. To see it: genlock plans follow {plan.id}\n"
                f"To cancel it: genlock plans cancel {plan.id}"
            )

    def _print_line(self, text: str) -> None:
        """Print a line where bars cannot be shown, if it is new."""
        if not self._err.is_terminal and text != self._last_line:
            self._err.print(text)
        self._last_line = text


def _has_ended(step: Step) -> bool:
    return step.state in {StepState.SUCCEEDED, StepState.SKIPPED, StepState.FAILED, StepState.CANCELLED}
