"""Selection, refusal, cancellation and retry of plans, and the takes that they leave unselected."""

import asyncio

import pytest
from tests.regeneration.studio import Studio

from genlock.errors import Conflict, NotFound
from genlock.events import sql as events_sql
from genlock.model import Kind
from genlock.regeneration import actions, worker_sql
from genlock.regeneration.model import NewPlan, Plan, PlanState, Selection, StepKind, StepState
from genlock.regeneration.planning import restorable
from genlock.regeneration.plans import plan_sql
from genlock.staleness.model import State
from genlock.staleness.report import report


async def _new_clothes(studio: Studio) -> None:
    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)])


async def test_a_single_segment_is_planned_alone_with_the_number_it_makes_stale(studio: Studio) -> None:
    first, *rest = await studio.shoot("A")
    await _new_clothes(studio)
    plan = await studio.plan(segments=[first])
    assert (plan.totals.render, plan.downstream_stale) == (1, 3)
    assert await studio.left_out(plan) == dict.fromkeys(rest, "not_selected")
    await studio.run(plan)
    assert await studio.states("A") == [State.FRESH, State.STALE, State.STALE, State.STALE]


async def test_cascade_includes_the_segments_that_continue_a_segment(studio: Studio) -> None:
    first, *_ = await studio.shoot("A")
    await _new_clothes(studio)
    plan = await studio.plan(segments=[first], cascade=True)
    assert (plan.totals.render, plan.totals.left_out, plan.downstream_stale) == (4, 0, 0)


async def test_a_plan_of_a_scene_leaves_every_row_of_the_other_unchanged(studio: Studio) -> None:
    await studio.shoot("A")
    await studio.shoot("B")
    await _new_clothes(studio)
    before = await _rows(studio, studio.segments["B"])
    blobs = {digest: studio.store.path_of(digest).stat().st_mtime_ns for digest in studio.store.digests()}
    plan = await studio.run(await studio.plan(scenes=[studio.scenes["A"]]))
    assert plan.totals.rendered == 4
    assert await _rows(studio, studio.segments["B"]) == before
    assert {digest: studio.store.path_of(digest).stat().st_mtime_ns for digest in blobs} == blobs


async def _rows(studio: Studio, segments: list[int]) -> list[str]:
    """Return every row that refers to one of the segments, with the transaction that wrote it."""
    tables = {
        "segments": "id",
        "selected_takes": "segment_id",
        "takes": "segment_id",
        "receipts": "segment_id",
        "current_inputs": "segment_id",
        "runs": "run_id",
        "broken_links": "segment_id",
        "take_counters": "segment_id",
        "selections": "segment_id",
    }
    listed: list[str] = []
    async with studio.db.transaction() as conn:
        for table, column in tables.items():
            query = f"SELECT t::text || xmin::text FROM {table} t WHERE {column} = ANY(%s) ORDER BY 1"
            cursor = await conn.execute(query, (segments,))  # pyright: ignore[reportArgumentType]
            listed += [f"{table} {row[0]}" for row in await cursor.fetchall()]
    return listed


async def test_a_fresh_segment_is_matching_unless_forced(studio: Studio) -> None:
    segments = await studio.shoot("A")
    plan = await studio.plan(scenes=[studio.scenes["A"]])
    assert plan.totals.steps == 0
    assert await studio.left_out(plan) == dict.fromkeys(segments, "matching")
    assert (await studio.start(plan)).state is PlanState.SUCCEEDED
    forced = await studio.run(await studio.plan(scenes=[studio.scenes["A"]], force=True))
    assert (forced.totals.rendered, forced.totals.saved) == (4, 0)
    assert await studio.states() == [State.FRESH] * 4


async def test_a_new_seed_renders_new_takes(studio: Studio) -> None:
    first, *_ = await studio.shoot("A")
    await _new_clothes(studio)
    plan = await studio.run(await studio.plan(seed="new"))
    assert plan.totals.rendered == 4
    async with studio.db.transaction() as conn:
        cursor = await conn.execute(
            "SELECT count(DISTINCT seed), bool_or(seed = 18446744073709551615) FROM receipts WHERE step_id > 4"
        )
        assert await cursor.fetchone() == (4, False)
    assert await studio.takes(first) == (2, 2)


async def test_archived_segments_and_empty_ones_are_accounted_for(studio: Studio) -> None:
    first, second, third, fourth = await studio.shoot("A")
    empty = await studio.scene("C", 2)
    await studio.archive_segment(second)
    plan = await studio.plan(segments=[first, second, *empty], force=True)
    assert await studio.left_out(plan) == {second: "archived", third: "not_selected", fourth: "not_selected"}
    assert [(note.code, note.segments) for note in plan.notes] == [("empty", 2)]
    assert plan.totals.render == 1


async def test_a_selection_must_exist(studio: Studio) -> None:
    await studio.shoot("A", 1)
    for selection in ({"segments": [999_999]}, {"scenes": [999_999]}, {"groups": ["chain"]}):
        with pytest.raises(NotFound):
            await studio.plan(**selection)
    with pytest.raises(ValueError, match="select something"):
        Selection()
    with pytest.raises(ValueError, match="all is the whole report"):
        Selection(all=True, groups=("chain",))


async def test_each_selected_group_must_exist(studio: Studio) -> None:
    await studio.shoot("A", 1)
    await _new_clothes(studio)
    existing, missing = f"asset-{studio.assets['clothed']}-1-2", f"asset-{studio.assets['rain']}-1-2"
    with pytest.raises(NotFound, match=f"has no group '{missing}' now"):
        await studio.plan(groups=[existing, missing])
    assert (await studio.plan(groups=[existing, existing])).totals.render == 1


async def test_two_plans_cannot_work_on_one_segment(studio: Studio) -> None:
    await studio.shoot("A")
    await _new_clothes(studio)
    first, other = await studio.plan(), await studio.plan(segments=[studio.segments["A"][0]])
    await studio.start(first)
    with pytest.raises(Conflict, match=f"Plan {first.id} is running"):
        await studio.start(other)
    with pytest.raises(Conflict, match="already started"):
        await studio.start(first)
    await studio.work()
    assert (await studio.read(first)).state is PlanState.SUCCEEDED


async def test_starting_is_refused_when_another_take_was_selected(studio: Studio) -> None:
    first, *_ = await studio.shoot("A")
    await studio.run(await studio.plan(segments=[first], force=True, seed="new"))
    plan = await studio.plan()
    assert plan.totals.render == 3
    await studio.select(first, 1)
    with pytest.raises(Conflict, match="another take of A/segment 1 is selected"):
        await studio.start(plan)


async def test_starting_is_refused_after_a_segment_was_archived(studio: Studio) -> None:
    first, *_ = await studio.shoot("A")
    await _new_clothes(studio)
    plan = await studio.plan()
    await studio.archive_segment(first)
    with pytest.raises(Conflict, match="Archived since"):
        await studio.start(plan, as_planned=True)


async def test_cancelling_in_mid_render_keeps_finished_steps_and_retry_does_the_rest(studio: Studio) -> None:
    segments = await studio.shoot("A", frames=120, width=96, height=96)  # long enough to cancel in the middle of it
    await _new_clothes(studio)
    plan = await studio.plan()
    await studio.start(plan)
    rendering = 0
    cancelling: list[asyncio.Task[Plan]] = []

    async def cancel() -> Plan:
        async with studio.db.transaction() as conn:
            return await actions.cancel(conn, plan.id, studio.actor)

    def cancel_in_the_third(point: str) -> None:
        nonlocal rendering
        rendering += point == "rendering"
        if rendering == 3 and not cancelling:
            cancelling.append(asyncio.get_running_loop().create_task(cancel()))

    await studio.work(fault=cancel_in_the_third)
    cancelled = await cancelling[0]
    assert (cancelled.state, cancelled.totals.rendered, cancelled.totals.cancelled) == (PlanState.CANCELLED, 2, 2)
    assert [(await studio.takes(segment))[0] for segment in segments] == [2, 2, 1, 1]
    with pytest.raises(Conflict, match="already cancelled"):
        await cancel()
    async with studio.db.transaction() as conn:
        again = await actions.retry(conn, plan.id, studio.actor)
    assert again.state is PlanState.RUNNING
    await studio.work()
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED
    assert [await studio.takes(segment) for segment in segments] == [(2, 2)] * 4
    assert await studio.states() == [State.FRESH] * 4


async def test_a_failing_step_stops_only_its_dependents(studio: Studio) -> None:
    await studio.shoot("A")
    await studio.shoot("B")
    await _new_clothes(studio)
    plan = await studio.plan()
    steps = {step.segment_id: step for step in await studio.steps(plan)}
    second = studio.segments["A"][1]
    async with studio.db.transaction() as conn:
        # The engine does not have this sampler: the step fails when it binds its parameters.
        await conn.execute(
            "UPDATE plan_steps SET wanted = jsonb_set(wanted, '{parameters,sampler}', '\"no such sampler\"')"
            " WHERE id = %s",
            (steps[second].id,),
        )
    plan = await studio.run(plan)
    assert (plan.state, plan.totals.rendered, plan.totals.failed, plan.totals.cancelled) == (PlanState.FAILED, 5, 1, 2)
    by_segment = {step.segment_id: step for step in await studio.steps(plan)}
    failed = by_segment[second]
    assert failed.error is not None
    assert "no such sampler" in failed.error.message
    assert [by_segment[segment].state for segment in studio.segments["A"]] == [
        StepState.SUCCEEDED,
        StepState.FAILED,
        StepState.CANCELLED,
        StepState.CANCELLED,
    ]
    assert "step" in (by_segment[studio.segments["A"][2]].why or "")
    async with studio.db.transaction() as conn:
        await conn.execute(
            "UPDATE plan_steps SET wanted = jsonb_set(wanted, '{parameters,sampler}', '\"euler\"') WHERE id = %s",
            (failed.id,),
        )
    async with studio.db.transaction() as conn:
        await actions.retry(conn, plan.id, studio.actor)
    await studio.work()
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED
    assert await studio.states() == [State.FRESH] * 8


async def test_missing_bytes_block_a_plan_and_are_noticed_by_a_failing_step(studio: Studio) -> None:
    await studio.shoot("A", 2)
    await _new_clothes(studio)
    digest = await studio.digest("rain", 1)
    plan = await studio.plan()
    studio.store.remove(digest)
    plan = await studio.run(plan)
    assert plan.state is PlanState.FAILED
    error = (await studio.steps(plan))[0].error
    assert error is not None
    assert error.code == "bytes_gone"
    blocked = await studio.plan()
    assert blocked.totals.blocked == 2
    assert (await studio.steps(blocked))[0].why == "the bytes of rain v1 are gone: upload the file again."


async def test_bytes_that_were_tampered_with_are_never_used(studio: Studio) -> None:
    await studio.shoot("A", 1)
    await _new_clothes(studio)
    plan = await studio.plan()
    path = studio.store.path_of(await studio.digest("rain", 1))
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    plan = await studio.run(plan)
    error = (await studio.steps(plan))[0].error
    assert error is not None
    assert error.code == "tampered"


async def test_the_report_says_how_many_segments_could_be_restored(studio: Studio) -> None:
    await studio.shoot("A")
    await _new_clothes(studio)

    async def counts() -> list[int | None]:
        async with studio.db.transaction() as conn:
            page, judged = await report(conn, studio.project_id)
            groups = await restorable.with_restorable(conn, studio.project_id, page.groups, judged)
            return [group.restorable for group in groups]

    assert await counts() == [0]
    await studio.run(await studio.plan())
    await studio.activate("clothed", 1)
    assert await counts() == [4]
    plan = await studio.plan()
    assert [step.kind for step in await studio.steps(plan)] == [StepKind.RESTORE] * 4


async def test_an_existing_version_is_activated_and_not_rendered_again(engine_studio: Studio) -> None:
    studio = engine_studio
    await studio.shoot("A", 2)
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v2.png")
    await studio.run(await studio.plan())
    assert await studio.active("clothed") == 2
    await studio.activate("portrait", 1)
    plan = await studio.run(await studio.plan())
    assert (plan.state, plan.totals.rendered, plan.totals.saved) == (PlanState.SUCCEEDED, 0, 3)
    assert await studio.active("clothed") == 1
    assert await studio.states() == [State.FRESH] * 2


async def test_the_receipt_names_the_previous_take_and_the_worker(studio: Studio) -> None:
    first, *_ = await studio.shoot("A", 1)
    await _new_clothes(studio)
    await studio.run(await studio.plan(), name="atelier")
    old, new = await studio.documents(first)
    assert new["regenerates"]["receipt"] == old["digest"]
    (cause,) = new["regenerates"]["causes"]
    assert (cause["kind"], cause["asset"], cause["used"], cause["expected"]) == ("superseded", "clothed", 1, 2)
    assert new["observed"]["worker"] == "atelier"
    assert new["recorder"]["name"] == "genlock-worker"
    assert new["evidence"] == "recorded"
    assert new["missing"] == []
    assert "regenerates" not in old


async def test_plans_and_steps_have_events(studio: Studio) -> None:
    await studio.shoot("A", 1)
    async with studio.db.transaction() as conn:
        verbs = [event.verb for event in await events_sql.after(conn, 0, limit=500)]
    start = verbs.index("plan.created")
    assert [verb for verb in verbs[start:] if verb.startswith(("plan.", "step.", "take."))] == [
        "plan.created",
        "plan.started",
        "take.recorded",
        "step.succeeded",
        "plan.finished",
    ]
    async with studio.db.transaction() as conn:
        (worker,) = await worker_sql.list_workers(conn)
    assert (worker.engines, worker.alive) == (("sketch",), False)
    assert worker.stopped_at is not None


async def test_a_step_without_a_worker_has_a_reason(studio: Studio) -> None:
    """As long as no live worker can reach its engine; its dependents wait for the step, without a reason."""
    segments = await studio.shoot("A", 2)
    plan = await studio.start(await studio.plan(segments=segments, force=True))

    async def why() -> list[str | None]:
        async with studio.db.transaction() as conn:
            return [step.why for step in (await plan_sql.steps_of(conn, plan.id)).items]

    async def beat(worker_id: int, *engines: str) -> None:
        async with studio.db.transaction() as conn:
            await worker_sql.heartbeat(conn, worker_id, engines)

    reason = "No worker that runs can reach the engine sketch."
    assert await why() == [reason, None]
    async with studio.db.transaction() as conn:
        worker_id = await worker_sql.enter(conn, "one", ("comfyui",))
    assert await why() == [reason, None]
    await beat(worker_id, "comfyui", "sketch")
    assert await why() == [None, None]
    await beat(worker_id, "comfyui")
    assert await why() == [reason, None], "its engine went away"
    await beat(worker_id, "sketch")
    async with studio.db.transaction() as conn:
        await worker_sql.leave(conn, worker_id)
    assert await why() == [reason, None]


async def test_a_plan_in_an_archived_project_is_refused(studio: Studio) -> None:
    await studio.shoot("A", 1)
    await studio.archive_project()
    new = NewPlan(project_id=studio.project_id, selection=Selection(all=True))
    with pytest.raises(Conflict, match="archived"):
        async with studio.db.transaction() as conn:
            await actions.create(conn, new, studio.actor)
