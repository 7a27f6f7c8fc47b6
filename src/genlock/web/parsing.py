"""Parses and validates JSON, from bodies and from form fields, with bounded errors.

An error takes hundreds of bytes and an invalid item a few, so a small body could exhaust the memory with errors:

- a body with more than ``MAX_VALUES`` values is refused before it is parsed;
- a list is refused at its first invalid item (``genlock.model.Model``);
- an error lists at most ``MAX_LISTED_ERRORS`` fields.
"""

import functools
import math
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import pydantic_core
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from genlock.errors import Invalid
from genlock.model import Model

BAD_JSON = "bad_json"
"""The error code for text that is not JSON."""

MAX_VALUES = 1_000_000
"""The maximum number of values in a JSON text, counted by its separators."""

MAX_LISTED_ERRORS = 100
"""The maximum number of invalid fields in an error."""

_MAX_COLLECTED_ERRORS = 1000
_SEPARATORS = (b",", b":", b"[", b"{")
# Only texts with such a number are searched for infinities after parsing.
_LARGE_NUMBER = re.compile(rb"[eE]\+?[0-9]{3,}(?=[\s,\]}]|$)|[0-9]{300}")
_NOT_A_NUMBER = re.compile(rb"NaN|Inf")

M = TypeVar("M", bound=Model)


def validate_json(text: bytes, adapter: TypeAdapter[Any]) -> Any:
    """Return the validated value of a JSON text. Strict: ``1`` is not a boolean, ``"1"`` is not a number.

    Raise ``Invalid`` for text that is not JSON or has too many values, and for values that do not validate.
    """
    _check_value_count(text)
    if _LARGE_NUMBER.search(text) or _NOT_A_NUMBER.search(text):
        parse_json(text)  # validation accepts some numbers that JSON does not have
    try:
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        refusal = invalid_fields(_collected(error), error.error_count(), prefix="body")
    raise _too_many_items(parse_json(text), adapter) or refusal


def parse_json(text: bytes) -> Any:
    """Return the value of strict JSON (RFC 8259): no NaN, infinities or lone surrogates, and limited nesting."""
    _check_value_count(text)
    try:
        value = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Invalid(
            f"The body is not valid JSON: {error}.",
            hint="Numbers must be finite, strings UTF-8, and nesting at most 200 levels deep.",
            code=BAD_JSON,
        ) from error
    if _LARGE_NUMBER.search(text) and _has_infinity(value):
        raise Invalid(
            "The body is not valid JSON: a number is too large for a double.",
            hint="Write large integers, such as seeds, as strings.",
            code=BAD_JSON,
        )
    return value


def parse_json_field(field: str, text: str) -> Any:
    """Return the value of a JSON form field."""
    with _naming(field):
        return parse_json(text.encode())


def validate_json_field(field: str, text: str, model: type[M]) -> M:
    """Return the ``model`` in a JSON form field, validated as strictly as a JSON body."""
    with _naming(field):
        value: M = validate_json(text.encode(), _adapter(model))
    return value


def validate_fields(model: type[M], fields: Mapping[str, Any]) -> M:
    """Return the ``model`` of a form's text fields; errors name the fields as sent by the client."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid_fields(_collected(error), error.error_count(), prefix="body") from error


def single_fields(fields: Mapping[str, Sequence[str]], names: Sequence[str]) -> dict[str, str]:
    """Return the fields among ``names`` that were sent. Raise ``Invalid`` if one was sent more than once."""
    for name in names:
        if len(fields.get(name, ())) > 1:
            raise Invalid(f"The field {name} was sent more than once.", hint="Send it once.", code="duplicate")
    return {name: fields[name][0] for name in names if name in fields}


def invalid_fields(errors: Sequence[ErrorDetails], total: int, *, prefix: str | None = None) -> Invalid:
    """Return the error for ``total`` invalid fields, which lists the first ones. It never repeats sent values."""
    fields = [
        {
            "field": ".".join(printable(part) for part in ((prefix, *error["loc"]) if prefix else error["loc"])),
            "message": printable(error["msg"].removeprefix("Value error, ")),
            "code": error["type"],
        }
        for error in errors[:MAX_LISTED_ERRORS]
    ]
    if not fields:
        return Invalid(
            f"The request has {total:,} invalid fields.",
            hint="Send fewer items to see which fields are invalid.",
            code="invalid",
        )
    first = f"{fields[0]['field']}: {fields[0]['message']}"
    return Invalid(
        first if total == 1 else f"{first}, and {total - 1:,} more.",
        hint="Correct what is named here, then try again. In the API, `errors` lists every invalid field.",
        code="invalid",
        fields=fields,
    )


def printable(part: object) -> str:
    """Return ``part`` as valid Unicode text of bounded length."""
    return str(part).encode("utf-8", "replace").decode("utf-8")[:300]


def _check_value_count(text: bytes) -> None:
    if len(text) > MAX_VALUES and sum(text.count(separator) for separator in _SEPARATORS) > MAX_VALUES:
        raise Invalid(
            f"The body holds more than {MAX_VALUES:,} values.",
            hint="Split it into several requests, or upload graphs and name them by digest.",
            code="too_large",
            too_large=True,
        )


def _collected(error: ValidationError) -> list[ErrorDetails]:
    """Return the errors with their fields, or none if there are too many to build them all."""
    if error.error_count() > _MAX_COLLECTED_ERRORS:
        return []
    return error.errors(include_url=False, include_context=False, include_input=False)


def _too_many_items(value: Any, adapter: TypeAdapter[Any]) -> Invalid | None:
    """Return the error for a list that is too long, which precedes those of its items."""
    schema = adapter.json_schema()
    for path, count, limit in _long_lists(value, schema, schema.get("$defs", {}), "body"):
        message = f"at most {limit:,} items are allowed, {count:,} were sent"
        return Invalid(
            f"{path}: {message}.",
            hint="Split the request into several.",
            code="invalid",
            fields=[{"field": path, "message": message, "code": "too_long"}],
        )
    return None


def _long_lists(
    value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str
) -> Iterator[tuple[str, int, int]]:
    """Yield the path, length and limit of each list that is longer than its schema allows."""
    if reference := schema.get("$ref"):
        schema = definitions[str(reference).rpartition("/")[2]]
    for alternative in schema.get("anyOf", ()):
        yield from _long_lists(value, alternative, definitions, path)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        limit = schema.get("maxItems")
        if limit is not None and len(items) > limit:
            yield path, len(items), limit
        elif isinstance(schema.get("items"), Mapping):
            for number, item in enumerate(items):
                yield from _long_lists(item, schema["items"], definitions, f"{path}.{number}")
    if isinstance(value, dict):
        for name, property_schema in schema.get("properties", {}).items():
            if name in value:
                yield from _long_lists(value[name], property_schema, definitions, f"{path}.{name}")


def _has_infinity(value: Any) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, float) and math.isinf(item):
            return True
        if isinstance(item, dict):
            pending.extend(cast("dict[str, Any]", item).values())
        elif isinstance(item, list):
            pending.extend(cast("list[Any]", item))
    return False


@contextmanager
def _naming(field: str) -> Generator[None]:
    """Add the form field to an error about text that is not JSON."""
    try:
        yield
    except Invalid as error:
        if error.code != BAD_JSON:
            raise
        named = {"field": field, "message": error.message, "code": BAD_JSON}
        raise Invalid(f"{field}: {error.message}", hint=error.hint, code=BAD_JSON, fields=[named]) from error


@functools.cache
def _adapter(model: type[M]) -> TypeAdapter[M]:
    return TypeAdapter(model)  # building one takes longer than validating with it
