"""Calls of every operation of the API description, made up by schemathesis."""

# Schemathesis leaves the types of its cases open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

import uuid
from functools import cache
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck
from schemathesis.config import SchemathesisConfig
from tests.conftest import LiveServer

from genlock.web.app import assemble

DESCRIPTION = assemble().openapi()
# A schema cannot express that a cursor is ours, that a time is in the future, that a selection is not empty.
CHECKS = {"positive_data_acceptance": {"enabled": False}}
# Every value at the edge of its schema, 5,000 requests: at length only.
EDGES = {"coverage": {"enabled": True}}
NO_EDGES = {"coverage": {"enabled": False}}
# A thousand claims in one request are covered by a single one.
BATCH = {"include-name": "POST /api/v1/takes:batch", "phases": NO_EDGES}


def schema_with(phases: dict[str, Any]) -> schemathesis.BaseSchema:
    config = SchemathesisConfig.from_dict({"checks": CHECKS, "phases": phases, "operations": [BATCH]})
    return schemathesis.openapi.from_dict(DESCRIPTION, config=config)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]
Case = schemathesis.Case[Any]
MOST_SEGMENTS = 10_000


@cache
def session() -> requests.Session:
    """Return a session that does not look for proxies, which takes as long as a request."""
    session = requests.Session()
    session.trust_env = False
    return session


def ask(case: Case, server: LiveServer, without: tuple[Any, ...] = ()) -> None:
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())  # else every second request is one for another body
    body: Any = case.body
    count: Any = body.get("count") if isinstance(body, dict) else None
    if isinstance(count, int) and 100 < count <= MOST_SEGMENTS:
        body["count"] = 3  # allowed, but every render of that scene would then have thousands of segments
    authorised = {"Authorization": f"Bearer {server.token}"}
    case.call_and_validate(base_url=server.url, session=session(), headers=authorised, excluded_checks=list(without))
