"""Parts of a JSON value, each of the type that is expected; an absent one is empty."""

from typing import Any, cast


def as_object(value: Any) -> dict[str, Any]:
    """Return an object, empty for null; raise ``ValueError`` for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("a part of it is not an object")
    return cast(dict[str, Any], value)


def as_list(value: Any) -> list[Any]:
    """Return a list, empty for null; raise ``ValueError`` for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("a part of it is not a list")
    return cast(list[Any], value)
