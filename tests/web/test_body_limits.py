"""Lists in bodies are counted before their items are validated, refusals are bounded, and each route has its limit."""

from typing import Any

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter
from tests.web.test_problems import problem

from genlock.capture.import_model import NewImport
from genlock.capture.run_record import RunRecord
from genlock.errors import Invalid
from genlock.model import Model
from genlock.regeneration.model import NewPlan
from genlock.staleness.model import NewWaiver
from genlock.takes.claim import Claim
from genlock.takes.model import NewTakes
from genlock.web import parsing
from genlock.web.app import assemble
from genlock.web.parsing import validate_json

TAKE = b'{"segment_id":1,"claim":{"engine":{"name":"x"},"inputs":[%s]}}'


def refused(text: bytes, model: type[BaseModel]) -> Invalid:
    with pytest.raises(Invalid) as caught:
        validate_json(text, TypeAdapter(model))
    return caught.value


@pytest.mark.parametrize(
    ("model", "text", "field"),
    [
        (NewTakes, b'{"takes":[%s]}' % b",".join([b"{}"] * 1001), "body.takes"),
        (NewTakes, b'{"takes":[%s]}' % (TAKE % b",".join([b"{}"] * 1001)), "body.takes.0.claim.inputs"),
        (Claim, b'{"engine":{"name":"x"},"inputs":[%s]}' % b",".join([b"0"] * 1001), "body.inputs"),
        (
            NewWaiver,
            b'{"asset_id":1,"reason":"r","segment_ids":[%s]}' % b",".join([b"{}"] * 10_001),
            "body.segment_ids",
        ),
        (
            NewPlan,
            b'{"project_id":1,"selection":{"segments":[%s]}}' % b",".join([b"{}"] * 10_001),
            "body.selection.segments",
        ),
        (RunRecord, b'{"files":[%s]}' % b",".join([b"{}"] * 10_001), "body.files"),
    ],
    ids=lambda part: part.__name__ if isinstance(part, type) else "",
)
def test_a_list_that_is_too_long_is_refused_before_its_items(model: type[BaseModel], text: bytes, field: str) -> None:
    error = refused(text, model)
    assert [(entry["field"], entry["code"]) for entry in error.fields] == [(field, "too_long")]


@pytest.mark.parametrize("model", [NewTakes, NewWaiver, NewPlan, RunRecord, NewImport, Claim])
def test_at_most_a_hundred_fields_are_listed(model: type[BaseModel]) -> None:
    unknown = b",".join(b'"%d":1' % number for number in range(500))
    error = refused(b"{%s}" % unknown, model)
    assert len(error.fields) == 100
    many = b",".join(b'"%d":1' % number for number in range(5000))
    assert refused(b"{%s}" % many, model).fields == ()


class Collections(Model):
    numbers: tuple[int, ...] = ()
    named: dict[str, int] | None = None
    type: list[int] | None = None
    metadata: frozenset[int] = frozenset()


@pytest.mark.parametrize(
    "text",
    [b'{"numbers":["a","b"]}', b'{"named":{"a":"x","b":"y"}}', b'{"type":["a","b"]}', b'{"metadata":["a","b"]}'],
)
def test_a_collection_is_refused_at_its_first_wrong_item(text: bytes) -> None:
    assert len(refused(text, Collections).fields) == 1


def test_the_values_of_a_body_are_counted_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MAX_VALUES", 1000)
    validate_json(b'{"a":[%s]}' % b",".join([b"1"] * 990), TypeAdapter(dict[str, Any]))
    error = refused(b'{"takes":[%s]}' % b",".join([b"{}"] * 999), NewTakes)
    assert (error.http_status, error.code) == (413, "too_large")


async def test_only_a_batch_may_be_larger_than_other_bodies(client: httpx.AsyncClient) -> None:
    name = "x" * 2**20
    problem(await client.post("/api/v1/projects", json={"slug": "a", "name": name}), 413, "too_large")
    take = {"segment_id": 1, "claim": {"engine": {"name": "x"}, "graph": {"text": name}}}
    problem(await client.post("/api/v1/takes:batch", json={"takes": [take]}), 404, "not_found")
    problem(await client.post("/api/v1/takes:batch", content=b" " * (32 * 2**20 + 1)), 413, "too_large")


def test_every_writing_operation_names_the_setting_that_limits_its_body() -> None:
    paths: dict[str, Any] = assemble().openapi()["paths"]
    limits = {
        f"{method.upper()} {path}": operation.get("x-genlock-body-limit")
        for path, item in paths.items()
        for method, operation in item.items()
        if method != "get"
    }
    uploads = {name for name, limit in limits.items() if limit == "GENLOCK_MAX_UPLOAD_BYTES"}
    batches = {name for name, limit in limits.items() if limit == "GENLOCK_MAX_BATCH_BYTES"}
    assert batches == {"POST /api/v1/takes:batch"}
    assert uploads == {
        "POST /api/v1/segments/{segment_id}/takes",
        "POST /api/v1/imports",
        "POST /api/v1/captures",
        "POST /api/v1/assets/{asset_id}/versions",
    }
    assert set(limits.values()) == {"GENLOCK_MAX_BODY_BYTES", "GENLOCK_MAX_BATCH_BYTES", "GENLOCK_MAX_UPLOAD_BYTES"}
