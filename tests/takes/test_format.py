"""The receipt format as a public contract: schema and vectors, checked with only SHA-256 and RFC 8785."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.takes import vectors
from tests.takes.stage import VARIANT, WHOLE, Stage, arriving, claim, digest_for, whole

from genlock.digest import canonical
from genlock.errors import Invalid
from genlock.takes import receipt_sql

SCHEMA = vectors.FILE.with_name("receipt-v1.schema.json")


@cache
def schema() -> Any:
    """Return the validator of the documented schema."""
    document = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document, format_checker=Draft202012Validator.FORMAT_CHECKER)


def read() -> list[Mapping[str, Any]]:
    """Return the vectors as another program reads them."""
    return json.loads(vectors.FILE.read_text())["vectors"]


def sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("vector", read(), ids=lambda vector: vector["name"])
def test_every_vector_can_be_checked_from_scratch(vector: Mapping[str, Any]) -> None:
    for what, digest in (("claim", "claim_digest"), ("document", "receipt_digest"), ("inputs", "inputs_digest")):
        assert rfc8785.dumps(vector[what]).decode() == vector[f"{what}_canonical"]
        assert sha256(vector[f"{what}_canonical"]) == vector[digest]
    assert vector["inputs"] == vectors.digested_inputs(vector["document"])
    schema().validate(vector["document"])


def test_the_vectors_file_is_up_to_date() -> None:
    assert vectors.FILE.read_text() == vectors.written()
    assert len(read()) >= 8


def test_only_equal_requests_have_equal_inputs_digests() -> None:
    by_name = {vector["name"]: vector for vector in read()}
    digests = [vector["inputs_digest"] for vector in by_name.values()]
    same = [
        by_name[name]["inputs_digest"] for name in ("a first segment", "an equivalent version", "everything around it")
    ]
    assert len(set(same)) == 1
    assert len(set(digests)) == len(digests) - len(same) + 1


async def test_real_receipts_match_the_schema(stage: Stage) -> None:
    recorded = [
        await stage.record(stage.segments[0], whole()),
        await stage.record(stage.segments[0], claim(parameters=dict.fromkeys(("prompt", "seed", "cfg")))),
    ]
    frame = {"role": "seed_frame", "take": recorded[0].take_id}
    edited = {"role": "lora", "asset": "lora:rain", "digest": digest_for("edited"), "strength_model": 1}
    recorded += [
        await stage.record(stage.segments[1], whole(frame, edited, parameters={"seed": str(2**64 - 1), "loop": False})),
        await stage.record(stage.segments[2], whole(VARIANT, WHOLE[2], note="two", evidence="declared")),
    ]
    for take in recorded:
        document = json.loads(await receipt_sql.document_of(stage.conn, take.receipt_id))
        schema().validate(document)
        receipt = await stage.receipt(take)
        assert sha256(rfc8785.dumps(document).decode()) == receipt.receipt_digest
        assert sha256(rfc8785.dumps(vectors.digested_inputs(document)).decode()) == receipt.inputs_digest


@pytest.mark.parametrize(
    "broken",
    [
        {"schema": "genlock.receipt/2"},
        {"subject": {"segment": 1}},
        {"subject": {"segment": 1, "take": 1, "asset": 1, "version": 1}},
        {"parameters": {"seed": 42}},
        {"parameters": {"seed": "042"}},
        {"parameters": {"loop": None}},
        {"inputs": [{"role": "sound", "ordinal": 0}]},
        {"inputs": [{"role": "lora"}]},
        {"outputs": {"video": {"digest": "abc"}}},
        {"note": None},
        {"unheard_of": 1},
    ],
)
def test_the_schema_refuses_invalid_receipts(broken: Mapping[str, Any]) -> None:
    document = read()[1]["document"]
    assert schema().is_valid(document)
    assert not schema().is_valid({**document, **broken})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=True)
    | st.floats(-1e-3, 1e-3)
    | st.floats(-1e22, 1e22).map(float.__round__)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)


@given(json_values)
def test_canonical_json_is_that_of_the_reference(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        with pytest.raises(Invalid):
            canonical(value)
    else:
        assert canonical(value) == expected


scalars = st.text(max_size=8) | st.integers(-100, 100) | st.floats(-10, 10) | st.booleans()


@given(st.dictionaries(st.sampled_from(["cfg", "denoise", "a", "b", "c"]), st.integers(-9, 9), max_size=5))
def test_equal_claims_have_one_digest_in_any_notation(numbers: dict[str, int]) -> None:
    as_floats = {name: float(value) if name in ("cfg", "denoise") else value for name, value in numbers.items()}
    shuffled = dict(reversed(list(as_floats.items())))
    assert arriving(1, whole(parameters=numbers)).claim_digest == arriving(1, whole(parameters=shuffled)).claim_digest


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), scalars, max_size=3), st.data())
def test_another_claim_has_another_digest(extra: dict[str, Any], data: st.DataObject) -> None:
    other = data.draw(st.dictionaries(st.text("abc", min_size=1, max_size=2), scalars, max_size=3))
    same = rfc8785.dumps(extra) == rfc8785.dumps(other)
    digests = {arriving(1, whole(parameters=parameters)).claim_digest for parameters in (extra, other)}
    assert (len(digests) == 1) == same
