"""Binds a spec to a graph: every file, prompt, seed and number gets its place before anything is submitted. Pure.

    graph + bindings + spec ─▶ the part of the graph that makes the output, filled in; file places; parameters

The spec overrides the graph. A word with several places is set in those that agree with the first: a second sampler
with its own value keeps it.
"""

import hashlib
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from genlock.digest import canonical
from genlock.engines.comfyui.detection import detect, services_of
from genlock.engines.comfyui.offer import OFFER
from genlock.engines.comfyui.places import Bindings, FilePlace, LoraPlace, Place, ResolvedBindings, value_at
from genlock.engines.model import LABELS, START_ROLES, EngineInput, RenderSpec
from genlock.errors import Invalid
from genlock.graphs.node_definition import NodeDefinition
from genlock.graphs.reading import read_uses
from genlock.graphs.wiring import Wiring
from genlock.model import MAX_SEED, SEED_FRAME

PREFIX = "genlock/take"
"""The prefix of every render's file names: the same for all, so that equal specs make equal graphs."""

_WHOLE = frozenset({"steps", "width", "height", "frames"})
_NUMBERS = frozenset({"cfg", "denoise", "fps"})
_SEED = re.compile(r"0|[1-9][0-9]{0,19}")
_EXACT = 2**53

Graph = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Bound:
    """A graph that is complete except for the names of its files on the server.

    ``files``: each place with its input, strengths filled in; ``parameters``: every parameter in effect; ``services``:
    what the environment says of partners' services.
    """

    graph: Graph
    output: str
    files: tuple[tuple[FilePlace, EngineInput], ...]
    parameters: Mapping[str, Any]
    services: Mapping[str, str]

    def naming(self, names: Mapping[str, str]) -> Graph:
        """Return the graph with the files' names on the server, by the input's key."""
        graph = deepcopy(self.graph)
        for place, item in self.files:
            for spot in (place, *place.also):
                _set(graph, spot, names[item.key])
        return graph


def bind(
    graph: Mapping[str, Any],
    resolved: ResolvedBindings,
    spec: RenderSpec,
    name: str,
    definitions: Mapping[str, NodeDefinition] | None = None,
) -> Bound:
    """Bind ``spec`` to the part of ``graph`` that makes the output; ``Invalid`` for a value or place left over."""
    bindings = resolved.bindings
    _require_places(spec, bindings, resolved.unknown, name)
    wiring = Wiring(graph, bindings.output, name, definitions)
    bound: Graph = deepcopy(wiring.running())
    files = (*_starts(bound, resolved, spec, name), *_files(bound, bindings, spec, name))
    loras = _loras(bound, bindings, spec, name)
    for word in OFFER.parameters:
        if word in spec.parameters:
            _set_word(bound, bindings.places(word), _value(word, spec.parameters[word]))
    if bindings.output_prefix is not None:
        _set(bound, bindings.output_prefix, PREFIX)
    _require_all_in_effect(bound, bindings, spec, loras, name)
    reading = read_uses(bound, bindings.output, name=name, definitions=definitions)
    parameters = _parameters(bound, bindings, detect(reading, bindings.output).implied, spec)
    return Bound(bound, bindings.output, (*files, *loras), parameters, services_of(reading))


def written(graph: Mapping[str, Any]) -> bytes:
    """Return a graph as it is sent and stored: canonical JSON, with seeds beyond 2^53 written in full."""
    mark = hashlib.sha256(repr(graph).encode(errors="surrogatepass")).hexdigest()  # no text in the graph contains it

    def marked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: marked(item) for key, item in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [marked(item) for item in cast("list[Any]", value)]
        return f"{mark}{value}{mark}" if type(value) is int and abs(value) >= _EXACT else value

    return re.sub(rb'"%b(-?\d+)%b"' % (mark.encode(), mark.encode()), rb"\1", canonical(marked(dict(graph))))


def _require_places(spec: RenderSpec, bindings: Bindings, unknown: Mapping[str, str], name: str) -> None:
    for item in spec.inputs:
        if item.role not in OFFER.roles:
            raise unbound(f"ComfyUI cannot use the input {item.label}.", f"It takes {', '.join(OFFER.roles)}.")
    for word, value in spec.parameters.items():
        if word in LABELS or (word == "negative_prompt" and value == "" and not bindings.places(word)):
            continue
        if word not in OFFER.parameters:
            raise unbound(
                f"The ComfyUI engine has no parameter {word[:80]!r}.",
                f"Its parameters are {', '.join(OFFER.parameters)}; other settings belong into the workflow.",
            )
        _value(word, value)
        if spec.produces == "image" and word == "frames" and value == 1:
            continue
        if not bindings.places(word):
            why = f" {unknown[word][0].upper()}{unknown[word][1:]}." if word in unknown else ""
            raise unbound(
                f"{name} has no place for the parameter {word!r}.{why}",
                f'Leave it out, or name the place: bindings with {{"{word}": [{{"node": …, "input": …}}]}}.',
            )


def _starts(
    graph: Graph, resolved: ResolvedBindings, spec: RenderSpec, name: str
) -> list[tuple[FilePlace, EngineInput]]:
    """Return the start image and further pictures with their places, in the order in which they are given.

    The last frame of the segment before goes to the first frame, and nowhere else.
    """
    bindings = resolved.bindings
    pictures = [*spec.in_role("variant"), *spec.in_role("source_image")]
    frames = spec.in_role(SEED_FRAME)
    place = bindings.start_image
    places = [file_place for file_place in bindings.files if file_place.role == "source_image"]
    if place is not None:
        start = FilePlace(**place.model_dump(), role="source_image", category="input")
        places = [start, *places]
    elif frames and places:
        why = resolved.unknown.get("start image")
        raise unbound(
            f"{name} has no place for a first frame, and {frames[0].label} is one."
            + (f" {why[0].upper()}{why[1:]}" if why else ""),
            'Name it: bindings with {"start_image": {"node": …, "input": …}}, or end the chain before this segment.',
        )
    given = [*frames[:1], *pictures[1:]] if frames else pictures
    if given and not places:
        raise unbound(
            f"{name} loads no image, so {given[0].label} has no place.", "Link a LoadImage node to its start_image."
        )
    if len(given) < len(places):
        raise unbound(
            f"{_named(graph, places[len(given)])} has no image to load.",
            f"Give an input in one of the roles {', '.join(START_ROLES)}.",
        )
    return list(zip(places, given, strict=False))


def _files(graph: Graph, bindings: Bindings, spec: RenderSpec, name: str) -> list[tuple[FilePlace, EngineInput]]:
    bound: list[tuple[FilePlace, EngineInput]] = []
    roles = {file_place.role for file_place in bindings.files} | {item.role for item in spec.inputs}
    for role in sorted(roles - {"workflow", "lora", *START_ROLES}):
        places = [file_place for file_place in bindings.files if file_place.role == role]
        given = spec.in_role(role)
        if len(given) > len(places):
            raise unbound(
                f"{name} has no node left for {given[len(places)].label}.",
                f"It loads {len(places) or 'nothing'} in the role {role}: leave it out, or use another workflow.",
            )
        if len(given) < len(places):
            raise unbound(
                f"{_named(graph, places[len(given)])} loads a file that the render does not name.",
                f"Give one more input in the role {role}: a file that is not recorded could change unnoticed.",
            )
        bound += zip(places, given, strict=True)
    return bound


def _loras(graph: Graph, bindings: Bindings, spec: RenderSpec, name: str) -> list[tuple[FilePlace, EngineInput]]:
    given = spec.in_role("lora")
    if len(given) != len(bindings.loras):
        which = (
            f"{name} has no node left for {given[len(bindings.loras)].label}."
            if len(given) > len(bindings.loras)
            else f"{_named(graph, bindings.loras[len(given)].file)} has no LoRA to load."
        )
        raise unbound(which, f"The workflow applies {len(bindings.loras) or 'no'} LoRAs: give as many, in their order.")
    return [
        (place.file, _with_strengths(graph, place, item)) for place, item in zip(bindings.loras, given, strict=True)
    ]


def _with_strengths(graph: Graph, lora: LoraPlace, item: EngineInput) -> EngineInput:
    """Return the LoRA with the strengths in effect: its own, else the graph's."""
    acting: dict[str, float] = {}
    for word in ("strength_model", "strength_clip"):
        place, requested = lora.strength(word), getattr(item, word)
        if place is None and requested is not None:
            if word == "strength_clip" and requested == item.strength_model:
                continue
            raise unbound(
                f"{_named(graph, lora.file)} has no {word}, and {item.label} asks for {requested}.",
                "Leave it out, or use a node that has it.",
            )
        if place is not None:
            if requested is not None:
                _set(graph, place, requested)
            value = value_at(graph, place)
            if type(value) in (int, float):
                acting[word] = float(value)
    return item.model_copy(update=acting)


def _require_all_in_effect(
    graph: Graph, bindings: Bindings, spec: RenderSpec, loras: list[tuple[FilePlace, EngineInput]], name: str
) -> None:
    """Raise ``Invalid`` if a place gets two values: a receipt would name one that is not in effect."""
    for place, (_, item) in zip(bindings.loras, loras, strict=True):
        for word in ("strength_model", "strength_clip"):
            spot, requested = place.strength(word), getattr(item, word)
            if spot is not None and requested is not None and value_at(graph, spot) != requested:
                raise _shared(name, graph, spot, f"{word} {requested} of {item.label}")
    for word in OFFER.parameters:
        for spot in bindings.places(word)[:1] if word in spec.parameters else ():
            requested, acts = _value(word, spec.parameters[word]), value_at(graph, spot)
            if acts != (str(requested) if type(acts) is str else requested):
                raise _shared(name, graph, spot, f"{word} {str(requested)[:80]!r}")


def _shared(name: str, graph: Graph, place: Place, what: str) -> Invalid:
    return unbound(
        f"In {name}, {place.input!r} of {_named(graph, place).lower()} serves several things at once: {what} and "
        f"{str(value_at(graph, place))[:80]!r} cannot both be.",
        "Give both the same value, or separate inputs in the workflow.",
    )


def _set_word(graph: Graph, places: tuple[Place, ...], value: Any) -> None:
    """Set the first place, and every other that has the same value."""
    if not places:
        return
    before = value_at(graph, places[0])
    for place in places:
        if value_at(graph, place) == before:
            _set(graph, place, str(value) if type(before) is str else value)


def _parameters(graph: Graph, bindings: Bindings, implied: Mapping[str, Any], spec: RenderSpec) -> dict[str, Any]:
    """Return the parameters in effect: those in their places, and those that the bound graph's nodes compute."""
    acting: dict[str, Any] = {}
    for word in OFFER.parameters:
        places = bindings.places(word)
        value = value_at(graph, places[0]) if places else implied.get(word)
        if value is not None:
            acting[word] = str(value) if word == "seed" else value
    if spec.produces == "image":
        acting["frames"] = 1
        acting.pop("fps", None)
    return acting


def _value(word: str, value: Any) -> Any:
    """Return a parameter as the graph holds it; raise ``Invalid`` for a value of the wrong type."""
    if word == "seed":
        if not isinstance(value, str) or not _SEED.fullmatch(value) or int(value) > MAX_SEED:
            raise unbound(
                f"The parameter 'seed' is {value!r}, not a number from 0 to 2^64 − 1 as a string.",
                'Write a seed as a string, such as "42".',
            )
        return int(value)
    whole = type(value) is int or (type(value) is float and value.is_integer())
    if word in _WHOLE:
        fits = whole and 1 <= value < _EXACT
    elif word in _NUMBERS or (word == "duration" and not isinstance(value, str)):
        fits = type(value) in (int, float) and abs(value) < _EXACT
    else:
        fits = isinstance(value, str)
    if not fits:
        kind = "a whole number above 0" if word in _WHOLE else "a number" if word in _NUMBERS else "text"
        raise unbound(f"The parameter {word!r} is {str(value)[:80]!r}, not {kind}.", "Change it.")
    return int(value) if word in _WHOLE or (word == "duration" and whole) else value


def _set(graph: Graph, place: Place, value: Any) -> None:
    holder: Any = graph[place.node]["inputs"]
    key: str | int = place.input
    for step in place.inside:
        holder, key = holder[key], step
    holder[key] = value


def _named(graph: Graph, place: Place) -> str:
    return f"Node {place.node} ({graph[place.node]['class_type']})"


def unbound(message: str, hint: str) -> Invalid:
    """Return the error for a spec that cannot be bound, raised before anything is submitted."""
    return Invalid(message, hint=hint, code="cannot_bind")
