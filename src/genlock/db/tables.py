"""Whole tables as one parameter of a statement, which reads them with ``json_to_recordset``."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Json
from pydantic_core import to_json


def table(rows: Sequence[Mapping[str, Any]]) -> Json:
    """Rows as such a parameter, written by pydantic's JSON: it takes a quarter of the time of Python's."""
    return Json(rows, dumps=to_json)
