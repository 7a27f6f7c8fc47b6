"""The API's description is complete, and the same as the one in the documentation."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from tests.web.route_table import OPEN, entries

from genlock.web.app import assemble
from genlock.web.examples import EXAMPLES
from genlock.web.openapi import as_text
from genlock.web.route import CAPTURES, ROLE

GOLDEN = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
DESCRIPTION = assemble().openapi()
OPERATIONS: list[tuple[str, dict[str, Any]]] = [
    (f"{method.upper()} {path}", operation)
    for path, item in DESCRIPTION["paths"].items()
    for method, operation in item.items()
]


def test_the_documented_description_is_up_to_date() -> None:
    assert GOLDEN.read_text(encoding="utf-8") == as_text(DESCRIPTION), (
        "the API changed: look at what is different, then run python -m genlock.web docs/reference/openapi.json"
    )


def test_the_command_writes_the_description(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    subprocess.run([sys.executable, "-m", "genlock.web", str(path)], check=True, timeout=120)
    assert path.read_text(encoding="utf-8") == as_text(DESCRIPTION)


async def test_the_server_sends_the_description(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/openapi.json")).json() == DESCRIPTION


def test_every_route_is_described() -> None:
    hidden = {"GET /api/v1/openapi.json"}
    assert {name for name, _ in OPERATIONS} == {str(entry) for entry in entries()} - hidden
    assert DESCRIPTION["openapi"].startswith("3.1")


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_operation_describes_its_role_and_responses(name: str, operation: dict[str, Any]) -> None:
    method, path = name.split(" ")
    assert operation["summary"]
    assert operation["description"]
    answers = operation["responses"]
    assert "default" not in answers
    if path not in OPEN:
        assert operation[ROLE] in {"viewer", "creator", "admin"}
        assert operation["security"] == [{"token": []}]
        assert {"401", "422", "503"} <= answers.keys()
        assert ("403" in answers) == (operation[ROLE] != "viewer" or CAPTURES not in operation)
        assert ("404" in answers) >= ("{" in path)
    if method != "GET" and path not in OPEN:
        assert {"409", "413"} <= answers.keys()
        assert any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])
    for status, response in answers.items():
        assert response["description"]
        if int(status) >= 400:
            assert response["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }


@pytest.mark.parametrize(("model", "example"), EXAMPLES.items(), ids=lambda item: getattr(item, "__name__", ""))
def test_every_example_is_valid(model: type[BaseModel], example: dict[str, Any]) -> None:
    parsed = model.model_validate_json(json.dumps(example), strict=True)
    dumped = parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert dumped == example


@pytest.mark.parametrize("name", ["Claim", "Report", "Group", "Cause", "Problem"])
def test_public_models_have_a_schema_with_an_example(name: str) -> None:
    assert DESCRIPTION["components"]["schemas"][name]["examples"]


def test_every_reference_has_a_target() -> None:
    text = json.dumps(DESCRIPTION)
    for name in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert name in DESCRIPTION["components"]["schemas"], name


def test_registration_in_place_is_described_for_administrators() -> None:
    document: dict[str, Any] = assemble().openapi()
    operation = document["paths"]["/api/v1/assets/{asset_id}/versions"]["post"]
    form, in_place = (operation["requestBody"]["content"][kind] for kind in ("multipart/form-data", "application/json"))
    assert (operation[ROLE], form.get(ROLE), in_place[ROLE]) == ("creator", None, "admin")
