"""The prompts of a sampling, followed upstream through the nodes between.

    sampler.positive ◀── WanImageToVideo (output 0) ◀── .positive ◀── CLIPTextEncode ◀── .text ◀── PrimitiveString

Only through nodes whose meaning is known: those that pass both sides on, those that join conditionings, and those that
join texts. After any other node the prompt is unresolved, with the reason, and never guessed.
"""

import re
from collections.abc import Iterator

from genlock.graphs.evaluation import Unknown
from genlock.graphs.graph import Node
from genlock.graphs.meanings import word_for
from genlock.graphs.uses import Side, TextUse
from genlock.graphs.wiring import Wiring

_HANDS_BOTH_ON = re.compile(r"ToVideo|img2vid|ControlNet|Conditioning|Inpaint|^LTXV|^Wan\w+")
_HANDS_ON = re.compile(r"Conditioning|FluxGuidance|ControlNet|StyleModelApply|GLIGEN|ReferenceLatent|Hooks|Guider")
_SIDES: dict[str, Side | None] = {
    "positive": "positive",
    "negative": "negative",
    "conditioning": "positive",
    "cond1": "positive",
    "cond2": "positive",
    "text_embeds": None,
}
"""Inputs of samplers and guiders that take prompts; None for an input that takes both sides."""

_LORA_TAG = re.compile(r"<lora:[^<>]{1,300}>")


def texts_of_sampling(wiring: Wiring, keys: tuple[str, ...]) -> Iterator[TextUse]:
    """Yield the prompts that a sampler and the guiders before it (``keys``) take, in the order of their inputs."""
    for key in keys:
        for name, side in _SIDES.items():
            link = wiring.link(key, name)
            if link is not None:
                yield from _behind(wiring, link.source, link.slot, side)


def texts_at(wiring: Wiring, key: str, side: Side | None) -> Iterator[TextUse]:
    """Yield the prompts that a node takes as text. An input whose name has a side is of that side only."""
    for name in sorted(wiring.names_of(key)):
        if word_for(wiring.nodes[key].class_type, name) != "prompt":
            continue
        own_side = side_of(name)
        if side is None or own_side is None or own_side == side:
            yield _taken(wiring, key, name, own_side or side or "positive")


def side_of(name: str) -> Side | None:
    """Return the side in an input's name, if it has one."""
    if name.startswith("positive"):
        return "positive"
    return "negative" if name.startswith("negative") else None


def takes_text(wiring: Wiring, key: str) -> bool:
    """Return whether a node turns text into conditioning."""
    return any(word_for(wiring.nodes[key].class_type, name) == "prompt" for name in wiring.names_of(key))


def _behind(wiring: Wiring, key: str, slot: int, side: Side | None) -> Iterator[TextUse]:
    """Yield the prompts behind an output of a node."""
    waiting = [(key, slot)]
    visited: set[tuple[str, int]] = set()
    while waiting:
        place = waiting.pop(0)
        if place in visited:
            continue
        visited.add(place)
        wiring.step()
        key, slot = place
        node = wiring.nodes[key]
        if takes_text(wiring, key):
            yield from texts_at(wiring, key, side)
        elif node.class_type == "ConditioningZeroOut":
            yield TextUse(side or "positive", key, "conditioning", "", literal=False)
        else:
            before = _before(node, slot)
            if not before:
                yield TextUse(
                    side or "positive",
                    key,
                    "",
                    None,
                    f"what node {key} ({node.class_type}) makes of its inputs is not known here",
                    literal=False,
                )
            waiting += before


def _before(node: Node, slot: int) -> list[tuple[str, int]]:
    """Return the outputs that the conditioning at an output comes from; empty if that is unknown."""
    links = {link.input: link for link in node.links}
    both = [links[name] for name in ("positive", "negative") if name in links]
    if len(both) == 2:
        passes_on = slot < 2 and _HANDS_BOTH_ON.search(node.class_type)
        return [(both[slot].source, both[slot].slot)] if passes_on else []
    if _HANDS_ON.search(node.class_type):
        return [(link.source, link.slot) for name, link in sorted(links.items()) if name.startswith("conditioning")]
    return []


def _taken(wiring: Wiring, key: str, name: str, side: Side) -> TextUse:
    text = wiring.text(key, name)
    if isinstance(text, Unknown):
        return TextUse(side, key, name, None, text.reason, literal=False)
    class_type = wiring.nodes[key].class_type
    if _LORA_TAG.search(text.text) and not class_type.startswith("CLIPTextEncode"):
        return TextUse(side, key, name, None, f"{class_type} may load the LoRAs that its text names", literal=False)
    if text.setting is None:
        return TextUse(side, key, name, text.text, literal=False)
    return TextUse(side, text.setting.node, text.setting.input, text.text)
