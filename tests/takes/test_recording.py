"""The content of a receipt: its fields, its sources, what it lacks, and its evidence."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from tests.takes.stage import ADA, PARAMETERS, VARIANT, WHOLE, Stage, arriving, claim, digest_for, whole

from genlock.db.connection import rows
from genlock.errors import Conflict, Invalid, NotFound
from genlock.library.model import VersionRef
from genlock.model import Kind
from genlock.takes import editing, receipt_sql, take_sql
from genlock.takes.claim import Evidence, Output, Regenerates
from genlock.takes.parts import Parts
from genlock.takes.record import record_takes, record_version


async def test_a_receipt_contains_inputs_and_outputs(stage: Stage) -> None:
    recorded = await stage.record(
        stage.segments[0],
        whole(
            graph=digest_for("graph"),
            observed={"started_at": "2026-01-01T10:00:00Z", "duration_s": 2.5, "per_node_s": {"1": 2.0}},
            recorder={"name": "test", "version": "3"},
            note="the first try",
        ),
        {"video": "v", "last_frame": "f"},
    )
    receipt = await stage.receipt(recorded)
    assert (receipt.segment_id, receipt.take_id, receipt.project_id) == (
        stage.segments[0],
        recorded.take_id,
        stage.project,
    )
    assert (receipt.evidence, receipt.missing, receipt.recorded_by) == (Evidence.RECORDED, (), "ada")
    document = receipt.document
    assert document["schema"] == "genlock.receipt/1"
    assert document["subject"] == {"segment": stage.segments[0], "take": 1}
    assert document["parameters"] == {**PARAMETERS, "resolution_tier": "480p"}
    assert document["engine"] == {"name": "sketch", "version": "1"}
    assert document["outputs"]["video"] == {"digest": digest_for("v"), "size_bytes": 1}
    assert document["observed"] == {"started_at": "2026-01-01T10:00:00Z", "duration_s": 2.5, "per_node_s": {"1": 2}}
    assert document["recorder"] == {"name": "test", "version": "3"}
    assert (document["evidence"], document["missing"], document["note"]) == ("recorded", [], "the first try")
    assert {"graph", "regenerates"} & set(document) == set()  # the graph's bytes were not declared as stored
    rain = (await stage.lines(recorded))["lora", 0]
    assert rain == {
        "role": "lora",
        "ordinal": 0,
        "kind": "lora",
        "asset": stage.assets["rain"],
        "name": "rain",
        "version": 1,
        "digest": digest_for("rain 1"),
        "effective_digest": digest_for("rain 1"),
        "strength_model": 0.8,
        "strength_clip": 0.5,
    }


async def test_the_document_is_stored_as_the_digested_bytes(stage: Stage) -> None:
    recorded = await stage.record(stage.segments[0], whole(parameters={"prompt": "größer “😀” \u2028"}))
    document = await receipt_sql.document_of(stage.conn, recorded.receipt_id)
    assert digest_for(document.decode()) == recorded.receipt_digest
    assert b": " not in document and "größer “😀” \u2028".encode() in document


async def test_takes_are_numbered_listed_and_selected(stage: Stage) -> None:
    segment, other_segment = stage.segments[:2]
    first = await stage.record(segment, whole(), {"video": "1", "last_frame": "1"})
    second = await stage.record(segment, whole(), {"video": "2", "last_frame": "2"})
    third = await stage.record(segment, whole(), {"video": "3", "last_frame": "3"}, select=False)
    other = await stage.record(other_segment, whole())
    assert [take.take for take in (first, second, third, other)] == [1, 2, 3, 1]
    page = await take_sql.takes_of(stage.conn, segment, limit=2)
    assert (page.total, [(take.number, take.selected) for take in page.items]) == (3, [(3, False), (2, True)])
    rest = await take_sql.takes_of(stage.conn, segment, after=page.next, limit=2)
    assert ([take.number for take in rest.items], rest.next) == ([1], None)
    assert rest.items[0].outputs == {"video": digest_for("1"), "last_frame": digest_for("1")}
    assert (await take_sql.get_take_by_id(stage.conn, second.take_id)).number == 2
    assert (await take_sql.selected_takes_of(stage.conn, [segment, other_segment]))[segment].id == second.take_id
    with pytest.raises(NotFound):
        await take_sql.get_take(stage.conn, segment, 4)


async def test_only_if_keeps_a_selection_made_in_the_meantime(stage: Stage) -> None:
    segment = stage.segments[0]
    first = await stage.record(segment, whole(), {"video": "1"})
    second = await stage.record(segment, whole(), {"video": "2"})
    await stage.record(segment, whole(), {"video": "3"}, only_if={segment: first.take_id})
    assert (await take_sql.selected_takes_of(stage.conn, [segment]))[segment].id == second.take_id
    latest = await stage.record(segment, whole(), {"video": "4"}, only_if={segment: second.take_id})
    assert (await take_sql.selected_takes_of(stage.conn, [segment]))[segment].id == latest.take_id


# via ---------------------------------------------------------------------------------------------


async def test_a_variant_adds_the_source_image_it_was_made_from(stage: Stage) -> None:
    recorded = await stage.record(stage.segments[0], whole())
    line = (await stage.lines(recorded))["source_image", 0]
    assert (line["asset"], line["version"], line["via"]) == (stage.assets["portrait"], 1, "variant")


async def test_an_edit_of_a_variant_leaves_the_source_image_to_its_derivation(stage: Stage) -> None:
    await stage.version("clothed", "clothed 2", made_from=[("clothed", 1)])
    recorded = await stage.record(stage.segments[0], whole({**VARIANT, "version": 2}))
    assert {role for role, _ in await stage.lines(recorded)} == {"workflow", "model", "lora", "variant"}


async def test_the_newest_derivation_of_an_equal_version_counts(stage: Stage) -> None:
    await stage.version("portrait", "portrait 2")
    await stage.version("clothed", "clothed 2", equal_to="clothed 1", made_from=[("portrait", 2)])
    recorded = await stage.record(stage.segments[0], whole())
    assert (await stage.lines(recorded))["source_image", 0]["version"] == 2


async def test_several_sources_are_all_recorded(stage: Stage) -> None:
    await stage.version("portrait", "portrait 2")
    await stage.version("clothed", "clothed 2", made_from=[("portrait", 1), ("portrait", 2)])
    recorded = await stage.record(stage.segments[0], whole({**VARIANT, "version": 2}))
    lines = await stage.lines(recorded)
    assert [lines["source_image", ordinal]["version"] for ordinal in (0, 1)] == [1, 2]


async def test_an_input_that_the_claim_names_is_not_repeated(stage: Stage) -> None:
    portrait = {"role": "source_image", "asset": "source_image:portrait", "version": 1}
    recorded = await stage.record(stage.segments[0], whole(VARIANT, portrait))
    images = [line for (role, _), line in (await stage.lines(recorded)).items() if role == "source_image"]
    assert [line.get("via") for line in images] == [None]


async def test_a_chain_records_its_start_image(stage: Stage) -> None:
    before = await stage.record(stage.segments[0], whole())
    for segment in stage.segments[1:]:
        recorded = await stage.record(segment, whole({"role": "seed_frame", "take": before.take_id}))
        lines = await stage.lines(recorded)
        assert lines["seed_frame", 0]["take"] == before.take_id
        assert lines["seed_frame", 0]["digest"] == digest_for(f"frame of {before.segment_id}")
        assert (lines["variant", 0]["via"], lines["variant", 0]["asset"]) == ("seed_frame", stage.assets["clothed"])
        assert (lines["source_image", 0]["via"], lines["source_image", 0]["version"]) == ("seed_frame", 1)
        before = recorded


async def test_a_frame_named_by_digest_is_that_of_the_previous_segment(stage: Stage) -> None:
    _, elsewhere = await stage.another_scene("day", 2)
    before = await stage.record(stage.segments[0], whole(), {"video": "v", "last_frame": "the same picture"})
    await stage.record(elsewhere[0], whole(), {"video": "w", "last_frame": "the same picture"})
    frame = {"role": "seed_frame", "digest": digest_for("the same picture")}
    recorded = await stage.record(stage.segments[1], whole(frame))
    assert (await stage.lines(recorded))["seed_frame", 0]["take"] == before.take_id
    assert (
        await stage.ask("SELECT via_judged FROM selected_takes WHERE segment_id = %(id)s", id=stage.segments[1])
        is False
    )


async def test_a_frame_of_no_take_is_recorded_by_its_digest(stage: Stage) -> None:
    recorded = await stage.record(
        stage.segments[0], whole({"role": "seed_frame", "digest": digest_for("from nowhere")})
    )
    line = (await stage.lines(recorded))["seed_frame", 0]
    assert line == {"role": "seed_frame", "ordinal": 0, "digest": digest_for("from nowhere"), "part": "last_frame"}


async def test_a_batch_may_hold_a_chain(stage: Stage) -> None:
    claims = [(stage.segments[0], whole(), None)]
    for before, segment in pairwise(stage.segments):
        frame = {"role": "seed_frame", "digest": digest_for(f"frame of {before}")}
        claims.append((segment, whole(frame), None))
    recorded = await stage.record_all(claims)
    for before, after in pairwise(recorded):
        lines = await stage.lines(after)
        assert lines["seed_frame", 0]["take"] == before.take_id
        assert lines["variant", 0]["via"] == "seed_frame"


# completeness ----------------------------------------------------------------------------------


async def test_a_bare_digest_finds_the_version_of_its_role(stage: Stage) -> None:
    own = await stage.asset(Kind.LORA, "rain", stage.project)
    stage.assets["own rain"] = own
    await stage.version("own rain", "rain 1")
    recorded = await stage.record(stage.segments[0], claim({"role": "lora", "digest": digest_for("rain 1")}))
    line = (await stage.lines(recorded))["lora", 0]
    assert (line["asset"], line["version"]) == (own, 1)  # the project's own asset goes first


async def test_a_reference_means_the_projects_own_asset_first(stage: Stage) -> None:
    own = await stage.asset(Kind.LORA, "rain", stage.project)
    stage.assets["own rain"] = own
    await stage.version("own rain", "own rain 1")
    recorded = await stage.record(stage.segments[0], claim({"role": "lora", "asset": "lora:rain", "version": 1}))
    assert (await stage.lines(recorded))["lora", 0]["asset"] == own


async def test_an_unknown_digest_is_recorded_and_matches_once_it_is_registered(stage: Stage) -> None:
    edited = {"role": "lora", "asset": "lora:rain", "digest": digest_for("rain 2"), "strength_model": 1}
    recorded = await stage.record(stage.segments[0], whole(VARIANT, edited))
    line = (await stage.lines(recorded))["lora", 1]
    assert "version" not in line and "effective_digest" not in line
    receipt = await stage.receipt(recorded)
    assert receipt.evidence is Evidence.RECORDED and receipt.missing == ()
    before = await rows(stage.conn, "SELECT r::text AS r, xmin::text FROM receipts r")
    await stage.version("rain", "rain 2")
    matched = await stage.ask(
        """
        SELECT c.version FROM receipt_inputs i JOIN contents c ON c.id = i.content_id
         WHERE i.receipt_id = %(id)s AND i.role = 'lora' AND i.ordinal = 1
        """,
        id=recorded.receipt_id,
    )
    assert matched == 2
    assert await rows(stage.conn, "SELECT r::text AS r, xmin::text FROM receipts r") == before


@pytest.mark.parametrize(
    ("inputs", "declared", "expected"),
    [
        ([VARIANT], None, Evidence.RECORDED),
        ([{"role": "lora", "digest": digest_for("rain 1"), "strength_model": 1}], None, Evidence.RECORDED),
        ([{"role": "lora", "digest": digest_for("never seen"), "strength_model": 1}], None, Evidence.RECORDED),
        ([{"role": "lora", "asset": "lora:rain", "strength_model": 1}], None, Evidence.MATCHED_BY_NAME),
        ([{"role": "lora", "name": "rain", "strength_model": 1}], None, Evidence.MATCHED_BY_NAME),
        ([{"role": "lora", "name": "unheard of", "strength_model": 1}], None, Evidence.DECLARED),
        ([VARIANT], "matched_by_digest", Evidence.MATCHED_BY_DIGEST),
        ([VARIANT], "declared", Evidence.DECLARED),
        ([{"role": "lora", "name": "rain", "strength_model": 1}], "recorded", Evidence.MATCHED_BY_NAME),
        ([{"role": "lora", "name": "rain", "strength_model": 1}], "declared", Evidence.DECLARED),
    ],
)
async def test_the_weakest_input_decides_the_evidence_and_a_claim_may_declare_less(
    stage: Stage, inputs: list[dict[str, object]], declared: str | None, expected: Evidence
) -> None:
    rest: dict[str, Any] = {"evidence": declared} if declared else {}
    recorded = await stage.record(stage.segments[0], claim(*WHOLE, *inputs, **rest))
    assert (await stage.receipt(recorded)).evidence is expected


@pytest.mark.parametrize(
    ("leave_out", "lacks"),
    [
        ("seed", ("seed",)),
        ("prompt", ("prompt",)),
        ("cfg", ("cfg",)),
        ("steps", ("steps",)),
        ("sampler", ("sampler",)),
        ("negative_prompt", ("negative_prompt",)),
        ("frames", ("frames",)),
        ("width", ("width", "resolution_tier")),
    ],
)
async def test_missing_values_are_listed(stage: Stage, leave_out: str, lacks: tuple[str, ...]) -> None:
    recorded = await stage.record(stage.segments[0], whole(parameters={leave_out: None}))
    assert (await stage.receipt(recorded)).missing == lacks


async def test_an_empty_claim_lacks_everything(stage: Stage) -> None:
    recorded = await stage.record(
        stage.segments[0],
        claim({"role": "lora", "name": "unheard of"}, parameters=dict.fromkeys(PARAMETERS), engine={"name": "sketch"}),
        {},
    )
    assert (await stage.receipt(recorded)).missing == (
        "workflow",
        "model",
        "source_image",
        "lora[0].digest",
        "lora[0].strength_model",
        "prompt",
        "seed",
        "cfg",
        "width",
        "height",
        "resolution_tier",
        "frames",
        "negative_prompt",
        "steps",
        "sampler",
        "engine.version",
        "video",
    )


@pytest.mark.parametrize(
    ("width", "height", "tier"),
    [(832, 480, "480p"), (1280, 720, "720p"), (720, 1280, "720p"), (1920, 1080, "1080p"), (192, 192, "below 240p")],
)
async def test_the_resolution_tier_follows_the_size(stage: Stage, width: int, height: int, tier: str) -> None:
    recorded = await stage.record(stage.segments[0], whole(parameters={"width": width, "height": height}))
    receipt = await stage.receipt(recorded)
    assert receipt.document["parameters"]["resolution_tier"] == tier
    named = await stage.record(
        stage.segments[1], whole(parameters={"width": width, "height": height, "resolution_tier": "mine"})
    )
    other = await stage.receipt(named)
    assert other.document["parameters"]["resolution_tier"] == "mine"
    assert other.inputs_digest == receipt.inputs_digest  # a label does not change the inputs


@pytest.mark.parametrize("seed", ["0", "1", str(2**53 + 1), str(2**63), str(2**64 - 1)])
async def test_seeds_are_exact(stage: Stage, seed: str) -> None:
    recorded = await stage.record(stage.segments[0], whole(parameters={"seed": seed}))
    assert (await stage.receipt(recorded)).document["parameters"]["seed"] == seed
    assert await stage.ask("SELECT seed::text FROM receipts WHERE id = %(id)s", id=recorded.receipt_id) == seed


async def test_the_same_lora_twice_is_two_inputs(stage: Stage) -> None:
    recorded = await stage.record(stage.segments[0], whole(VARIANT, {**WHOLE[2], "strength_model": 0.3}))
    lines = await stage.lines(recorded)
    assert [lines["lora", ordinal]["strength_model"] for ordinal in (0, 1)] == [0.8, 0.3]


async def test_given_ordinals_are_used_and_free_ones_filled(stage: Stage) -> None:
    rain, fog = (
        {"role": "lora", "asset": f"lora:{name}", "version": 1, "strength_model": 1} for name in ("rain", "fog")
    )
    recorded = await stage.record(stage.segments[0], claim({**rain, "ordinal": 1}, fog, {**rain, "ordinal": 7}, fog))
    lines = await stage.lines(recorded)
    assert {ordinal: line["name"] for (role, ordinal), line in lines.items() if role == "lora"} == {
        0: "fog",
        1: "rain",
        2: "fog",
        7: "rain",
    }


async def test_a_take_names_the_receipt_that_it_regenerates(stage: Stage) -> None:
    old = await stage.record(stage.segments[0], whole(), {"video": "1"})
    redo = Regenerates(receipt=old.receipt_digest, causes=({"kind": "superseded"},))
    new = await stage.record(stage.segments[0], whole(regenerates=redo.model_dump(mode="json")), {"video": "2"})
    assert (await stage.receipt(new)).document["regenerates"] == {
        "receipt": old.receipt_digest,
        "causes": [{"kind": "superseded"}],
    }


async def test_a_generated_version_has_a_receipt(stage: Stage) -> None:
    version = await stage.version("clothed", "clothed 2", made_from=[("portrait", 1)])
    generated = VersionRef(asset_id=version.asset_id, number=version.number)
    portrait = {"role": "source_image", "asset": "source_image:portrait", "version": 1}
    receipt_id = await record_version(
        stage.conn,
        generated,
        version.derivations[-1].id,
        claim(*WHOLE, portrait, parameters={"frames": None}),
        Parts({"image": Output(digest=version.digest, size_bytes=9)}),
        None,
        ADA,
        stage.project,
    )
    receipt = await receipt_sql.get_receipt(stage.conn, receipt_id)
    assert (receipt.asset_id, receipt.version, receipt.take_id, receipt.missing) == (version.asset_id, 2, None, ())
    assert receipt.document["subject"] == {"asset": version.asset_id, "version": 2}
    receipt_of_version = await receipt_sql.receipt_of_version(stage.conn, version.asset_id, 2)
    assert receipt_of_version == receipt
    assert await stage.ask("SELECT count(*) FROM usage_deltas") == 0  # takes are counted, not versions


# refusals --------------------------------------------------------------------------------


async def test_the_same_step_is_recorded_once(stage: Stage) -> None:
    first, second = (arriving(stage.segments[0], whole(), {"video": content}) for content in "12")
    await record_takes(stage.conn, [replace(first, step_id=7)], ADA)
    again = replace(second, step_id=7)
    with pytest.raises(Exception, match="receipts_step_once"):
        async with stage.conn.transaction():
            await record_takes(stage.conn, [again], ADA)


async def test_nothing_is_recorded_into_archived_segments(stage: Stage) -> None:
    await editing.archive_segment(stage.conn, stage.segments[0], ADA)
    with pytest.raises(Conflict, match="archived"):
        await stage.record(stage.segments[0], whole())
    await editing.archive_scene(stage.conn, stage.scene, ADA)
    with pytest.raises(Conflict, match="archived"):
        await stage.record(stage.segments[1], whole())


async def test_unknown_segments_and_mixed_projects_are_refused(stage: Stage) -> None:
    with pytest.raises(NotFound, match="no segment 999"):
        await stage.record(999, whole())
    _, elsewhere = await stage.another_scene("day", 1, await stage.another_project("other"))
    with pytest.raises(Invalid, match="one project"):
        await stage.record_all([(stage.segments[0], whole(), None), (elsewhere[0], whole(), None)])
    assert await record_takes(stage.conn, [], ADA) == ()


async def test_a_batch_is_recorded_completely_or_not_at_all(stage: Stage) -> None:
    unknown = claim({"role": "lora", "asset": "lora:nobody", "version": 1})
    with pytest.raises(Invalid, match="lora:nobody"):
        async with stage.conn.transaction():
            await stage.record_all([(stage.segments[0], whole(), None), (stage.segments[1], unknown, None)])
    assert await stage.ask("SELECT count(*) FROM takes") == 0
    assert await stage.ask("SELECT count(*) FROM take_counters") == 0
