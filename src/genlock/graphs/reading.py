"""What a graph uses to make its outputs: files, prompts, sampling, sizes and pictures, each with its place.

    output ◀── decoder ◀── sampler ◀── LoRA ◀── LoRA ◀── model         walked upstream, read in the order it acts
                             ◀── conditioning ◀── prompt

Two readers build on it: what binds a wish to a graph, and what makes a receipt of a graph that was run.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from genlock.errors import Invalid
from genlock.graphs.files import files_of
from genlock.graphs.meanings import word_for
from genlock.graphs.texts import side_of, takes_text, texts_at, texts_of_sampling
from genlock.graphs.uses import (
    FileUse,
    ImageUse,
    OutputUse,
    Reading,
    SamplerUse,
    Setting,
    TextUse,
    Unresolved,
)
from genlock.graphs.wiring import Unknown, Wiring, is_sampler

_ON_SAMPLERS: Mapping[str, str] = {
    "seed": "seed",
    "noise_seed": "seed",
    "steps": "steps",
    "cfg": "cfg",
    "sampler_name": "sampler",
    "scheduler": "scheduler",
    "denoise": "denoise",
}
_PARTS = ("noise", "guider", "sampler", "sigmas")
"""Inputs of a sampler behind which other nodes tell it what to do."""

MAX_FILES = 900
"""How many files a graph may name: a receipt has room for a few more, such as those that were seen and not named."""

_EMBEDDING = re.compile(r"\bembedding:([^\s,:()<>\[\]]{1,200})")

_SIZES: Mapping[str, str] = {
    "width": "width",
    "height": "height",
    "length": "frames",
    "frames": "frames",
    "num_frames": "frames",
    "video_frames": "frames",
    "fps": "fps",
    "frame_rate": "fps",
}


def read_uses(
    graph: Mapping[str, Any],
    output: str | None = None,
    known: Mapping[str, Collection[str]] | None = None,
    name: str = "The graph",
) -> Reading:
    """What ``graph``, in API format, uses to make ``output`` (a node's id), or all its outputs.

    ``known`` maps the categories of a server's folders, and ``input``, to the names of the files in them: with it, any
    input of any node that names one is found. ``Invalid``, naming ``name``, if it is not a graph or has no such output.
    """
    wiring = Wiring(graph, output, name)
    unresolved: list[Unresolved] = []
    files = _files(wiring, known or {}, unresolved, name)
    samplers: list[SamplerUse] = []
    texts: list[TextUse] = []
    for key, node in wiring.nodes.items():
        if is_sampler(node):
            parts = _parts(wiring, key)
            samplers.append(_sampler(wiring, parts, unresolved))
            texts += texts_of_sampling(wiring, parts)
            if takes_text(wiring, key):
                texts += texts_at(wiring, key, None)
    texts = list(dict.fromkeys(texts))
    texts += _other_texts(wiring, texts, unresolved)
    embeddings = tuple(dict.fromkeys(called for one in texts for called in _EMBEDDING.findall(one.text or "")))
    _require_few(len(files) + len(embeddings), name)
    unresolved += [
        Unresolved(one.node, one.input, "prompt" if one.side == "positive" else "negative_prompt", one.reason or "")
        for one in texts
        if one.text is None
    ]
    return Reading(
        files=files,
        texts=tuple(texts),
        samplers=tuple(samplers),
        sizes=_sizes(wiring, unresolved),
        images=tuple(_image(wiring, one) for one in files if one.role == "source_image"),
        outputs=tuple(_output(wiring, key) for key in wiring.outputs),
        unresolved=tuple(dict.fromkeys(unresolved)),
        nodes=frozenset(wiring.nodes),
        embeddings=embeddings,
        seeds=_other_seeds(wiring, samplers),
    )


def _files(
    wiring: Wiring, known: Mapping[str, Collection[str]], unresolved: list[Unresolved], name: str
) -> tuple[FileUse, ...]:
    counted: Counter[str] = Counter()
    files: list[FileUse] = []
    for key in wiring.nodes:
        for use, unknown in files_of(wiring, key, known):
            _require_few(len(files) + 1, name)
            files.append(use._replace(ordinal=counted[use.role]))
            counted[use.role] += 1
            unresolved += unknown
    return tuple(files)


def _require_few(files: int, name: str) -> None:
    if files > MAX_FILES:
        raise Invalid(
            f"{name} names more than {MAX_FILES:,} files.",
            hint="No receipt holds as many. Look at where the file comes from.",
            code="too_many_files",
        )


def _parts(wiring: Wiring, sampler: str) -> tuple[str, ...]:
    """A sampler, and the nodes of noise, guidance, sampling and schedule that it takes."""
    found = {sampler: None}  # in this order, each once
    waiting = [sampler]
    for key in waiting:
        wiring.step()
        for name in _PARTS:
            link = wiring.link(key, name)
            if link is not None and link.source not in found:
                found[link.source] = None
                waiting.append(link.source)
    return tuple(found)


def _sampler(wiring: Wiring, parts: tuple[str, ...], unresolved: list[Unresolved]) -> SamplerUse:
    settings: dict[str, Setting] = {}
    implied: dict[str, Any] = {}
    unknown: list[Unresolved] = []
    for key in parts:
        for name, word in _ON_SAMPLERS.items():
            found = wiring.setting(key, name)
            if isinstance(found, Setting) and isinstance(found.value, str | int | float):
                settings.setdefault(word, found)
            elif isinstance(found, Unknown):
                unknown.append(Unresolved(key, name, word, found.reason))
        implied |= _implied(wiring, key)
    unresolved += [one for one in unknown if one.word not in settings]
    sampler = wiring.nodes[parts[0]]
    stated = settings.keys() | {one.word for one in unknown}
    return SamplerUse(
        parts[0], sampler.class_type, settings, {word: it for word, it in implied.items() if word not in stated}
    )


def _other_seeds(wiring: Wiring, samplers: list[SamplerUse]) -> tuple[Setting, ...]:
    """Seeds that no sampling takes. A workflow is the same whatever they are, so a receipt has to say them."""
    sampled = {found[:2] for one in samplers for word, found in one.settings.items() if word == "seed"}
    found = (wiring.setting(key, name) for key in wiring.nodes for name in ("seed", "noise_seed"))
    stated = [one for one in found if isinstance(one, Setting) and isinstance(one.value, str | int | float)]
    return tuple(dict.fromkeys(one for one in stated if one[:2] not in sampled))


def _implied(wiring: Wiring, key: str) -> dict[str, Any]:
    """What a node's class says by itself: a solver or a schedule of one kind, guidance that has no strength."""
    implied: dict[str, Any] = {}
    for name, word in (("sampler", "sampler"), ("sigmas", "scheduler")):
        link = wiring.link(key, name)
        if link is not None:
            implied[word] = wiring.nodes[link.source].class_type
    guider = wiring.link(key, "guider")
    if guider is not None and wiring.nodes[guider.source].class_type == "BasicGuider":
        implied["cfg"] = 1
    return implied


def _other_texts(wiring: Wiring, read: list[TextUse], unresolved: list[Unresolved]) -> list[TextUse]:
    """Prompts that no sampling takes: those of nodes that generate by themselves, as their inputs' names say."""
    sampled = any(is_sampler(node) for node in wiring.nodes.values())
    places = {(one.node, one.input) for one in read}
    found: list[TextUse] = []
    for key in wiring.nodes:
        for text in texts_at(wiring, key, None) if takes_text(wiring, key) else ():
            if (text.node, text.input) in places:
                continue
            if side_of(text.input) is not None or (text.input == "prompt" and not sampled):
                found.append(text)
            elif not sampled:
                unresolved.append(
                    Unresolved(key, text.input, "prompt", "nothing says whether it is wanted or unwanted")
                )
    return found


def _sizes(wiring: Wiring, unresolved: list[Unresolved]) -> dict[str, tuple[Setting, ...]]:
    sizes: defaultdict[str, list[Setting]] = defaultdict(list)
    for key, node in wiring.nodes.items():
        for name, word in _SIZES.items():
            if word_for(node.class_type, name) not in ("size", "fps"):
                continue
            found = wiring.setting(key, name)
            if isinstance(found, Setting) and type(found.value) in (int, float):
                sizes[word].append(found)
            elif isinstance(found, Unknown):
                unresolved.append(Unresolved(key, name, word, found.reason))
    return {word: tuple(dict.fromkeys(found)) for word, found in sizes.items()}


def _image(wiring: Wiring, file: FileUse) -> ImageUse:
    """A picture with the inputs that it ends in: followed through nodes that take one picture, to those that use it."""
    purposes: list[str] = []
    waiting, seen = [file.node], {file.node}
    for key in waiting:
        for consumer, link in wiring.consumers[key]:
            wiring.step()
            node = wiring.nodes[consumer]
            passes_on = link.input in ("image", "images", "pixels") and not is_sampler(node)
            if not passes_on or word_for(node.class_type, "width") == "size":
                purposes.append(link.input)
            elif consumer not in seen:
                seen.add(consumer)
                waiting.append(consumer)
    return ImageUse(file.node, file.input, file.name, file.category, tuple(dict.fromkeys(purposes)))


def _output(wiring: Wiring, key: str) -> OutputUse:
    found = wiring.setting(key, "filename_prefix")
    return OutputUse(key, wiring.nodes[key].class_type, found if isinstance(found, Setting) else None)
