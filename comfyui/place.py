"""The node that names the segment of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

CLASS = "GenlockPlace"


class GenlockPlace:
    """Names the segment that this graph generates. It needs no links and changes nothing."""

    CATEGORY = "Genlock"
    DESCRIPTION = "The Genlock segment that this graph generates: the take is recorded there. It needs no links."
    RETURN_TYPES: tuple[str, ...] = ()
    FUNCTION = "nothing"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the three string inputs; ``segment`` is a position, counted from 1, or a name."""
        text: dict[str, Any] = {"default": "", "multiline": False}
        return {"required": {"project": ("STRING", text), "scene": ("STRING", text), "segment": ("STRING", text)}}

    def nothing(self, project: str, scene: str, segment: str) -> tuple[()]:
        """Compute nothing."""
        return ()


def place_in(graph: Mapping[str, Any], resolved: Mapping[str, Mapping[str, Any]]) -> dict[str, str] | None:
    """Return the place that the graph's node names, if it is complete and no other node contradicts it."""
    places: list[dict[str, str]] = []
    for key, node in graph.items():
        fields = cast("dict[str, Any]", node) if isinstance(node, dict) else {}
        if fields.get("class_type") != CLASS:
            continue
        inputs: dict[str, Any] = {**fields.get("inputs", {}), **resolved.get(key, {})}
        values = {name: inputs.get(name) for name in ("project", "scene", "segment")}
        texts = {name: str(value).strip() for name, value in values.items() if isinstance(value, (str, int))}
        if len(texts) == 3 and all(texts.values()) and texts not in places:
            places.append(texts)
    return places[0] if len(places) == 1 else None
