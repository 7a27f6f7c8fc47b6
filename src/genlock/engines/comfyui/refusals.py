"""Errors for graphs that ComfyUI refuses or fails to run, each in a sentence for users. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from genlock.errors import Invalid, Unavailable

_MOST = 3
_LONGEST = 300


def refused(response: Mapping[str, Any]) -> Invalid:
    """Return the error for a response with ``error`` or ``node_errors``: each wrong node, input and value."""
    problems = list(_problems(cast("dict[str, Any]", response.get("node_errors") or {})))
    if not problems:
        error = cast("dict[str, Any]", response.get("error") or {})
        problems = [" ".join(str(error.get(key, "")) for key in ("message", "details")).strip() or "no reason given"]
    more = f", and {len(problems) - _MOST} more" if len(problems) > _MOST else ""
    return Invalid(
        f"ComfyUI refuses the graph: {'; '.join(problems[:_MOST])}{more}.",
        hint="Install what the workflow needs in ComfyUI, or correct the workflow and upload it as a new version.",
        code="graph_refused",
    )


def failed(event: Mapping[str, Any]) -> Unavailable:
    """Return the error for an ``execution_error``: the node and its message."""
    text = str(event.get("exception_message") or "no reason given").strip()[:_LONGEST]
    return Unavailable(
        f"Node {event.get('node_id')} ({event.get('node_type')}) failed in ComfyUI: "
        f"{event.get('exception_type') or 'error'}: {text}",
        hint="ComfyUI's log has the details. Then retry the plan with `genlock plans retry`.",
        code="execution_error",
    )


def _problems(node_errors: Mapping[str, Any]) -> list[str]:
    problems: list[str] = []
    for node, entry in node_errors.items():
        class_type = entry.get("class_type", "?")
        for error in cast("list[dict[str, Any]]", entry.get("errors") or [{}]):
            details = str(error.get("details") or "")[:_LONGEST]
            problems.append(f"node {node} ({class_type}): {error.get('message', 'refused')}: {details}".rstrip(": "))
    return problems
