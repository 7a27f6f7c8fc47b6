"""What ComfyUI says of a graph that it will not run, or could not, in a sentence for a person. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from genlock.errors import Invalid, Unavailable

_MOST = 3
_LONGEST = 300


def refused(said: Mapping[str, Any]) -> Invalid:
    """The error for an answer that has ``error`` or ``node_errors``: each node, input and value that is wrong."""
    problems = list(_problems(cast("dict[str, Any]", said.get("node_errors") or {})))
    if not problems:
        error = cast("dict[str, Any]", said.get("error") or {})
        problems = [" ".join(str(error.get(key, "")) for key in ("message", "details")).strip() or "no reason given"]
    more = f", and {len(problems) - _MOST} more" if len(problems) > _MOST else ""
    return Invalid(
        f"ComfyUI refuses the graph: {'; '.join(problems[:_MOST])}{more}.",
        hint="Install what the workflow needs in ComfyUI, or correct the workflow and upload it as a new version.",
        code="graph_refused",
    )


def failed(said: Mapping[str, Any]) -> Unavailable:
    """The error for an ``execution_error``: the node, and what it said."""
    text = str(said.get("exception_message") or "no reason given").strip()[:_LONGEST]
    return Unavailable(
        f"Node {said.get('node_id')} ({said.get('node_type')}) failed in ComfyUI: "
        f"{said.get('exception_type') or 'error'}: {text}",
        hint="ComfyUI's log has the details. Retry the plan when that is settled.",
        code="execution_error",
    )


def _problems(node_errors: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for node, entry in node_errors.items():
        class_type = entry.get("class_type", "?")
        for error in cast("list[dict[str, Any]]", entry.get("errors") or [{}]):
            details = str(error.get("details") or "")[:_LONGEST]
            found.append(f"node {node} ({class_type}): {error.get('message', 'refused')}: {details}".rstrip(": "))
    return found
