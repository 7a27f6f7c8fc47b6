"""Writes of plans: create, start, cancel, retry, accept.

draft ──start──▶ running ──▶ succeeded · failed
  │                 │ ▲ └──▶ review ──accept──▶ succeeded
  └────cancel───────┴─┼────▶ cancelled
                      └─────retry── failed · cancelled
"""

import secrets

from genlock.db.connection import Conn
from genlock.engines.offers import engine_names
from genlock.errors import Conflict, NotFound
from genlock.events import log
from genlock.model import MAX_SEED, Actor
from genlock.regeneration.model import NewPlan, Plan, PlanState, Reason, Selection
from genlock.regeneration.planning import choose_sql, outside, situation_sql
from genlock.regeneration.planning.draft import PlanRequest
from genlock.regeneration.planning.planner import plan as plan_of
from genlock.regeneration.plans import (
    draft_sql,
    expected_sql,
    plan_sql,
    plan_write_sql,
    progress,
    queue_sql,
    review_sql,
)
from genlock.regeneration.plans.draft_sql import Header
from genlock.regeneration.plans.expected_sql import ChangedVersion
from genlock.staleness.model import RootKind
from genlock.staleness.report import parse_group
from genlock.takes import selection
from genlock.takes.record_sql import lock_scenes
from genlock.timeline.actions import open_project

_FINISHED = frozenset({PlanState.SUCCEEDED, PlanState.FAILED, PlanState.CANCELLED})
_RETRIED = frozenset({PlanState.FAILED, PlanState.CANCELLED})


async def create(conn: Conn, new: NewPlan, actor: Actor) -> Plan:
    """Create a plan in the state draft and return it: it is shown before anything runs.

    Raise ``NotFound`` for a segment, scene or group that is not in the project, ``Conflict`` for an archived project.
    """
    project = await open_project(conn, new.project_id)
    selected, aside = await _choose(conn, project.id, new.selection)
    scenes, _ = await choose_sql.scenes_with(conn, project.id, sorted({*selected, *aside}))
    situation = await situation_sql.load(conn, project.id, scenes)
    plan_request = PlanRequest(
        selected=frozenset(selected),
        aside=aside,
        cascade=new.cascade,
        force=new.force,
        new_seed=_new_seed if new.seed == "new" else None,
        engines=frozenset(engine_names()),
    )
    draft = plan_of(situation, plan_request)
    notes = (*draft.notes, *await outside.consequences(conn, situation, draft))
    header = Header(
        project_id=project.id,
        selection=new.selection.model_dump(mode="json", exclude_defaults=True),
        cascade=new.cascade,
        review=new.review,
        force=new.force,
        seed=new.seed,
    )
    plan_id = await draft_sql.insert_plan(conn, header, draft, notes, actor)
    await log.append(conn, "plan.created", actor, project_id=project.id, subject=f"plan/{plan_id}")
    return await plan_sql.get_plan(conn, plan_id)


async def start(conn: Conn, plan_id: int, actor: Actor, *, as_planned: bool = False) -> Plan:
    """Start a plan. ``Conflict`` if something changed since, unless ``as_planned``, or if another plan works on it."""
    plan = await plan_sql.lock_plan(conn, plan_id)
    if plan.state is not PlanState.DRAFT:
        raise Conflict(
            f"Plan {plan.id} was already started: it is {plan.state.value}.",
            hint=f"Make a new plan with `genlock plan`; if this one failed, `genlock plans retry {plan.id}`.",
            code="plan_started",
        )
    if plan.totals.steps and plan.totals.steps == plan.totals.blocked:
        raise Conflict(
            f"All {plan.totals.blocked} steps of plan {plan.id} are blocked.",
            hint=f"`genlock plans show {plan.id}` shows why; make a new plan when that is resolved.",
            code="plan_blocked",
        )
    await _require_unchanged(conn, plan, as_planned=as_planned)
    await begin(conn, plan.id, actor, as_planned=as_planned)
    return await plan_sql.get_plan(conn, plan.id)


async def begin(conn: Conn, plan_id: int, actor: Actor, *, as_planned: bool = False) -> None:
    """Start a locked draft: hold its subjects and queue its first steps. ``Conflict`` names a plan that holds one."""
    await plan_write_sql.mark_started(conn, plan_id, actor, as_planned=as_planned)
    await _hold(conn, plan_id)
    await plan_write_sql.queue_ready(conn, plan_id)
    await queue_sql.hand_over(conn, plan_id)
    plan = await plan_sql.get_plan(conn, plan_id)
    await log.append(
        conn,
        "plan.started",
        actor,
        project_id=plan.project_id,
        subject=f"plan/{plan_id}",
        data={"totals": plan.totals.model_dump(mode="json")},
    )
    await progress.update_plan_state(conn, plan_id, actor)


async def cancel(conn: Conn, plan_id: int, actor: Actor) -> Plan:
    """End a plan at once: finished steps stay, running renders are stopped and never recorded."""
    plan = await plan_sql.lock_plan(conn, plan_id)
    if plan.state in _FINISHED:
        raise Conflict(f"Plan {plan.id} is already {plan.state.value}.", hint="It cannot be cancelled any more.")
    running = await plan_write_sql.cancel_steps(conn, plan_id)
    await queue_sql.take_back(conn, plan_id)
    await plan_write_sql.release(conn, plan_id)
    await plan_write_sql.set_state(conn, plan_id, PlanState.CANCELLED)
    await log.append(
        conn,
        "plan.cancelled",
        actor,
        project_id=plan.project_id,
        subject=f"plan/{plan_id}",
        data={"interrupted_steps": running},
    )
    return await plan_sql.get_plan(conn, plan_id)


async def retry(conn: Conn, plan_id: int, actor: Actor) -> Plan:
    """Run the steps again that failed or were cancelled, and those that depend on them; finished steps stay."""
    plan = await plan_sql.lock_plan(conn, plan_id)
    if plan.state not in _RETRIED or plan.started_at is None:
        raise Conflict(
            f"Plan {plan.id} is {plan.state.value}: only a plan that failed or was cancelled after its start can be "
            "retried.",
            hint="Make a new plan with `genlock plan`.",
            code="nothing_to_retry",
        )
    again = await plan_write_sql.reset_for_retry(conn, plan_id)
    await plan_write_sql.set_state(conn, plan_id, PlanState.RUNNING)
    await _hold(conn, plan_id)
    await plan_write_sql.queue_ready(conn, plan_id)
    await queue_sql.hand_over(conn, plan_id)
    await log.append(
        conn, "plan.retried", actor, project_id=plan.project_id, subject=f"plan/{plan_id}", data={"steps": again}
    )
    await progress.update_plan_state(conn, plan_id, actor)
    return await plan_sql.get_plan(conn, plan_id)


async def accept(conn: Conn, plan_id: int, actor: Actor) -> Plan:
    """Select every take of a plan in review, and end the plan."""
    plan = await plan_sql.lock_plan(conn, plan_id)
    if plan.state is not PlanState.REVIEW:
        raise Conflict(
            f"Plan {plan.id} is {plan.state.value}, not in review.", hint=f"See `genlock plans show {plan.id}`."
        )
    if (await plan_write_sql.step_counts(conn, plan_id)).unfinished:
        raise Conflict(
            f"Plan {plan.id} waits until a version that it made is activated.",
            hint=f"Activate it with `genlock asset activate`, or cancel the plan: `genlock plans cancel {plan.id}`.",
            code="activate_first",
        )
    offered = await review_sql.offered_takes(conn, plan_id)
    if offered:
        await lock_scenes(conn, [offer["segment_id"] for offer in offered])
        takes = {offer["segment_id"]: offer["take_id"] for offer in offered}
        await selection.select(conn, takes, sorted({offer["scene_id"] for offer in offered}), actor)
    await plan_write_sql.set_state(conn, plan_id, PlanState.SUCCEEDED)
    await log.append(
        conn,
        "plan.accepted",
        actor,
        project_id=plan.project_id,
        subject=f"plan/{plan_id}",
        data={"takes": [{"segment_id": offer["segment_id"], "take_id": offer["take_id"]} for offer in offered]},
    )
    return await plan_sql.get_plan(conn, plan_id)


async def _choose(conn: Conn, project_id: int, selection: Selection) -> tuple[set[int], dict[int, Reason]]:
    """Return the segments that a selection names, and those that are listed as left out with their reason."""
    selected: set[int] = set()
    waived: set[int] = set()
    pinned: set[int] = set()
    if selection.segments:
        _, existing = await choose_sql.scenes_with(conn, project_id, selection.segments)
        _require_all("segment", selection.segments, existing)
        selected |= existing
    if selection.scenes:
        segments, existing = await choose_sql.segments_in(conn, project_id, selection.scenes)
        _require_all("scene", selection.scenes, existing)
        selected |= segments
    if selection.all or selection.groups:
        roots = None if selection.all else [parse_group(group) for group in selection.groups]
        reported = await choose_sql.reported(conn, project_id, roots)
        missing = [group for place, group in enumerate(selection.groups) if place not in reported.places]
        if missing:
            raise NotFound(
                f"The report has no group {' or '.join(map(repr, missing[:10]))} now.",
                hint="The report has changed: `genlock status` shows its current groups.",
            )
        selected |= reported.stale
        waived = reported.waived
        assets = None if roots is None else [root.asset for root in roots if root.kind == RootKind.ASSET]
        pinned = await choose_sql.pinned(conn, project_id, assets)
    aside = dict.fromkeys(pinned, Reason.PINNED) | dict.fromkeys(waived, Reason.WAIVED)
    return selected, {segment: reason for segment, reason in aside.items() if segment not in selected}


def _require_all(what: str, requested: tuple[int, ...], existing: set[int]) -> None:
    missing = sorted(set(requested) - existing)
    if missing:
        raise NotFound(
            f"The project has no {what} {', '.join(map(str, missing[:10]))}.",
            hint="`genlock project show` lists a project's scenes and segments.",
        )


async def _require_unchanged(conn: Conn, plan: Plan, *, as_planned: bool) -> None:
    versions = await expected_sql.changed_versions(conn, plan.id)
    segments = await expected_sql.changed_segments(conn, plan.id)
    gone = [row["name"] for row in segments if row["archived"]]
    if gone:
        raise Conflict(
            f"Archived since plan {plan.id} was created: {_named(gone)}.",
            hint="Restore them, or make a new plan with `genlock plan`.",
            code="plan_outdated",
        )
    if not versions and not segments:
        return
    if not as_planned:
        changes = [_describe(version) for version in versions]
        changes += [f"another take of {row['scene']}/{row['name']} is selected" for row in segments]
        raise Conflict(
            f"Since plan {plan.id} was created: {'; '.join(dict.fromkeys(changes[:10]))}.",
            hint=f"Make a new plan, or start this one as planned: `genlock plans start {plan.id} --as-planned`.",
            code="plan_outdated",
        )
    await plan_write_sql.add_notes(conn, plan.id, progress.notes_on_changes(versions))


def _describe(version: ChangedVersion) -> str:
    if version.archived:
        return f"{version.name} was archived"
    return f"{version.name} changed from v{version.was} to v{version.now}"


def _named(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


async def _hold(conn: Conn, plan_id: int) -> None:
    others = await plan_write_sql.holding_plans(conn, plan_id)
    if others:
        raise Conflict(
            f"Plan {others[0]['plan_id']} is running and works on {_named([row['name'] for row in others])}.",
            hint=f"Wait for that plan, or cancel it: `genlock plans cancel {others[0]['plan_id']}`.",
            code="held_by_plan",
        )
    await plan_write_sql.hold(conn, plan_id)


def _new_seed() -> str:
    """Return a random seed of all 2^64."""
    return str(secrets.randbelow(MAX_SEED + 1))
