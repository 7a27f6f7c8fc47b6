"""Invalid claims: each is refused with a message that names the problem, and nothing is recorded."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.takes.stage import Stage, arriving, claim, digest_for, set_the_stage, whole

from genlock.db.connection import Database
from genlock.errors import Invalid
from genlock.takes import receipt_sql
from genlock.takes.claim import Claim

ENGINE = {"name": "sketch"}
LORA = {"role": "lora", "asset": "lora:rain", "version": 1}


@pytest.mark.parametrize(
    ("document", "about"),
    [
        ({}, "engine"),
        ({"engine": {}}, "engine.name"),
        ({"engine": {"name": ""}}, "engine.name"),
        ({"engine": ENGINE, "unheard_of": 1}, "unheard_of"),
        ({"engine": {**ENGINE, "flavour": 1}}, "engine.flavour"),
        ({"engine": ENGINE, "inputs": [{"role": "sound"}]}, "inputs.0.role"),
        ({"engine": ENGINE, "inputs": [{**LORA, "strength": 1}]}, "inputs.0.strength"),
        ({"engine": ENGINE, "inputs": [{**LORA, "strength_model": float("nan")}]}, "inputs.0.strength_model"),
        ({"engine": ENGINE, "inputs": [{**LORA, "strength_model": float("inf")}]}, "inputs.0.strength_model"),
        ({"engine": ENGINE, "inputs": [{**LORA, "strength_clip": float("-inf")}]}, "inputs.0.strength_clip"),
        ({"engine": ENGINE, "inputs": [{**LORA, "ordinal": -1}]}, "inputs.0.ordinal"),
        ({"engine": ENGINE, "inputs": [{**LORA, "ordinal": 1000}]}, "inputs.0.ordinal"),
        ({"engine": ENGINE, "inputs": [{**LORA, "version": 0}]}, "inputs.0.version"),
        ({"engine": ENGINE, "inputs": [{"role": "lora", "digest": "abc"}]}, "inputs.0.digest"),
        ({"engine": ENGINE, "inputs": [{"role": "lora", "digest": "sha256:" + "A" * 64}]}, "inputs.0.digest"),
        ({"engine": ENGINE, "inputs": [{"role": "seed_frame", "take": 1, "part": "../x"}]}, "inputs.0.part"),
        ({"engine": ENGINE, "parameters": {"seed": -1}}, "parameters.seed"),
        ({"engine": ENGINE, "parameters": {"seed": 42}}, "parameters.seed"),
        ({"engine": ENGINE, "parameters": {"seed": "-1"}}, "parameters.seed"),
        ({"engine": ENGINE, "parameters": {"seed": "1e3"}}, "parameters.seed"),
        ({"engine": ENGINE, "parameters": {"seed": "007"}}, "parameters.seed"),
        ({"engine": ENGINE, "parameters": {"seed": ""}}, "parameters.seed"),
        ({"engine": ENGINE, "parameters": {"seed": "٣"}}, "parameters.seed"),
        ({"engine": ENGINE, "parameters": {"seed": str(2**64)}}, "parameters.seed"),
        ({"engine": ENGINE, "parameters": {"cfg": float("nan")}}, "parameters.cfg"),
        ({"engine": ENGINE, "parameters": {"width": 0}}, "parameters.width"),
        ({"engine": ENGINE, "parameters": {"loop": [1]}}, "parameters"),
        ({"engine": ENGINE, "parameters": {"loop": {"a": 1}}}, "parameters"),
        ({"engine": ENGINE, "parameters": {"drift": float("inf")}}, "parameters"),
        ({"engine": {**ENGINE, "environment": {"flags": [{"drift": float("nan")}]}}}, "engine.environment"),
        ({"engine": ENGINE, "graph": {"1": {"inputs": {"cfg": float("inf")}}}}, "graph"),
        ({"engine": ENGINE, "outputs": {"video": "not a digest"}}, "outputs.video"),
        ({"engine": ENGINE, "outputs": {"Video!": digest_for("v")}}, "outputs.Video!"),
        ({"engine": ENGINE, "observed": {"duration_s": -1}}, "observed.duration_s"),
        ({"engine": ENGINE, "evidence": "certain"}, "evidence"),
        ({"engine": ENGINE, "inputs": [LORA] * 1001}, "inputs"),
    ],
)
def test_an_impossible_claim_is_refused(document: dict[str, Any], about: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Claim.model_validate(document)
    places = {".".join(str(part) for part in error["loc"]) for error in refused.value.errors()}
    assert any(place == about or place.startswith(f"{about}.") for place in places), places
    assert "\n" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([{**LORA, "ordinal": 0}, {**LORA, "ordinal": 0}], "role lora and the ordinal 0"),
        ([{"role": "lora", "asset": "lora:nobody", "version": 1}], "lora:nobody"),
        ([{"role": "lora", "asset": 10**9, "version": 1}], "1000000000"),
        ([{"role": "lora", "asset": "rain", "version": 1}], "'rain'"),
        ([{**LORA, "version": 9}], "lora:rain has no version 9"),
        ([{**LORA, "digest": digest_for("something else")}], "has the digest"),
        ([{"role": "seed_frame", "asset": "lora:rain"}], "names a take"),
        ([{"role": "seed_frame", "take": 10**9}], "1000000000"),
        ([{"role": "seed_frame"}], "neither a take nor a digest"),
    ],
)
async def test_a_claim_that_cannot_be_resolved_is_refused(
    stage: Stage, inputs: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        async with stage.conn.transaction():
            await stage.record(stage.segments[0], claim(*inputs))
    assert await stage.ask("SELECT count(*) FROM takes") == 0


async def test_a_frame_that_the_take_does_not_have_is_refused(stage: Stage) -> None:
    recorded = await stage.record(stage.segments[0], whole(), {"video": "v"})
    with pytest.raises(Invalid, match="no part 'last_frame'"):
        await stage.record(stage.segments[1], whole({"role": "seed_frame", "take": recorded.take_id}))


def test_a_value_without_canonical_form_is_refused() -> None:
    recording = arriving(1, claim(engine={"name": "sketch", "environment": {"number": 2**53 + 1}}))
    with pytest.raises(Invalid, match="canonical JSON"):
        _ = recording.claim_digest


async def test_a_text_that_the_database_cannot_store_is_refused(db: Database) -> None:
    async with db.transaction() as conn:
        stage = await set_the_stage(conn)
    with pytest.raises(Invalid, match="cannot store this value"):
        async with db.transaction() as conn:
            await Stage(conn).record(stage.segments[0], whole(parameters={"prompt": "rain\0"}))
    async with db.transaction() as conn:
        assert await Stage(conn).ask("SELECT count(*) FROM takes") == 0
        recorded = await Stage(conn).record(stage.segments[0], whole(parameters={"sampler": "\0"}))
        assert b'"sampler":"\\u0000"' in await receipt_sql.document_of(conn, recorded.receipt_id)


numbers = st.integers(0, 2**64 + 10).map(str) | st.text("0123456789-+eE. ", max_size=22)


@given(numbers)
def test_a_seed_must_be_a_decimal_number_of_64_bits(seed: str) -> None:
    fits = seed.isdecimal() and str(int(seed)) == seed and int(seed) < 2**64
    try:
        parsed = Claim.model_validate_json(json.dumps({"engine": ENGINE, "parameters": {"seed": seed}}))
    except ValidationError:
        assert not fits
    else:
        assert fits and parsed.parameters.seed == seed
