"""Bindings: which input of which node takes what. Found by walking upstream from the output node, or said by a person.

    {"version": 1, "output": "13", "start_image": {"node": "8", "input": "image"},
     "loras": [{"node": "2", "name": "lora_name", "strength_model": "strength_model"}],
     "seed": [{"node": "10", "input": "seed"}], …}

They are kept beside a version of a workflow and are no part of its graph. What a person says wins, field by field, over
what was found.
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
    """One input of one node; ``inside`` leads into a value that holds several things."""

    node: str
    input: str
    inside: tuple[str | int, ...] = ()


class LoraPlace(Model):
    """Where a LoRA goes: ``name`` is the input that chooses it; strengths are inputs of the same node, or places."""

    node: str
    name: str
    strength_model: str | Place | None = None
    strength_clip: str | Place | None = None
    category: str = "loras"
    inside: tuple[str | int, ...] = ()

    @property
    def file(self) -> "FilePlace":
        """The place of its file."""
        return FilePlace(node=self.node, input=self.name, role="lora", category=self.category, inside=self.inside)

    def strength(self, word: Literal["strength_model", "strength_clip"]) -> Place | None:
        """The place of one of its strengths."""
        said = self.strength_model if word == "strength_model" else self.strength_clip
        return Place(node=self.node, input=said) if isinstance(said, str) else said


class FilePlace(Place):
    """Where a file goes: its role in a receipt, and the folder of ComfyUI that it is loaded from."""

    role: str
    category: str


class Bindings(Model):
    """Every place of a graph that a render fills. Several places of one word are in the order in which they act."""

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
        """The places of one of the engine's parameters."""
        return cast("tuple[Place, ...]", getattr(self, word))

    def every_place(self) -> tuple[Place, ...]:
        """All places, of files and of values."""
        single = tuple(one for one in (self.start_image, self.output_prefix) if one is not None)
        strengths = (
            found
            for lora in self.loras
            for found in (lora.strength("strength_model"), lora.strength("strength_clip"))
            if found is not None
        )
        values = (place for word in OFFER.parameters for place in self.places(word))
        return (*single, *self.files, *(lora.file for lora in self.loras), *strengths, *values)


class Found(Model):
    """The bindings of a graph, with what could not be found and why, by the receipt's word for it."""

    bindings: Bindings
    unknown: dict[str, str] = Field(default_factory=dict[str, str])
    known: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Parameters that are known although no value holds them, such as the text of joined prompts."""


def find(graph: Mapping[str, Any], said: Mapping[str, Any] | None, produces: Produces, name: str) -> Found:
    """The bindings of ``graph``: what a person ``said`` of it, and for the rest what is found.

    ``Invalid``, naming the workflow by ``name``, if it is no API-format graph, if what saves the result cannot be told,
    or if something that was said names a place that the graph has not.
    """
    stated = dict(said or {})
    output = str(stated["output"]) if "output" in stated else _output(read_uses(graph, name=name), produces, name)
    reading = read_uses(graph, output, name=name)
    found = _found(reading, output)
    try:
        bindings = Bindings.model_validate({**found.bindings.model_dump(), **stated})
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
    unknown = {word: why for word, why in found.unknown.items() if word not in stated}
    return Found(bindings=bindings, unknown=unknown, known=found.known)


class BoundPlace(Place):
    """A place as it is shown: what a receipt calls what goes there, the node's class, and what stands there now."""

    word: str
    class_type: str
    value: Any = None


class WorkflowBindings(Model):
    """What a workflow's graph makes and where everything goes in it. ``said`` is what a person said of it."""

    produces: Produces
    bindings: Bindings
    places: tuple[BoundPlace, ...]
    unknown: dict[str, str]
    said: dict[str, Any] | None = None


def show(graph: Mapping[str, Any], said: dict[str, Any] | None, name: str) -> WorkflowBindings:
    """The bindings of a graph for the video it makes, else for the picture; ``Invalid`` if it makes neither."""
    produces: Produces = "video"
    try:
        found = find(graph, said, produces, name)
    except Invalid as error:
        if error.code != "cannot_bind":
            raise
        produces = "image"
        try:
            found = find(graph, said, produces, name)
        except Invalid:
            raise error from None
    return WorkflowBindings(
        produces=produces,
        bindings=found.bindings,
        places=tuple(_shown(graph, found.bindings)),
        unknown=found.unknown,
        said=said,
    )


def _shown(graph: Mapping[str, Any], bindings: Bindings) -> Iterator[BoundPlace]:
    places: list[tuple[str, Place | None]] = [(one.role, one) for one in bindings.files]
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


def _found(reading: Reading, output: str) -> Found:
    start, others = _pictures(reading.images)
    files = tuple(
        FilePlace(node=one.node, input=one.input, inside=one.inside, role=one.role, category=_category(one))
        for one in reading.files
        if one.role not in ("lora", "source_image") or (one.node, one.input) in {(it.node, it.input) for it in others}
    )
    loras = tuple(_lora(one) for one in reading.of_role("lora"))
    places = {
        "prompt": _texts(reading.texts_of("positive")),
        "negative_prompt": _texts(reading.texts_of("negative")),
        **{word: _settings(one.settings.get(word) for one in reading.samplers) for word in SAMPLING},
        **{word: _settings(reading.sizes.get(word, ())) for word in SIZES},
    }
    saved = next((one.prefix for one in reading.outputs if one.node == output), None)
    known = {word: value for one in reversed(reading.samplers) for word, value in one.implied.items()}
    for word, side in (("prompt", "positive"), ("negative_prompt", "negative")):
        texts = reading.texts_of("positive" if side == "positive" else "negative")
        if texts and texts[0].text is not None:
            known[word] = texts[0].text
    return Found(
        bindings=Bindings.model_validate(
            {
                "output": output,
                "start_image": None if start is None else Place(node=start.node, input=start.input),
                "files": files,
                "loras": loras,
                "output_prefix": None if saved is None else _place(saved),
                **places,
            }
        ),
        unknown={one.word: f"{one.input or 'an input'} of node {one.node}: {one.reason}" for one in reading.unresolved},
        known=known,
    )


def _pictures(images: Sequence[ImageUse]) -> tuple[ImageUse | None, tuple[ImageUse, ...]]:
    """The picture that a render starts from, and the others; the first of several, if none says that it is one."""
    starts = [one for one in images if "start_image" in one.purposes] or list(images)
    start = starts[0] if starts else None
    return start, tuple(one for one in images if one != start)


def _output(reading: Reading, produces: Produces, name: str) -> str:
    """The one node that saves what is wanted. By its class, or as the only one there is."""
    for class_type in _SAVERS[produces]:
        fitting = [one for one in reading.outputs if one.class_type == class_type]
        if fitting:
            return _only(fitting, produces, name)
    others = {one for kind, classes in _SAVERS.items() if kind != produces for one in classes}
    return _only([one for one in reading.outputs if one.prefix and one.class_type not in others], produces, name)


def _only(found: Sequence[OutputUse], produces: Produces, name: str) -> str:
    if len(found) == 1:
        return found[0].node
    what = "video" if produces == "video" else "picture"
    if not found:
        raise Invalid(
            f"No node of {name} is known to save a {what}.",
            hint=f"Add {' or '.join(_SAVERS[produces])}, or name the node that does: bindings with "
            '{"output": "its id"}.',
            code="cannot_bind",
        )
    nodes = ", ".join(f"{one.node} ({one.class_type})" for one in found)
    raise Invalid(
        f"Several nodes of {name} save a {what}: {nodes}.",
        hint=f'Say which one makes the take: bindings with {{"output": "{found[0].node}"}}.',
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
    found: list[Setting | None] = list(settings)
    return tuple(dict.fromkeys(_place(one) for one in found if one is not None))


def _texts(texts: Sequence[TextUse]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(Place(node=one.node, input=one.input) for one in texts if one.literal))


def _walk(value: Any, place: Place, name: str) -> None:
    """Refuse a way ``inside`` a value that leads nowhere."""
    for step in place.inside:
        try:
            value = value[step]
        except (LookupError, TypeError) as error:
            raise _wrong(name, f"there is no {step!r} in {place.input!r} of node {place.node!r}") from error


def _require_fitting(graph: Mapping[str, Any], bindings: Bindings, stated: Mapping[str, Any], name: str) -> None:
    """Refuse two files in one place, and what a person said of a place that holds something else."""
    files = [one for one in (bindings.start_image, *bindings.files) if one is not None]
    files += [lora.file for lora in bindings.loras]
    taken: set[tuple[str, str, tuple[str | int, ...]]] = set()
    for place in files:
        spot = (place.node, place.input, place.inside)
        if spot in taken:
            raise _wrong(name, f"{place.input!r} of node {place.node!r} cannot take two files")
        taken.add(spot)
    texts = {"start_image": files[:1] if bindings.start_image else [], "files": bindings.files}
    texts["loras"] = [lora.file for lora in bindings.loras]
    texts["output_prefix"] = [one for one in (bindings.output_prefix,) if one is not None]
    texts |= {word: bindings.places(word) for word in (*PROMPTS, "sampler", "scheduler")}
    for word, places in texts.items():
        for place in places if word in stated else ():
            if not isinstance(value_at(graph, place), str):
                raise _wrong(name, f"{word} goes where a text is, and {place.input!r} of node {place.node!r} is none")
    numbers = {word: bindings.places(word) for word in OFFER.parameters if word not in texts}
    words: tuple[Literal["strength_model", "strength_clip"], ...] = ("strength_model", "strength_clip")
    numbers["loras"] = tuple(
        one for lora in bindings.loras for word in words if (one := lora.strength(word)) is not None
    )
    for word, places in numbers.items():
        for place in places if word in stated else ():
            if not _is_number(value_at(graph, place)):
                what = "a strength" if word == "loras" else word
                raise _wrong(name, f"{what} goes where a number is, and {place.input!r} of node {place.node!r} is none")


def value_at(graph: Mapping[str, Any], place: Place) -> Any:
    """What stands in a place of a graph."""
    value = graph[place.node]["inputs"][place.input]
    for step in place.inside:
        value = value[step]
    return value


def _is_number(value: Any) -> bool:
    """Some nodes keep their seed or number as a text."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return type(value) in (int, float)


def _wrong(name: str, why: str) -> Invalid:
    return Invalid(
        f"The bindings of {name} do not fit its graph: {why}.",
        hint="`genlock workflow show` lists what was found; upload the workflow again with bindings that fit.",
        code="bad_bindings",
    )
