"""Where a run belongs: a node in the graph that says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

CLASS = "GenlockPlace"


class GenlockPlace:
    """Says to which segment what this graph makes belongs. It needs no links and changes nothing."""

    CATEGORY = "Genlock"
    DESCRIPTION = "Which segment of Genlock this graph makes: the take is recorded there. It needs no links."
    RETURN_TYPES: tuple[str, ...] = ()
    FUNCTION = "nothing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Three texts; the segment is its position, counted from 1, or its name."""
        text: dict[str, Any] = {"default": "", "multiline": False}
        return {"required": {"project": ("STRING", text), "scene": ("STRING", text), "segment": ("STRING", text)}}

    def nothing(self, project: str, scene: str, segment: str) -> tuple[()]:
        """Nothing is computed."""
        return ()


def place_in(graph: Mapping[str, Any], resolved: Mapping[str, Mapping[str, Any]]) -> dict[str, str] | None:
    """What the graph's node says, if it has one that is filled in and not contradicted by another."""
    found: list[dict[str, str]] = []
    for key, node in graph.items():
        fields = cast("dict[str, Any]", node) if isinstance(node, dict) else {}
        if fields.get("class_type") != CLASS:
            continue
        inputs: dict[str, Any] = {**fields.get("inputs", {}), **resolved.get(key, {})}
        said = {name: inputs.get(name) for name in ("project", "scene", "segment")}
        texts = {name: str(value).strip() for name, value in said.items() if isinstance(value, (str, int))}
        if len(texts) == 3 and all(texts.values()) and texts not in found:
            found.append(texts)
    return found[0] if len(found) == 1 else None
