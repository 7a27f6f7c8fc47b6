"""Builds the values that requests carry, so that what cannot be accepted is said before anything is sent."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from genlock.errors import Invalid

M = TypeVar("M", bound=BaseModel)


def body_of(model: type[M], /, **said: Any) -> M:
    """A value of ``model`` from what was said; ``None`` means that nothing was. ``Invalid`` names what is wrong."""
    given = {name: value for name, value in said.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        fields = [
            {
                "field": ".".join(str(part) for part in found["loc"]),
                "message": found["msg"].removeprefix("Value error, "),
                "code": found["type"],
            }
            for found in error.errors()
        ]
        first = fields[0]
        raise Invalid(
            f"{first['field']}: {first['message']}." if first["field"] else f"{first['message']}.",
            hint="Nothing was sent.",
            fields=fields,
        ) from error
