"""Progress on standard error: bars in a terminal, now and then a line elsewhere."""

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
_LOOKS_IN_VAIN = 20
"""After how many looks at a plan it is said why nothing happens: a worker that has just been started needs a moment."""


@contextmanager
def transfer(err: Console, name: str) -> Generator[Callable[[int, int], None], None, None]:
    """Shows how much of a file went through; nothing is shown of small files."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(clean(name), total=None, visible=False)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None, visible=total > _SMALL_BYTES)

        yield told


class PlanProgress:
    """Shows a running plan: a bar for all of it, and one for each step that renders just now."""

    def __init__(self, err: Console, names: Callable[[Step], str]) -> None:
        self._err, self._names = err, names
        self._said = ""
        self._in_vain = 0

    def follow(self, plans: Iterable[Plan], steps: Callable[[], Iterable[Step]]) -> Plan | None:
        """Show a plan until it ends; gives how it ended. Who stops looking is told that the plan goes on."""
        last: Plan | None = None
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._err, transient=True, disable=not self._err.is_terminal) as progress:
            whole = progress.add_task("plan", total=None)
            bars: dict[int, TaskID] = {}
            try:
                for last in plans:
                    found = [step for step in steps() if step.kind is not StepKind.BLOCKED]
                    done = sum(_has_ended(step) for step in found)
                    progress.update(whole, description=f"plan {last.id}", completed=done, total=len(found))
                    self._show_running(progress, bars, found)
                    self._say(f"plan {last.id}: {done} of {len(found)} steps done")
                    self._say_what_is_waited_for(found)
            except KeyboardInterrupt:
                progress.stop()
                self._say_it_goes_on(last)
                raise
        return last

    def _show_running(self, progress: Progress, bars: dict[int, TaskID], steps: list[Step]) -> None:
        running = {step.id: step for step in steps if step.state is StepState.RUNNING}
        for step_id in [known for known in bars if known not in running]:
            progress.remove_task(bars.pop(step_id))
        for step_id, step in running.items():
            if step_id not in bars:
                bars[step_id] = progress.add_task(clean(self._names(step)), total=100)
            progress.update(bars[step_id], completed=round(100 * step.progress))

    def _say_what_is_waited_for(self, steps: list[Step]) -> None:
        """Say once why nothing happens, when that lasts."""
        why = [step.why for step in steps if step.state is StepState.QUEUED and step.why]
        is_idle = bool(why) and not any(step.state is StepState.RUNNING for step in steps)
        self._in_vain = self._in_vain + 1 if is_idle else 0
        if self._in_vain == _LOOKS_IN_VAIN:
            self._err.print(clean(f"Waiting: {why[0]} It goes on by itself when one does."), style="yellow")

    def _say_it_goes_on(self, plan: Plan | None) -> None:
        if plan is not None:
            self._err.print(
                f"Plan {plan.id} goes on without you. See it with: genlock plans follow {plan.id}\n"
                f"End it with: genlock plans cancel {plan.id}"
            )

    def _say(self, text: str) -> None:
        """A line for where no bar can move, whenever it says something new."""
        if not self._err.is_terminal and text != self._said:
            self._err.print(text)
        self._said = text


def _has_ended(step: Step) -> bool:
    return step.state in {StepState.SUCCEEDED, StepState.SKIPPED, StepState.FAILED, StepState.CANCELLED}
