"""Bindings: the place of each input and parameter in a graph, found by walking upstream from the output, or declared.

    {"version": 1, "output": "13", "start_image": {"node": "8", "input": "image"},
     "loras": [{"node": "2", "name": "lora_name", "strength_model": "strength_model"}],
     "seed": [{"node": "10", "input": "seed"}], …}

They are stored with a version of a workflow and are not part of its graph. Declared bindings override, field by field,
those that were found.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from pydantic import Field, ValidationError

from genlock.engines.comfyui.offer import OFFER, PROMPTS, SAMPLING, SIZES
from genlock.errors import Invalid
from genlock.graphs.reading import read_uses
from genlock.graphs.uses import FileUse, ImageUse, OutputUse, Reading, Setting, TextUse
from genlock.graphs.wiring import Wiring
from genlock.kinds import folder_for
from genlock.model import Kind, Model

Produces = Literal["video", "image"]

_SAVERS: Mapping[str, tuple[str, ...]] = {
    "video": ("SaveVideo", "VHS_VideoCombine", "SaveWEBM", "SaveAnimatedWEBP"),
    "image": ("SaveImage",),
}

_NUMBER = re.compile(r"\s*-?\d+(\.\d+)?\s*")


class Place(Model):
    """An input of a node; ``inside`` is the path into a value that holds several things."""

    node: str
    input: str
    inside: tuple[str | int, ...] = ()


class LoraPlace(Model):
    """The place of a LoRA: ``name`` is the input that chooses it; strengths are inputs of the same node, or places."""

    node: str
    name: str
    strength_model: str | Place | None = None
    strength_clip: str | Place | None = None
    category: str = "loras"
    inside: tuple[str | int, ...] = ()

    @property
    def file(self) -> "FilePlace":
        """The place of the LoRA's file."""
        return FilePlace(node=self.node, input=self.name, role="lora", category=self.category, inside=self.inside)

    def strength(self, word: Literal["strength_model", "strength_clip"]) -> Place | None:
        """Return the place of a strength."""
        place = self.strength_model if word == "strength_model" else self.strength_clip
        return Place(node=self.node, input=place) if isinstance(place, str) else place


class FilePlace(Place):
    """The place of a file: its role in a receipt, and the folder of ComfyUI that it is loaded from."""

    role: str
    category: str


class Bindings(Model):
    """Every place of a graph that a render fills. Several places of a word are in the order in which they act."""

    version: Literal[1] = 1
    output: str
    start_image: Place | None = None
    files: tuple[FilePlace, ...] = ()
    """Models, VAEs, text encoders and further files; the n-th of a role takes the n-th input in that role."""
    loras: tuple[LoraPlace, ...] = ()
    prompt: tuple[Place, ...] = ()
    negative_prompt: tuple[Place, ...] = ()
    seed: tuple[Place, ...] = ()
    steps: tuple[Place, ...] = ()
    cfg: tuple[Place, ...] = ()
    sampler: tuple[Place, ...] = ()
    scheduler: tuple[Place, ...] = ()
    denoise: tuple[Place, ...] = ()
    width: tuple[Place, ...] = ()
    height: tuple[Place, ...] = ()
    frames: tuple[Place, ...] = ()
    fps: tuple[Place, ...] = ()
    output_prefix: Place | None = None

    def places(self, word: str) -> tuple[Place, ...]:
        """Return the places of a parameter of the engine."""
        return cast("tuple[Place, ...]", getattr(self, word))

    def every_place(self) -> tuple[Place, ...]:
        """Return all places, of files and of values."""
        single = tuple(place for place in (self.start_image, self.output_prefix) if place is not None)
        strengths = (
            strength
            for lora in self.loras
            for strength in (lora.strength("strength_model"), lora.strength("strength_clip"))
            if strength is not None
        )
        values = (place for word in OFFER.parameters for place in self.places(word))
        return (*single, *self.files, *(lora.file for lora in self.loras), *strengths, *values)


class ResolvedBindings(Model):
    """The bindings of a graph, and why others are unknown, by the receipt's word for them."""

    bindings: Bindings
    unknown: dict[str, str] = Field(default_factory=dict[str, str])
    implied: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Parameters in effect that no single value holds, such as the text of joined prompts."""


def find(
    graph: Mapping[str, Any], declared: Mapping[str, Any] | None, produces: Produces, name: str
) -> ResolvedBindings:
    """Return the bindings of ``graph``: those ``declared`` for it, and found ones for the rest.

    Raises ``Invalid``, with the workflow's ``name``, if it is not an API-format graph, if no single node saves the
    result, or if a declared place does not exist in the graph.
    """
    stated = dict(declared or {})
    output = str(stated["output"]) if "output" in stated else _output(read_uses(graph, name=name), produces, name)
    reading = read_uses(graph, output, name=name)
    detected = _detect(reading, output)
    try:
        bindings = Bindings.model_validate({**detected.bindings.model_dump(), **stated})
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(name, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    nodes = Wiring(graph, output, name).nodes
    for place in bindings.every_place():
        if place.node not in nodes:
            raise _wrong(name, f"no node {place.node!r} leads to the output {output!r}")
        if place.input not in nodes[place.node].values:
            raise _wrong(name, f"node {place.node!r} holds no value {place.input!r}")
        _walk(graph[place.node]["inputs"][place.input], place, name)
    _require_fitting(graph, bindings, stated, name)
    unknown = {word: why for word, why in detected.unknown.items() if word not in stated}
    return ResolvedBindings(bindings=bindings, unknown=unknown, implied=detected.implied)


class BoundPlace(Place):
    """A place as it is shown: the receipt's word for its value, the node's class, and the present value."""

    word: str
    class_type: str
    value: Any = None


class WorkflowBindings(Model):
    """What a workflow's graph makes, and the places in it. ``declared`` are the bindings that were uploaded with it."""

    produces: Produces
    bindings: Bindings
    places: tuple[BoundPlace, ...]
    unknown: dict[str, str]
    declared: dict[str, Any] | None = None


def show(graph: Mapping[str, Any], declared: dict[str, Any] | None, name: str) -> WorkflowBindings:
    """Return the bindings of a graph for its video, else for its picture; raise ``Invalid`` if it saves neither."""
    produces: Produces = "video"
    try:
        resolved = find(graph, declared, produces, name)
    except Invalid as error:
        if error.code != "cannot_bind":
            raise
        produces = "image"
        try:
            resolved = find(graph, declared, produces, name)
        except Invalid:
            raise error from None
    return WorkflowBindings(
        produces=produces,
        bindings=resolved.bindings,
        places=tuple(_shown(graph, resolved.bindings)),
        unknown=resolved.unknown,
        declared=declared,
    )


def _shown(graph: Mapping[str, Any], bindings: Bindings) -> Iterator[BoundPlace]:
    places: list[tuple[str, Place | None]] = [(file_place.role, file_place) for file_place in bindings.files]
    for lora in bindings.loras:
        strengths = (
            ("strength_model", lora.strength("strength_model")),
            ("strength_clip", lora.strength("strength_clip")),
        )
        places += [("lora", lora.file), *strengths]
    places.append(("start image", bindings.start_image))
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
            )


def _detect(reading: Reading, output: str) -> ResolvedBindings:
    start, others = _pictures(reading.images)
    other_places = {(image.node, image.input) for image in others}
    files = tuple(
        FilePlace(node=use.node, input=use.input, inside=use.inside, role=use.role, category=_category(use))
        for use in reading.files
        if use.role not in ("lora", "source_image") or (use.node, use.input) in other_places
    )
    loras = tuple(_lora(use) for use in reading.of_role("lora"))
    places = {
        "prompt": _texts(reading.texts_of("positive")),
        "negative_prompt": _texts(reading.texts_of("negative")),
        **{word: _settings(sampler.settings.get(word) for sampler in reading.samplers) for word in SAMPLING},
        **{word: _settings(reading.sizes.get(word, ())) for word in SIZES},
    }
    prefix = next((use.prefix for use in reading.outputs if use.node == output), None)
    implied = {word: value for sampler in reversed(reading.samplers) for word, value in sampler.implied.items()}
    for word, side in (("prompt", "positive"), ("negative_prompt", "negative")):
        texts = reading.texts_of("positive" if side == "positive" else "negative")
        if texts and texts[0].text is not None:
            implied[word] = texts[0].text
    return ResolvedBindings(
        bindings=Bindings.model_validate(
            {
                "output": output,
                "start_image": None if start is None else Place(node=start.node, input=start.input),
                "files": files,
                "loras": loras,
                "output_prefix": None if prefix is None else _place(prefix),
                **places,
            }
        ),
        unknown={
            unresolved.word: f"{unresolved.input or 'an input'} of node {unresolved.node}: {unresolved.reason}"
            for unresolved in reading.unresolved
        },
        implied=implied,
    )


def _pictures(images: Sequence[ImageUse]) -> tuple[ImageUse | None, tuple[ImageUse, ...]]:
    """Return the start image and the other pictures; if none is marked as start image, the first is."""
    starts = [image for image in images if "start_image" in image.purposes] or list(images)
    start = starts[0] if starts else None
    return start, tuple(image for image in images if image != start)


def _output(reading: Reading, produces: Produces, name: str) -> str:
    """Return the node that saves the result: by its class, or as the only one."""
    for class_type in _SAVERS[produces]:
        fitting = [use for use in reading.outputs if use.class_type == class_type]
        if fitting:
            return _only(fitting, produces, name)
    others = {class_type for kind, classes in _SAVERS.items() if kind != produces for class_type in classes}
    return _only([use for use in reading.outputs if use.prefix and use.class_type not in others], produces, name)


def _only(uses: Sequence[OutputUse], produces: Produces, name: str) -> str:
    if len(uses) == 1:
        return uses[0].node
    what = "video" if produces == "video" else "picture"
    if not uses:
        raise Invalid(
            f"No node of {name} is known to save a {what}.",
            hint=f"Add {' or '.join(_SAVERS[produces])}, or name the node that does: bindings with "
            '{"output": "its id"}.',
            code="cannot_bind",
        )
    nodes = ", ".join(f"{use.node} ({use.class_type})" for use in uses)
    raise Invalid(
        f"Several nodes of {name} save a {what}: {nodes}.",
        hint=f'Say which one makes the take: bindings with {{"output": "{uses[0].node}"}}.',
        code="cannot_bind",
    )


def _category(use: FileUse) -> str:
    return use.category or folder_for(Kind(use.role))


def _lora(use: FileUse) -> LoraPlace:
    return LoraPlace(
        node=use.node,
        name=use.input,
        inside=use.inside,
        category=_category(use),
        strength_model=_strength(use, use.strength_model),
        strength_clip=_strength(use, use.strength_clip),
    )


def _strength(use: FileUse, setting: Setting | None) -> str | Place | None:
    if setting is None:
        return None
    return setting.input if setting.node == use.node and not setting.inside else _place(setting)


def _place(setting: Setting) -> Place:
    return Place(node=setting.node, input=setting.input, inside=setting.inside)


def _settings(settings: Any) -> tuple[Place, ...]:
    present: list[Setting | None] = list(settings)
    return tuple(dict.fromkeys(_place(setting) for setting in present if setting is not None))


def _texts(texts: Sequence[TextUse]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(Place(node=text.node, input=text.input) for text in texts if text.literal))


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
    texts |= {word: bindings.places(word) for word in (*PROMPTS, "sampler", "scheduler")}
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


def value_at(graph: Mapping[str, Any], place: Place) -> Any:
    """Return the value in a place of a graph."""
    value = graph[place.node]["inputs"][place.input]
    for step in place.inside:
        value = value[step]
    return value


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
