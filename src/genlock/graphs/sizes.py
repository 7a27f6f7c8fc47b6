"""The size of what a graph makes: width, height, number of frames, and frames in a second."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from genlock.graphs.evaluation import Unknown
from genlock.graphs.meanings import word_for
from genlock.graphs.uses import Setting, Unresolved
from genlock.graphs.wiring import Wiring

_FRAMES = ("length", "frames", "num_frames", "video_frames", "frame_count")
_WORDS: Mapping[str, str] = {"width": "width", "height": "height", **dict.fromkeys(_FRAMES, "frames")}
_RATES = ("fps", "frame_rate")
_FOLLOWING = {"frames_number": "frames", "fps": "fps", "frame_rate": "fps"}
"""Inputs of nodes that have to follow the video: its sound, and the speed that conditions a model."""

_FOLLOWS = re.compile(r"^LTXV|EmptyLatentAudio|Conditioning$")
_SAVES = re.compile(r"^(CreateVideo|VHS_VideoCombine|Save(Video|WEBM|Animated\w+))$|(Save|Combine)\w*Video")
_LATENTS = ("LATENT", "CONDITIONING", "WANVIDIMAGE_EMBEDS", "HYVIDLATENT")


def sizes_of(wiring: Wiring, unresolved: list[Unresolved]) -> dict[str, tuple[Setting, ...]]:
    """Return the values set for ``width``, ``height``, ``frames`` and ``fps``, those of the video itself first.

    What is not known is added to ``unresolved``.
    """
    sizes: defaultdict[str, list[Setting]] = defaultdict(list)
    places = [*_of_videos(wiring), *_of_followers(wiring)]
    for key, name, word in dict.fromkeys(places):
        setting = wiring.setting(key, name)
        if isinstance(setting, Setting) and type(setting.value) in (int, float):
            sizes[word].append(setting)
        elif isinstance(setting, Unknown):
            unresolved.append(Unresolved(key, name, word, setting.reason))
    return {word: tuple(dict.fromkeys(settings)) for word, settings in sizes.items()}


def _of_videos(wiring: Wiring) -> Iterator[tuple[str, str, str]]:
    for key, node in wiring.nodes.items():
        if _makes_latents(wiring, key):
            yield from ((key, name, word) for name, word in _WORDS.items())
        elif _SAVES.search(node.class_type) or word_for(node.class_type, "fps") == "fps":
            yield from ((key, name, "fps") for name in _RATES)


def _makes_latents(wiring: Wiring, key: str) -> bool:
    """Return whether a node says how large the result is."""
    class_type, names = wiring.nodes[key].class_type, wiring.names_of(key)
    if word_for(class_type, "width") == "size":
        return True
    if not {"width", "height"} <= names:
        return False
    outputs = wiring.output_types(key)
    if outputs is not None and not any(output.startswith(_LATENTS) for output in outputs):
        return False
    return any(name in names for name in _FRAMES) or (outputs is not None and "LATENT" in outputs)


def _of_followers(wiring: Wiring) -> Iterator[tuple[str, str, str]]:
    for key, node in wiring.nodes.items():
        if _FOLLOWS.search(node.class_type) and not _makes_latents(wiring, key):
            yield from ((key, name, word) for name, word in _FOLLOWING.items())
