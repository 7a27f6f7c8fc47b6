"""Turns what a form says, which is all text, into the frozen value that a JSON body would have been."""

import functools
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from genlock.errors import Invalid
from genlock.model import Model, Role
from genlock.web.bodies import BAD_JSON, parse_json, validate_json
from genlock.web.door import ROLE

M = TypeVar("M", bound=Model)


def said(model: type[M], values: Mapping[str, Any]) -> M:
    """``values`` as a ``model``; a refusal names the fields as the caller wrote them."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors = [{**found, "loc": ("body", *found["loc"])} for found in error.errors(include_url=False)]
        raise RequestValidationError(errors) from error


def single(fields: Mapping[str, Sequence[str]], names: Sequence[str]) -> dict[str, str]:
    """The fields among ``names`` that were sent, each of them once."""
    for name in names:
        if len(fields.get(name, ())) > 1:
            raise Invalid(f"The field {name} is there more than once.", hint="Send it once.", code="duplicate")
    return {name: fields[name][0] for name in names if name in fields}


def json_field(name: str, text: str) -> Any:
    """The value of a field that holds JSON."""
    with _naming(name):
        return parse_json(text.encode())


def json_said(field: str, text: str, model: type[M]) -> M:
    """The value of a field that holds JSON, as a ``model``; as strict as a JSON body."""
    with _naming(field):
        found: M = validate_json(text.encode(), _adapter(model))
    return found


@contextmanager
def _naming(field: str) -> Generator[None]:
    """Say which field it is that holds no JSON."""
    try:
        yield
    except Invalid as error:
        if error.code != BAD_JSON:
            raise
        named = {"field": field, "message": error.message, "code": BAD_JSON}
        raise Invalid(f"{field}: {error.message}", hint=error.hint, code=BAD_JSON, fields=[named]) from error


@functools.cache
def _adapter(model: type[M]) -> TypeAdapter[M]:
    return TypeAdapter(model)  # making one takes longer than validating with it


def form_body(
    schema: Mapping[str, Any],
    *,
    encoding: Mapping[str, Any] | None = None,
    json_schema: Mapping[str, Any] | None = None,
    json_role: Role | None = None,
) -> dict[str, Any]:
    """How the OpenAPI document describes a body that is a form (or, where there is one, JSON instead).

    ``json_role`` is the least role that may send the JSON, where that is a higher one than the form asks for.
    """
    content: dict[str, dict[str, Any]] = {"multipart/form-data": {"schema": schema}}
    if encoding is not None:
        content["multipart/form-data"]["encoding"] = encoding
    if json_schema is not None:
        content["application/json"] = {"schema": {key: part for key, part in json_schema.items() if key != "$defs"}}
        if json_role is not None:
            content["application/json"][ROLE] = json_role.value
    return {"required": True, "content": content}
