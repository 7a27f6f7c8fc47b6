"""Builds request bodies, so that invalid values are refused before anything is sent."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from genlock.errors import Invalid

M = TypeVar("M", bound=BaseModel)


def body_of(model: type[M], /, **values: Any) -> M:
    """Return a ``model`` with the ``values`` that are not ``None``. Raise ``Invalid`` with the invalid fields."""
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        fields = [
            {
                "field": ".".join(str(part) for part in detail["loc"]),
                "message": detail["msg"].removeprefix("Value error, "),
                "code": detail["type"],
            }
            for detail in error.errors()
        ]
        first = fields[0]
        raise Invalid(
            f"{first['field']}: {first['message']}." if first["field"] else f"{first['message']}.",
            hint="Nothing was sent.",
            fields=fields,
        ) from error
