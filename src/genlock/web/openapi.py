"""The OpenAPI 3.1 description of the API, generated from the routes; ``python -m genlock.web FILE`` writes it."""

import json
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from genlock.access.model import SignInCode
from genlock.capture.import_model import NewImport
from genlock.capture.run_record import RunRecord
from genlock.takes.claim import Claim
from genlock.web.examples import EXAMPLES
from genlock.web.problems import FieldProblem, Problem

_ABOUT = """Responses are JSON; times are RFC 3339 in UTC; digests are `sha256:<64 hex>`; seeds are strings.
Lists are keyset pages: `{"items": […], "next": cursor|null, "total": n|null}`.
Errors are problem documents (RFC 9457) with a `code` for programs and a `hint` for people.
`x-genlock-role` is the lowest role that may call an operation: viewer < creator < admin.
Tokens of the role capture, which ComfyUI's extension has, may call only the operations with `x-genlock-captures`.
On a media type of a request body it is the role for sending that type."""


def description_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the application's routes."""
    document = get_openapi(
        title="Genlock", version=version("genlock"), description=_ABOUT, routes=app.routes, openapi_version="3.1.0"
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    problem.pop("$defs", None)
    schemas["Problem"] = problem
    schemas["FieldProblem"] = FieldProblem.model_json_schema(mode="serialization")
    for model in (Claim, RunRecord, NewImport, SignInCode):  # of bodies that routes read by themselves
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
    for model, example in EXAMPLES.items():
        # A class of requests and responses may have two schemas, if defaults differ.
        for name in {model.__name__, f"{model.__name__}-Input", f"{model.__name__}-Output"} & schemas.keys():
            schemas[name] = schemas[name] | {"examples": [example]}
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of `genlock token add`."}
    }
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def as_text(document: dict[str, Any]) -> str:
    """Return the text of ``docs/reference/openapi.json``."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
