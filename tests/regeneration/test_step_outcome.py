"""The outcome of a step: whether its result is used, its notes, and its event."""

from datetime import UTC, datetime

import pytest

from genlock.regeneration.model import StepError, StepKind, StepState
from genlock.regeneration.plans.claimed_step import ClaimedStep
from genlock.regeneration.plans.step_outcome import (
    StepEnd,
    is_activated,
    is_selected,
    not_activated_note,
    not_selected_note,
)
from genlock.regeneration.recipe import Recipe

AT = datetime(2026, 1, 1, tzinfo=UTC)
STEP = ClaimedStep(
    step_id=7,
    plan_id=3,
    position=2,
    project_id=1,
    segment_id=5,
    scene_id=4,
    segment="segment 2",
    asset_id=None,
    asset_kind=None,
    asset=None,
    kind=StepKind.RENDER,
    recipe=Recipe(engine="sketch", inputs=(), parameters={}),
    take_id=None,
    selected_take_id=10,
    active_version=1,
    attempt=1,
    review=False,
    force=False,
    started_by="ada",
    claimed_at=AT,
    planned_at=AT,
)
REVIEWED = STEP.model_copy(update={"review": True})


@pytest.mark.parametrize(
    ("step", "selected", "expected"),
    [
        pytest.param(STEP, 10, True, id="as at the start"),
        pytest.param(STEP, 12, True, id="selected already"),
        pytest.param(STEP, 11, False, id="another one was selected"),
        pytest.param(STEP, None, False, id="none is selected"),
        pytest.param(REVIEWED, 10, False, id="review"),
    ],
)
def test_a_take_is_selected_unless_the_selection_changed(
    step: ClaimedStep, selected: int | None, expected: bool
) -> None:
    assert is_selected(step, selected, 12) is expected


@pytest.mark.parametrize(("step", "active", "expected"), [(STEP, 1, True), (STEP, 2, False), (REVIEWED, 1, False)])
def test_a_version_is_activated_unless_the_active_version_changed(
    step: ClaimedStep, active: int, expected: bool
) -> None:
    assert is_activated(step, active) is expected


@pytest.mark.parametrize(
    ("end", "saved", "data"),
    [
        (StepEnd(StepState.SUCCEEDED, take_id=12, take=2), False, {"take_id": 12, "take": 2}),
        (StepEnd(StepState.SUCCEEDED, version=3), False, {"version": 3}),
        (StepEnd(StepState.SKIPPED, take_id=12), True, {"take_id": 12, "saved": True}),
        (
            StepEnd(StepState.FAILED, error=StepError(code="bytes_gone", message="The bytes are gone.")),
            False,
            {"error": "bytes_gone", "message": "The bytes are gone."},
        ),
        (StepEnd(StepState.QUEUED), False, {}),
    ],
)
def test_the_event_has_the_outcome_of_the_step(end: StepEnd, saved: bool, data: dict[str, object]) -> None:
    assert end.saved is saved
    assert end.event_data == data


def test_notes_name_the_result_that_is_not_used() -> None:
    assert not_selected_note(STEP, 2).message == (
        "segment 2: another take was selected while this plan ran; take 2 was added and is not selected."
    )
    assert not_selected_note(STEP, None).message.endswith(
        "an earlier take, made from the same inputs, is not selected."
    )
    note = not_activated_note(STEP, "clothed", 3, 2)
    assert note.message == "clothed v3 was made and is not active: v2 was activated while this plan ran."
