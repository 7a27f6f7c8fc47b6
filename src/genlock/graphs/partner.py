"""Nodes that a partner's service runs: what they take, by the names of their inputs, and which service it is.

KlingFirstLastFrameNode  prompt, duration, first_frame, end_frame, model, seed
ByteDance2ReferenceNodeV2  model = "Seedance 2.5", model.prompt, model.duration, model.reference_images.image_1
"""

import re
from collections.abc import Iterator, Mapping

from genlock.graphs.evaluation import Unknown
from genlock.graphs.uses import PartnerUse, Setting
from genlock.graphs.wiring import Wiring

_WORDS: Mapping[str, re.Pattern[str]] = {
    "negative_prompt": re.compile(r"negative(_prompt)?"),
    "prompt": re.compile(r"prompt|prompt_text|text_prompt|storyboard_\d+_prompt|text|script"),
    "seed": re.compile(r"seed"),
    "duration": re.compile(r"duration(_s|_seconds)?|length_s|storyboard_\d+_duration"),
    "resolution": re.compile(r"(max_|target_|output_|upscaler_)?resolution|quality|size|video_size"),
    "aspect_ratio": re.compile(r"(aspect_?)?ratio"),
    "fps": re.compile(r"fps|frame_rate"),
    "service_model": re.compile(r"model|model_name|model_version|tool_version|upscaler_model"),
}
"""The words of a receipt, with the last parts of the names of the inputs that they are."""

_TEXTS = frozenset({"negative_prompt", "prompt", "resolution", "aspect_ratio", "service_model"})

_CLASSES = re.compile(
    r"(Api|API)$|^LtxvApi|^LtxApi|^(?P<service>Beeble|Bria|ByteDance|Flux3|Gemini|Grok|HappyHorse|HeyGen|HitPaw"
    r"|Kling|Luma|Minimax|Moonvalley|OpenAI|Pika|Pixverse|Recraft|Runway|Sync[A-Z]|Topaz|Veo|Vidu|Wavespeed)"
)
"""Classes of services, for graphs whose server is not known."""

_SERVICES: Mapping[str, str] = {"ByteDance": "ByteDance", "HappyHorse": "Wan", "Ltx": "LTX", "Veo": "Google"}


def is_partner(wiring: Wiring, key: str) -> bool:
    """Return whether a service runs a node: by its definition, else by the name of its class."""
    definition = wiring.definition(key)
    return definition.is_partner if definition is not None else bool(_CLASSES.search(wiring.nodes[key].class_type))


def partners_of(wiring: Wiring) -> Iterator[PartnerUse]:
    """Yield the nodes that services run, sources first."""
    for key, node in wiring.nodes.items():
        if is_partner(wiring, key):
            settings: dict[str, list[Setting]] = {}
            unknown: list[tuple[str, str, str]] = []
            for name in sorted(wiring.names_of(key), key=_in_order):
                word = _word(name)
                setting = wiring.setting(key, name) if word is not None else None
                if word is None or setting is None:
                    continue
                if isinstance(setting, Unknown):
                    unknown.append((name, word, setting.reason))
                elif _fits(name, word, setting.value):
                    settings.setdefault(word, []).append(setting)
            outputs = wiring.output_types(key)
            yield PartnerUse(
                key,
                node.class_type,
                _service(wiring, key),
                {word: tuple(values) for word, values in settings.items()},
                tuple(unknown),
                outputs is None or "VIDEO" in outputs,
            )


def _in_order(name: str) -> tuple[bool, str]:
    """Sort the inputs of a whole before those of its parts: ``prompt`` before ``storyboard_1_prompt``."""
    return "storyboard" in name, name


def _word(name: str) -> str | None:
    last = name[:200].rpartition(".")[2]
    return next((word for word, pattern in _WORDS.items() if pattern.fullmatch(last)), None)


def _fits(name: str, word: str, value: object) -> bool:
    if word in _TEXTS:
        # "quality" may be a resolution such as 720p, or a word such as high.
        is_size = word != "resolution" or "resolution" in name or re.search(r"\d", str(value)) is not None
        return isinstance(value, str) and is_size
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _service(wiring: Wiring, key: str) -> str:
    definition = wiring.definition(key)
    if definition is not None and definition.category.count("/") >= 2:
        return definition.category.rpartition("/")[2]
    match = _CLASSES.search(wiring.nodes[key].class_type)
    name = (match["service"] if match is not None else None) or wiring.nodes[key].class_type
    return _SERVICES.get(name, name)
