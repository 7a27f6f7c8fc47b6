"""Bindings: the place of each input and parameter in a graph, found by walking upstream from the output, or declared.

    {"version": 1, "output": "13", "start_image": {"node": "8", "input": "image"},
     "loras": [{"node": "2", "name": "lora_name", "strength_model": "strength_model"}],
     "seed": [{"node": "10", "input": "seed"}], …}

They are stored with a version of a workflow and are not part of its graph. Declared bindings override, field by field,
those that were detected.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import ValidationError

from genlock.engines.comfyui.detection import START, detect
from genlock.engines.comfyui.offer import OFFER, PROMPTS
from genlock.engines.comfyui.places import Bindings, ExtraOutput, FilePlace, Place, ResolvedBindings, value_at
from genlock.engines.comfyui.results import extra_outputs, saver_of
from genlock.engines.model import Produces
from genlock.errors import Invalid
from genlock.graphs.known.roles import ROLE_WORDS
from genlock.graphs.node_definition import NodeDefinition
from genlock.graphs.reading import read_uses
from genlock.graphs.wiring import Wiring
from genlock.model import Model

PICTURE_WORDS = {role: word for role, word in ROLE_WORDS.items() if role != "start"}
"""The words for what a picture is for."""

_PICTURE = "source_image"
_NUMBER = re.compile(r"\s*-?\d+(\.\d+)?\s*")


def find(
    graph: Mapping[str, Any],
    declared: Mapping[str, Any] | None,
    produces: Produces,
    name: str,
    definitions: Mapping[str, NodeDefinition] | None = None,
) -> ResolvedBindings:
    """Return the bindings of ``graph``: those ``declared`` for it, and found ones for the rest.

    ``definitions`` are those of the server's classes: with them, more is known. Raises ``Invalid``, with the workflow's
    ``name``, if it is not an API-format graph, if no node saves the result, or if a declared place does not exist.
    """
    stated = dict(declared or {})
    whole = read_uses(graph, name=name, definitions=definitions)
    output = str(stated["output"]) if "output" in stated else saver_of(graph, whole, produces, name, definitions)
    detected = detect(read_uses(graph, output, name=name, definitions=definitions), output)
    if produces == "image":
        detected = _with_first_picture(detected)
    try:
        bindings = _merged(detected.bindings, stated)
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(name, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    wiring = Wiring(graph, output, name, definitions)
    for place in bindings.every_place():
        if place.node not in wiring.nodes:
            raise _wrong(name, f"no node {place.node!r} leads to the output {output!r}")
        if place.input not in wiring.nodes[place.node].values:
            raise _wrong(name, f"node {place.node!r} holds no value {place.input!r}")
        if wiring.is_repeated(place.node):
            raise _wrong(name, f"node {place.node!r} is in a loop, and acts more than once")
        _walk(graph[place.node]["inputs"][place.input], place, name)
    _require_fitting(graph, bindings, stated, name)
    answered = {*stated, START} if "start_image" in stated else set(stated)
    return detected.model_copy(
        update={
            "bindings": bindings,
            "unknown": {word: why for word, why in detected.unknown.items() if word not in answered},
            "computed": tuple(place for place in detected.computed if place.word not in stated),
            "extra_outputs": extra_outputs(whole, output),
        }
    )


def _with_first_picture(detected: ResolvedBindings) -> ResolvedBindings:
    """Return bindings of a picture's graph: the first picture that it loads is the one that it starts from."""
    bindings = detected.bindings
    first = next((place for place in bindings.files if place.role == _PICTURE and place.purpose is None), None)
    if bindings.start_image is not None or first is None:
        return detected
    update = {
        "start_image": Place(node=first.node, input=first.input),
        "files": tuple(place for place in bindings.files if place != first),
    }
    unknown = {word: why for word, why in detected.unknown.items() if word != START}
    return detected.model_copy(update={"bindings": bindings.model_copy(update=update), "unknown": unknown})


def _merged(detected: Bindings, stated: Mapping[str, Any]) -> Bindings:
    """Return the bindings that were detected, overridden field by field: a file that is declared is nowhere else."""
    bindings = Bindings.model_validate({**detected.model_dump(), **stated})
    if "start_image" not in stated or "files" in stated:
        return bindings
    start, before = bindings.start_image, detected.start_image
    taken = None if start is None else (start.node, start.input)
    pictures = [place for place in bindings.files if place.role != _PICTURE or (place.node, place.input) != taken]
    if before is not None and before != start:
        pictures.append(FilePlace(**before.model_dump(), role=_PICTURE, category="input"))
    return bindings.model_copy(update={"files": tuple(pictures)})


class BoundPlace(Place):
    """A place as it is shown: the receipt's word for its value, the node's class, and the present value.

    A ``computed`` value cannot be set: the node and input take it, and ``sources`` are what it comes from. If it is
    known only when the graph runs, ``reason`` says why.
    """

    word: str
    class_type: str
    value: Any = None
    folder: str | None = None
    computed: bool = False
    sources: tuple[Place, ...] = ()
    reason: str | None = None


class WorkflowBindings(Model):
    """What a workflow's graph makes, and the places in it. ``declared`` are the bindings that were uploaded with it."""

    produces: Produces
    bindings: Bindings
    places: tuple[BoundPlace, ...]
    unknown: dict[str, str]
    declared: dict[str, Any] | None = None
    extra_outputs: tuple[ExtraOutput, ...] = ()


def show(
    graph: Mapping[str, Any],
    declared: dict[str, Any] | None,
    name: str,
    definitions: Mapping[str, NodeDefinition] | None = None,
) -> WorkflowBindings:
    """Return the bindings of a graph for its video, else for its picture; raise ``Invalid`` if it saves neither."""
    produces: Produces = "video"
    try:
        resolved = find(graph, declared, produces, name, definitions)
    except Invalid as error:
        if error.code != "cannot_bind":
            raise
        produces = "image"
        try:
            resolved = find(graph, declared, produces, name, definitions)
        except Invalid:
            raise error from None
    return WorkflowBindings(
        produces=produces,
        bindings=resolved.bindings,
        places=tuple(_shown(graph, resolved)),
        unknown=resolved.unknown,
        declared=declared,
        extra_outputs=resolved.extra_outputs,
    )


def _shown(graph: Mapping[str, Any], resolved: ResolvedBindings) -> Iterator[BoundPlace]:
    bindings = resolved.bindings
    places: list[tuple[str, Place | None]] = []
    for file in bindings.files:
        word = file.role if file.purpose is None else PICTURE_WORDS[file.purpose]
        places += [(word, file), *((word, file.model_copy(update=other.model_dump())) for other in file.also)]
    for lora in bindings.loras:
        strengths = (
            ("strength_model", lora.strength("strength_model")),
            ("strength_clip", lora.strength("strength_clip")),
        )
        places += [("lora", lora.file), *strengths]
    places.append((START, bindings.start_image))
    places += [(word, place) for word in OFFER.parameters for place in bindings.places(word)]
    places.append(("output prefix", bindings.output_prefix))
    for word, place in places:
        if place is not None:
            entry, value = graph[place.node], value_at(graph, place)
            yield BoundPlace(
                **Place.model_validate(place.model_dump(include={"node", "input", "inside"})).model_dump(),
                word=word,
                class_type=entry["class_type"],
                value=value,
                folder=place.category if isinstance(place, FilePlace) else None,
            )
    for place in resolved.computed:
        yield BoundPlace(**place.model_dump(), class_type=graph[place.node]["class_type"], computed=True)


def _walk(value: Any, place: Place, name: str) -> None:
    """Refuse a path ``inside`` a value that does not exist."""
    for step in place.inside:
        try:
            value = value[step]
        except (LookupError, TypeError) as error:
            raise _wrong(name, f"there is no {step!r} in {place.input!r} of node {place.node!r}") from error


def _require_fitting(graph: Mapping[str, Any], bindings: Bindings, stated: Mapping[str, Any], name: str) -> None:
    """Refuse two files in one place, and declared places whose value has another type."""
    files = [place for place in (bindings.start_image, *bindings.files) if place is not None]
    files += [lora.file for lora in bindings.loras]
    taken: set[tuple[str, str, tuple[str | int, ...]]] = set()
    for place in files:
        spot = (place.node, place.input, place.inside)
        if spot in taken:
            raise _wrong(name, f"{place.input!r} of node {place.node!r} cannot take two files")
        taken.add(spot)
    texts = {"start_image": files[:1] if bindings.start_image else [], "files": bindings.files}
    texts["loras"] = [lora.file for lora in bindings.loras]
    texts["output_prefix"] = [place for place in (bindings.output_prefix,) if place is not None]
    texts |= {word: bindings.places(word) for word in (*PROMPTS, "sampler", "scheduler", "resolution", "aspect_ratio")}
    for word, places in texts.items():
        for place in places if word in stated else ():
            if not isinstance(value_at(graph, place), str):
                raise _wrong(name, f"{word} needs a text, and {place.input!r} of node {place.node!r} is not one")
    numbers = {word: bindings.places(word) for word in OFFER.parameters if word not in texts}
    words: tuple[Literal["strength_model", "strength_clip"], ...] = ("strength_model", "strength_clip")
    numbers["loras"] = tuple(
        place for lora in bindings.loras for word in words if (place := lora.strength(word)) is not None
    )
    for word, places in numbers.items():
        for place in places if word in stated else ():
            if not _is_number(value_at(graph, place)):
                what = "a strength" if word == "loras" else word
                raise _wrong(name, f"{what} needs a number, and {place.input!r} of node {place.node!r} is not one")


def _is_number(value: Any) -> bool:
    """Return whether a value is a number, or a text that is one: some nodes store seeds and numbers as text."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return type(value) in (int, float)


def _wrong(name: str, why: str) -> Invalid:
    return Invalid(
        f"The bindings of {name} do not fit its graph: {why}.",
        hint="`genlock workflow show` lists the places; upload the workflow again with bindings that fit.",
        code="bad_bindings",
    )
