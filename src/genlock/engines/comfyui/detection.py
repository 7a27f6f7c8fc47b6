"""Finds the places of a graph: what is read from it becomes bindings, and what is not sure a question. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from genlock.engines.comfyui.offer import OFFER, PROMPTS, SAMPLING, SERVICES, SIZES
from genlock.engines.comfyui.places import Bindings, ComputedPlace, FilePlace, LoraPlace, Place, ResolvedBindings
from genlock.graphs.uses import FileUse, ImageUse, PartnerUse, Reading, Setting, Side, TextUse
from genlock.kinds import folder_for
from genlock.model import Kind

START = "start image"
_SIDES: dict[str, Side] = {"prompt": "positive", "negative_prompt": "negative"}


def detect(reading: Reading, output: str) -> ResolvedBindings:
    """Return the bindings of what was read from a graph for the node ``output``."""
    start = next((image for image in reading.images if image.role == "start"), None)
    settings = {word: list(_settings_of(reading, word)) for word in OFFER.parameters}
    prefix = next((use.prefix for use in reading.outputs if use.node == output), None)
    places: dict[str, Any] = {word: _places(matches) for word, matches in settings.items()}
    for word, side in _SIDES.items():
        places[word] = tuple(dict.fromkeys((*_texts(reading.texts_of(side)), *places[word])))
    computed = tuple(_computed(reading, settings))
    implied = {place.word: place.value for place in reversed(computed) if place.value is not None}
    return ResolvedBindings(
        bindings=Bindings.model_validate(
            {
                "output": output,
                "start_image": None if start is None else Place(node=start.node, input=start.input),
                "files": _files(reading, start),
                "loras": tuple(_lora(use) for use in reading.of_role("lora")),
                "output_prefix": None if prefix is None or prefix.is_computed else _place(prefix),
                **places,
            }
        ),
        computed=computed,
        unknown=_unknown(reading, start),
        implied=implied,
    )


def services_of(reading: Reading) -> dict[str, str]:
    """Return what a receipt's environment says of the services that ran nodes; empty if none did.

    A service may change its model at any time, and does not give the same bytes twice.
    """
    if not reading.partners:
        return {}
    services: list[str] = []
    for partner in reading.partners:
        models = [str(setting.value) for setting in partner.settings.get("service_model", ())]
        services.append(" ".join([partner.service, *models]))
    return {
        "services": ", ".join(dict.fromkeys(services)),
        "reproducible": "no: a service rendered it, and need not give the same frames again",
    }


def _settings_of(reading: Reading, word: str) -> Iterator[Setting]:
    """Yield the values of a word, in the order in which they act."""
    if word in SAMPLING:
        for sampler in reading.samplers:
            setting = sampler.settings.get(word) or sampler.implied.get(word)
            if setting is not None:
                yield setting
    elif word in SIZES:
        yield from reading.sizes.get(word, ())
    if word in (*PROMPTS, *SERVICES, "seed", "fps"):
        for partner in _partners(reading):
            yield from partner.settings.get(word, ())


def _partners(reading: Reading) -> Sequence[PartnerUse]:
    """Return the nodes of services that make the video; if none does, those that make what it is made of."""
    return [use for use in reading.partners if use.makes_video] or reading.partners


def _computed(reading: Reading, settings: dict[str, list[Setting]]) -> Iterator[ComputedPlace]:
    """Yield the values that no place of the graph holds: those that nodes compute, then those that are not known."""
    for word, side in _SIDES.items():
        for text in reading.texts_of(side):
            if not text.literal and text.text:
                yield ComputedPlace(node=text.node, input=text.input, word=word, value=text.text)
    for word, matches in settings.items():
        for setting in matches:
            if setting.is_computed and not (word == "cfg" and setting.sources == ()):
                sources = tuple(Place(node=node, input=name) for node, name in setting.sources or ())
                yield ComputedPlace(
                    node=setting.node, input=setting.input, word=word, value=setting.value, sources=sources
                )
    for unresolved in reading.unresolved:
        if unresolved.word in OFFER.parameters and unresolved.input:
            yield ComputedPlace(
                node=unresolved.node, input=unresolved.input, word=unresolved.word, reason=unresolved.reason
            )
    for partner in _partners(reading):
        for name, word, reason in partner.unknown:
            if word in OFFER.parameters:
                yield ComputedPlace(node=partner.node, input=name, word=word, reason=reason)


def _unknown(reading: Reading, start: ImageUse | None) -> dict[str, str]:
    unknown = {
        unresolved.word: f"{unresolved.input or 'an input'} of node {unresolved.node}: {unresolved.reason}"
        for unresolved in reading.unresolved
    }
    questions = [image.question for image in reading.images if image.question is not None]
    if start is None and questions:
        unknown[START] = questions[0]
    return unknown


def _files(reading: Reading, start: ImageUse | None) -> tuple[FilePlace, ...]:
    """Return the places of all files but the start image and LoRAs; a file in several places once."""
    images = {(image.node, image.input): image for image in reading.images}
    places: dict[tuple[Any, ...], FilePlace] = {}
    for use in reading.files:
        image = images.get((use.node, use.input))
        if use.role == "lora" or (image is not None and image == start):
            continue
        purpose = None if image is None or image.role == "start" else image.role
        place = FilePlace(
            node=use.node, input=use.input, inside=use.inside, role=use.role, category=_category(use), purpose=purpose
        )
        key = (use.role, place.category, use.name, purpose)
        first = places.setdefault(key, place)
        if first is not place:
            other = Place(node=use.node, input=use.input, inside=use.inside)
            places[key] = first.model_copy(update={"also": (*first.also, other)})
    return tuple(places.values())


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
    if setting is None or setting.is_computed:
        return None
    return setting.input if setting.node == use.node and not setting.inside else _place(setting)


def _place(setting: Setting) -> Place:
    return Place(node=setting.node, input=setting.input, inside=setting.inside)


def _places(settings: Iterable[Setting]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(_place(setting) for setting in settings if not setting.is_computed))


def _texts(texts: Sequence[TextUse]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(Place(node=text.node, input=text.input) for text in texts if text.literal))
