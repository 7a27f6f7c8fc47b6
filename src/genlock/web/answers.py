"""Answers made of frozen values: serialised once, and not validated again on the way out."""

from collections.abc import Mapping

from fastapi import Response
from pydantic import BaseModel


def answer(value: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``value`` as JSON. The route still declares its class as ``response_model``, for the OpenAPI document."""
    return Response(value.model_dump_json(by_alias=True), status, headers, "application/json")


def nothing() -> Response:
    """204: it is done, and there is nothing to say."""
    return Response(status_code=204)
