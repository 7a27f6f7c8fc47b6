"""A user who stops following a plan is informed that it keeps running."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from genlock.cli.following import PlanProgress
from genlock.regeneration.model import Plan


def test_an_interrupted_follower_is_informed_that_the_plan_keeps_running() -> None:
    def plans() -> Iterator[Plan]:
        yield Plan.model_construct(id=7)
        raise KeyboardInterrupt

    output = io.StringIO()
    progress = PlanProgress(Console(file=output, width=120))
    with pytest.raises(KeyboardInterrupt):
        progress.follow(plans(), list)
    assert "Plan 7 keeps running. To see it: genlock plans follow 7\n" in output.getvalue()
    assert "genlock plans cancel 7" in output.getvalue()
