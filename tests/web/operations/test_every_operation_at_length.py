"""Every operation is called a hundred times, and with every value at the edge of its schema (schemathesis)."""

# Schemathesis leaves the types of its cases open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedFunctionDecorator=false

import pytest
from hypothesis import settings
from schemathesis.specs.openapi.checks import negative_data_rejection
from tests.conftest import LiveServer
from tests.web.operations.calls import EDGES, SLOW, Case, ask, schema_with


@pytest.mark.long
@schema_with(EDGES).parametrize()
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
def test_operation_at_length(case: Case, fuzzed: LiveServer) -> None:
    # Some of these requests lack only the token, which is always sent: they are rightly accepted.
    ask(case, fuzzed, without=(negative_data_rejection,))
