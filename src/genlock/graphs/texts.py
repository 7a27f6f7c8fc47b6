"""The prompts of a sampling, followed upstream through the nodes between.

    sampler.positive ◀── WanImageToVideo (output 0) ◀── .positive ◀── CLIPTextEncode ◀── .text ◀── PrimitiveString

Only through nodes whose meaning is known: those that pass both sides on, those that join conditionings, and those that
join texts. After any other node the prompt is unresolved, with the reason, and never guessed.
"""

import re
from collections.abc import Iterator

from genlock.graphs.evaluation import Unknown
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

_OWN_PROMPTS = frozenset({"prompt", "negative_prompt"})
_PROMPTS = _OWN_PROMPTS | frozenset({"text", "positive", "negative", "positive_prompt", "text_g", "text_l", "clip_g"})
_WRITES = re.compile(
    r"TextGenerate|Gemini|OpenAI|Claude|Chat|LLM|LLaVA|Llava|Ollama|Florence|Qwen\w*VL|PromptEnhance|GroqAPI"
)
"""Classes of language models that write texts."""

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
        own_side = side_of(name)
        if _is_prompt(wiring, key, name) and (side is None or own_side is None or own_side == side):
            yield from _taken(wiring, key, name, own_side or side or "positive")


def side_of(name: str) -> Side | None:
    """Return the side in an input's name, if it has one."""
    if name.startswith("positive"):
        return "positive"
    return "negative" if name.startswith("negative") else None


def takes_text(wiring: Wiring, key: str) -> bool:
    """Return whether a node turns text into conditioning."""
    return any(_is_prompt(wiring, key, name) for name in wiring.names_of(key))


def _is_prompt(wiring: Wiring, key: str, name: str) -> bool:
    """Return whether an input takes a prompt: by the class, or as a text of a node that gives conditioning."""
    if word_for(wiring.nodes[key].class_type, name) == "prompt":
        return True
    if wiring.definition(key) is None:
        # MiniMaxH3ImageToVideo and others encode their prompt themselves.
        return name in _OWN_PROMPTS and "clip" in wiring.names_of(key) and "ToVideo" in wiring.nodes[key].class_type
    is_text = wiring.input_type(key, name) == "STRING" and name in _PROMPTS
    return is_text and "CONDITIONING" in (wiring.output_types(key) or ())


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
            before = _before(wiring, key, slot)
            if not before and _may_have_text(wiring, key):
                yield TextUse(
                    side or "positive",
                    key,
                    "",
                    None,
                    f"what node {key} ({node.class_type}) makes of its inputs is not known here",
                    literal=False,
                )
            waiting += before


def _may_have_text(wiring: Wiring, key: str) -> bool:
    """Return whether a node may take a prompt from somewhere: not if its class has no text and no conditioning."""
    names = wiring.names_of(key)
    types = {wiring.input_type(key, name) for name in names}
    return wiring.definition(key) is None or not types.isdisjoint({"STRING", "CONDITIONING", "*"})


def _before(wiring: Wiring, key: str, slot: int) -> list[tuple[str, int]]:
    """Return the outputs that the conditioning at an output comes from; empty if that is unknown."""
    node = wiring.nodes[key]
    definition = wiring.definition(key)
    if definition is not None and slot < len(definition.outputs):
        conditionings = [link for link in node.links if wiring.input_type(key, link.input) == "CONDITIONING"]
        # positive and negative in, positive and negative out; what has other names joins or changes one prompt.
        same = [link for link in conditionings if link.input == definition.outputs[slot].name.lower()]
        return [(link.source, link.slot) for link in same or conditionings]
    links = {link.input: link for link in node.links}
    both = [links[name] for name in ("positive", "negative") if name in links]
    if len(both) == 2:
        passes_on = slot < 2 and _HANDS_BOTH_ON.search(node.class_type)
        return [(both[slot].source, both[slot].slot)] if passes_on else []
    if _HANDS_ON.search(node.class_type):
        return [(link.source, link.slot) for name, link in sorted(links.items()) if name.startswith("conditioning")]
    return []


def _taken(wiring: Wiring, key: str, name: str, side: Side) -> Iterator[TextUse]:
    """Yield the text of an input; of a text that a language model writes also what it is asked to write about."""
    text = wiring.text(key, name)
    class_type = wiring.nodes[key].class_type
    if isinstance(text, Unknown):
        writers = list(_writers(wiring, key, name))
        reason = f"a language model writes it, node {writers[0][0]}" if writers else text.reason
        yield TextUse(side, key, name, None, reason, literal=False)
        for writer, prompt in writers:
            request = wiring.text(writer, prompt)
            if not isinstance(request, Unknown) and request.setting is not None:
                yield TextUse(side, request.setting.node, request.setting.input, request.text)
    elif _LORA_TAG.search(text.text) and not class_type.startswith("CLIPTextEncode"):
        yield TextUse(side, key, name, None, f"{class_type} may load the LoRAs that its text names", literal=False)
    elif text.setting is None:
        yield TextUse(side, key, name, text.text, literal=False)
    else:
        yield TextUse(side, text.setting.node, text.setting.input, text.text)


def _writers(wiring: Wiring, key: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the nodes before an input that write texts, each with the input that asks for one, nearest first."""
    waiting, visited = [(key, name)], {key}
    for place in waiting:
        link = wiring.link(*place)
        if link is None or link.source in visited:
            continue
        wiring.step()
        visited.add(link.source)
        types = wiring.output_types(link.source)
        gives_text = types is None or "STRING" in types
        if gives_text and _WRITES.search(wiring.nodes[link.source].class_type):
            requests = [other for other in ("prompt", "text", "user_prompt") if other in wiring.names_of(link.source)]
            yield from ((link.source, request) for request in requests[:1])
            waiting += [(link.source, request) for request in requests[:1]]
        elif gives_text:
            waiting += [(link.source, other.input) for other in wiring.nodes[link.source].links]
