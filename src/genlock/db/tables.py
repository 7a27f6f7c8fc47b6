"""Whole tables as one parameter of a statement, which reads them with ``json_to_recordset``."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Json
from pydantic_core import to_json


def table(rows: Sequence[Mapping[str, Any]]) -> Json:
    """Return rows as such a parameter, serialised by pydantic, which takes a quarter of the time of ``json``."""
    return Json(rows, dumps=to_json)
