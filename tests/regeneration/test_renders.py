"""Renders requested directly: their inputs, their refusals, and the content of their receipts."""

import pytest
from pydantic import ValidationError
from tests.regeneration.studio import Studio

from genlock.errors import Conflict, GenlockError, Invalid, NotFound
from genlock.model import MAX_SEED, InputRole, Kind
from genlock.regeneration import render
from genlock.regeneration.model import NewRender, PlanState, RenderInput
from genlock.takes.claim import Parameters


async def _refused(studio: Studio, new: NewRender) -> GenlockError:
    segment = (await studio.scene("R", 1))[0] if "R" not in studio.segments else studio.segments["R"][0]
    with pytest.raises(GenlockError) as refusal:
        async with studio.db.transaction() as conn:
            await render.render_segment(conn, segment, new, studio.actor)
    async with studio.db.transaction() as conn:
        cursor = await conn.execute("SELECT count(*) FROM plans WHERE selection -> 'render' ? 'segment'")
        assert await cursor.fetchone() == (0,)  # it left no row
    return refusal.value


def _with(new: NewRender, line: RenderInput) -> NewRender:
    return new.model_copy(update={"inputs": (*new.inputs, line)})


async def test_a_chain_records_the_inputs_of_each_segment(studio: Studio) -> None:
    first, second, *_ = await studio.shoot("A", 3)
    (opening,) = await studio.documents(first)
    (following,) = await studio.documents(second)
    roles = {line["role"]: line.get("via") for line in opening["inputs"]}
    assert roles == {"workflow": None, "model": None, "lora": None, "variant": None, "source_image": "variant"}
    roles = {line["role"]: line.get("via") for line in following["inputs"]}
    assert roles == {
        "workflow": None,
        "model": None,
        "lora": None,
        "seed_frame": None,
        "variant": "seed_frame",
        "source_image": "seed_frame",
    }
    frame = next(line for line in following["inputs"] if line["role"] == "seed_frame")
    assert frame["digest"] == opening["outputs"]["last_frame"]["digest"]
    assert set(opening["outputs"]) == {"video", "frames", "last_frame", "thumbnail"}
    assert opening["parameters"]["seed"] == str(MAX_SEED)
    assert opening["missing"] == []


async def test_a_version_made_by_an_engine_has_its_receipt_and_its_sources(engine_studio: Studio) -> None:
    studio = engine_studio
    async with studio.db.transaction() as conn:
        cursor = await conn.execute(
            """
            SELECT array_agg(a.name ORDER BY a.name), count(DISTINCT r.id)
              FROM receipts r
              JOIN derivation_sources s ON s.derivation_id = r.derivation_id
              JOIN assets a ON a.id = s.asset_id
             WHERE r.asset_id = %s AND r.version = 1 AND cardinality(r.missing) = 0
            """,
            (studio.assets["clothed"],),
        )
        assert await cursor.fetchone() == (["dress", "portrait", "tiny"], 1)


async def test_a_segment_cannot_continue_one_without_a_take(studio: Studio) -> None:
    _, second = await studio.scene("A", 2)
    with pytest.raises(Conflict, match="has no take yet"):
        async with studio.db.transaction() as conn:
            await render.render_segment(conn, second, studio.request(), studio.actor)


async def test_a_pin_decides_the_version_and_an_explicit_version_wins(studio: Studio) -> None:
    await studio.upload(Kind.LORA, "rain", "rain_v2.safetensors")
    await studio.scene("A", 1)
    await studio.pin("rain", 1, scene="A")
    async with studio.db.transaction() as conn:
        await render.render_scene(conn, studio.scenes["A"], studio.request(), studio.actor)
    await studio.work()
    new = studio.request()
    explicit = tuple(
        line.model_copy(update={"version": 2}) if line.role is InputRole.LORA else line for line in new.inputs
    )
    async with studio.db.transaction() as conn:
        await render.render_scene(conn, studio.scenes["A"], new.model_copy(update={"inputs": explicit}), studio.actor)
    await studio.work()
    documents = await studio.documents(studio.segments["A"][0])
    used = [next(line for line in document["inputs"] if line["role"] == "lora")["version"] for document in documents]
    assert used == [1, 2]


async def test_the_same_request_is_rendered_again(studio: Studio) -> None:
    (segment,) = await studio.shoot("A", 1)
    async with studio.db.transaction() as conn:
        plan = await render.render_segment(conn, segment, studio.request(), studio.actor)
    assert plan.state is PlanState.RUNNING
    await studio.work()
    assert (await studio.read(plan)).totals.rendered == 1
    assert await studio.takes(segment) == (2, 2)


async def test_an_invalid_request_is_refused_and_leaves_nothing(studio: Studio) -> None:
    new, lora = studio.request(), studio.assets["rain"]
    refusals = {
        "no_such_engine": new.model_copy(update={"engine": "nowhere"}),
        "unknown_asset": _with(new, RenderInput(role=InputRole.LORA, asset_id=999_999)),
        "unknown_version": _with(new, RenderInput(role=InputRole.LORA, asset_id=lora, version=9)),
        "wrong_role": _with(new, RenderInput(role=InputRole.MODEL, asset_id=lora)),
        "unknown_role": _with(new, RenderInput(role=InputRole.VAE, asset_id=lora)),
        "seed_frame_given": _with(new, RenderInput(role=InputRole.SEED_FRAME, asset_id=lora)),
        "unknown_parameter": new.model_copy(update={"parameters": Parameters.model_validate({"glow": 1})}),
        "duplicate_ordinal": new.model_copy(
            update={
                "inputs": new.inputs
                + tuple(
                    RenderInput(role=InputRole.LORA, asset_id=lora, ordinal=0, strength_model=strength)
                    for strength in (0.1, 0.2)
                )
            }
        ),
        "one_workflow": new.model_copy(
            update={"inputs": tuple(line for line in new.inputs if line.role is not InputRole.WORKFLOW)}
        ),
    }
    for code, refused in refusals.items():
        error = await _refused(studio, refused)
        assert isinstance(error, Invalid), (code, error)
        assert error.code == code
        assert error.hint


async def test_archived_assets_and_missing_bytes_are_refused(studio: Studio) -> None:
    await studio.archive_asset("rain")
    error = await _refused(studio, studio.request())
    assert isinstance(error, Conflict)
    assert "archived" in error.message
    await studio.archive_asset("rain", archived=False)
    await studio.mark_gone("rain", 1)
    assert (await _refused(studio, studio.request())).code == "bytes_gone"


async def test_only_pictures_are_rendered_as_versions(studio: Studio) -> None:
    with pytest.raises(Invalid, match="engines make pictures"):
        async with studio.db.transaction() as conn:
            await render.render_asset(conn, studio.assets["rain"], studio.request(), studio.actor)
    with pytest.raises(NotFound):
        async with studio.db.transaction() as conn:
            await render.render_asset(conn, 999_999, studio.request(), studio.actor)


@pytest.mark.parametrize("seed", ["-1", str(MAX_SEED + 1), "1e3", "", "01", 42, 1.5])
def test_seeds_are_strings_of_64_bits(seed: object) -> None:
    with pytest.raises(ValidationError):
        Parameters.model_validate({"seed": seed})


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -float("inf")])
def test_strengths_are_finite(strength: float) -> None:
    with pytest.raises(ValidationError):
        RenderInput(role=InputRole.LORA, asset_id=1, strength_model=strength)
