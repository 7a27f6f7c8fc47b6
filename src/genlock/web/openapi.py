"""The API's own description (OpenAPI 3.1), made of the routes; ``python -m genlock.web FILE`` writes it."""

import json
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from genlock.capture.import_model import NewImport
from genlock.capture.run_record import RunRecord
from genlock.takes.claim import Claim
from genlock.web.examples import EXAMPLES
from genlock.web.problems import FieldProblem, Problem

_ABOUT = """Every answer is JSON; times are RFC 3339 in UTC; digests are `sha256:<64 hex>`; seeds are strings.
Lists are keyset pages: `{"items": […], "next": cursor|null, "total": n|null}`.
Errors are problem documents (RFC 9457) with a `code` for programs and a `hint` for people.
`x-genlock-role` names the least role that may call an operation: viewer < creator < admin.
Where it stands on one media type of a request body, sending that one takes the higher role."""


def description_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application's routes."""
    found = get_openapi(
        title="Genlock", version=version("genlock"), description=_ABOUT, routes=app.routes, openapi_version="3.1.0"
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    problem.pop("$defs", None)
    schemas["Problem"] = problem
    schemas["FieldProblem"] = FieldProblem.model_json_schema(mode="serialization")
    for model in (Claim, RunRecord, NewImport):  # what comes within a form, which no route declares
        said = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= said.pop("$defs", {}) | {model.__name__: said}
    for model, example in EXAMPLES.items():
        # A class that is both sent and answered may have two schemas, where defaults differ.
        for name in {model.__name__, f"{model.__name__}-Input", f"{model.__name__}-Output"} & schemas.keys():
            schemas[name] = schemas[name] | {"examples": [example]}
    found["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of `genlock token add`."}
    }
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def as_text(document: dict[str, Any]) -> str:
    """The document as it is kept in ``docs/reference/openapi.json``."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
