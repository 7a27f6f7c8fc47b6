"""Every operation of the API description is called with valid and invalid values (schemathesis)."""

# Schemathesis leaves the types of its cases open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

import pytest
from hypothesis import settings
from tests.conftest import LiveServer
from tests.web.operations.calls import DESCRIPTION, NO_EDGES, SLOW, Case, ask, schema_with


@schema_with(NO_EDGES).parametrize()
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=SLOW)
def test_operation(case: Case, fuzzed: LiveServer) -> None:
    ask(case, fuzzed)


def test_every_operation_is_called(request: pytest.FixtureRequest, fuzzed: LiveServer) -> None:
    # Of the tests of this session, since other processes may run some of them.
    called = {item.name for item in request.session.items if item.name.startswith("test_operation[")}
    described = {f"{method.upper()} {path}" for path, item in DESCRIPTION["paths"].items() for method in item}
    print(f"{len(called)} operations called, {len(described)} described")
    assert called == {f"test_operation[{label}]" for label in described}
    with fuzzed.client() as client:
        assert client.get("/api/v1/me").json()["role"] == "admin", "and they are called by an administrator"
