"""JSON bodies: validating a body in one pass refuses exactly what parsing it alone refuses."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from genlock.errors import Invalid
from genlock.web.parsing import parse_json, validate_json

ANYTHING = TypeAdapter[Any](Any)
NUMBERS = ("1e400", "-1E+0999", "1e308", "9" * 310, "1.5e3", "NaN", "-Infinity", "Infinity", "0", "-")
STRINGS = ('"a"', '"sha256:1e400"', '"NaN"', '"\\ud800"')
BITS = st.sampled_from((*NUMBERS, *STRINGS, *"[]{},: \n", "[" * 250, "true", "null"))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(VALUES.map(json.dumps) | st.lists(BITS, max_size=9).map("".join))
@example("[1e400]")
@example('{"a":1e400}')
@example('{"a":-1e400 }')
@example("1e400")
@example('{"a":[NaN]}')
@example("9" * 310)
def test_validating_refuses_what_parsing_refuses(text: str) -> None:
    content = text.encode()
    try:
        value = parse_json(content)
    except Invalid as refused:
        with pytest.raises(Invalid) as caught:
            validate_json(content, ANYTHING)
        assert (caught.value.message, caught.value.code) == (refused.message, refused.code)
    else:
        assert validate_json(content, ANYTHING) == value
