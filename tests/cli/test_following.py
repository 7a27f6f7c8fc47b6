"""Who follows a plan and has seen enough is told that it goes on."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from genlock.cli.following import PlanProgress
from genlock.regeneration.model import Plan


def test_whoever_stops_looking_is_told_that_the_plan_goes_on() -> None:
    def plans() -> Iterator[Plan]:
        yield Plan.model_construct(id=7)
        raise KeyboardInterrupt

    said = io.StringIO()
    progress = PlanProgress(Console(file=said, width=120), names=lambda step: f"{step.segment_id}")
    with pytest.raises(KeyboardInterrupt):
        progress.follow(plans(), list)
    assert "Plan 7 keeps running. To see it: genlock plans follow 7\n" in said.getvalue()
    assert "genlock plans cancel 7" in said.getvalue()
