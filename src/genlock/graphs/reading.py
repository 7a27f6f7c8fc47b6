"""What a graph uses to make its outputs: files, prompts, sampling, sizes and pictures, each with its place.

    output ◀── decoder ◀── sampler ◀── LoRA ◀── LoRA ◀── model         walked upstream, read in the order it acts
                             ◀── conditioning ◀── prompt

It is used to bind the inputs of a render to a graph, and to make a receipt of a graph that was run.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from genlock.errors import Invalid
from genlock.graphs.files import files_of
from genlock.graphs.meanings import word_for
from genlock.graphs.prompt_writers import prompt_only
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
from genlock.kinds import WEIGHTS
from genlock.model import Kind

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
"""Inputs through which other nodes control a sampler."""

MAX_FILES = 900
"""How many files a graph may name. A receipt has room for more: for files that were loaded and not named."""

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
    server_files: Mapping[str, Collection[str]] | None = None,
    name: str = "The graph",
) -> Reading:
    """Return what ``graph``, in API format, uses to make ``output`` (a node's id), or all its outputs.

    ``server_files`` maps the categories of a server's folders, and ``input``, to the names of the files in them: with
    it, any input of any node may name a file. Raises ``Invalid``, with ``name``, if it is not a graph or has no such
    output.
    """
    wiring = Wiring(graph, output, name)
    unresolved: list[Unresolved] = []
    for_prompts = prompt_only(wiring)
    files = _files(wiring, server_files or {}, unresolved, name, for_prompts)
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
    embeddings = tuple(dict.fromkeys(embedding for text in texts for embedding in _EMBEDDING.findall(text.text or "")))
    _require_few(len(files) + len(embeddings), name)
    unresolved += [
        Unresolved(text.node, text.input, "prompt" if text.side == "positive" else "negative_prompt", text.reason or "")
        for text in texts
        if text.text is None
    ]
    return Reading(
        files=files,
        texts=tuple(texts),
        samplers=tuple(samplers),
        sizes=_sizes(wiring, unresolved),
        images=tuple(_image(wiring, file) for file in files if file.role == "source_image"),
        outputs=tuple(_output(wiring, key) for key in wiring.outputs),
        unresolved=tuple(dict.fromkeys(unresolved)),
        nodes=frozenset(wiring.nodes),
        embeddings=embeddings,
        seeds=_other_seeds(wiring, samplers),
        prompt_only=for_prompts,
    )


def _files(
    wiring: Wiring,
    server_files: Mapping[str, Collection[str]],
    unresolved: list[Unresolved],
    name: str,
    for_prompts: frozenset[str],
) -> tuple[FileUse, ...]:
    counted: Counter[str] = Counter()
    files: list[FileUse] = []
    for key in wiring.nodes:
        for use, unknown in files_of(wiring, key, server_files):
            _require_few(len(files) + 1, name)
            if key in for_prompts and use.role in WEIGHTS:
                use = use._replace(role=Kind.OTHER.value)
            files.append(use._replace(ordinal=counted[use.role]))
            counted[use.role] += 1
            unresolved += unknown
    return tuple(files)


def _require_few(files: int, name: str) -> None:
    if files > MAX_FILES:
        raise Invalid(
            f"{name} names more than {MAX_FILES:,} files.",
            hint="A receipt cannot hold as many. Check where the file comes from.",
            code="too_many_files",
        )


def _parts(wiring: Wiring, sampler: str) -> tuple[str, ...]:
    """Return a sampler, and the nodes of noise, guidance, sampling and schedule that it takes."""
    parts = {sampler: None}  # in this order, each once
    waiting = [sampler]
    for key in waiting:
        wiring.step()
        for name in _PARTS:
            link = wiring.link(key, name)
            if link is not None and link.source not in parts:
                parts[link.source] = None
                waiting.append(link.source)
    return tuple(parts)


def _sampler(wiring: Wiring, parts: tuple[str, ...], unresolved: list[Unresolved]) -> SamplerUse:
    settings: dict[str, Setting] = {}
    implied: dict[str, Any] = {}
    unknown: list[Unresolved] = []
    for key in parts:
        for name, word in _ON_SAMPLERS.items():
            setting = wiring.setting(key, name)
            if isinstance(setting, Setting) and isinstance(setting.value, str | int | float):
                settings.setdefault(word, setting)
            elif isinstance(setting, Unknown):
                unknown.append(Unresolved(key, name, word, setting.reason))
        implied |= _implied(wiring, key)
    unresolved += [entry for entry in unknown if entry.word not in settings]
    sampler = wiring.nodes[parts[0]]
    stated = settings.keys() | {entry.word for entry in unknown}
    return SamplerUse(
        parts[0], sampler.class_type, settings, {word: value for word, value in implied.items() if word not in stated}
    )


def _other_seeds(wiring: Wiring, samplers: list[SamplerUse]) -> tuple[Setting, ...]:
    """Return the seeds that no sampling takes. They are not part of the workflow, so a receipt has to record them."""
    sampled = {seed[:2] for sampler in samplers for word, seed in sampler.settings.items() if word == "seed"}
    settings = (wiring.setting(key, name) for key in wiring.nodes for name in ("seed", "noise_seed"))
    seeds = [seed for seed in settings if isinstance(seed, Setting) and isinstance(seed.value, str | int | float)]
    return tuple(dict.fromkeys(seed for seed in seeds if seed[:2] not in sampled))


def _implied(wiring: Wiring, key: str) -> dict[str, Any]:
    """Return the settings implied by the classes of a node's sources: a solver, a schedule, guidance without cfg."""
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
    """Return the prompts that no sampling takes: of nodes that generate by themselves, by their inputs' names."""
    sampled = any(is_sampler(node) for node in wiring.nodes.values())
    places = {(text.node, text.input) for text in read}
    texts: list[TextUse] = []
    for key in wiring.nodes:
        for text in texts_at(wiring, key, None) if takes_text(wiring, key) else ():
            if (text.node, text.input) in places:
                continue
            if side_of(text.input) is not None or (text.input == "prompt" and not sampled):
                texts.append(text)
            elif not sampled:
                unresolved.append(
                    Unresolved(key, text.input, "prompt", "nothing says whether it is wanted or unwanted")
                )
    return texts


def _sizes(wiring: Wiring, unresolved: list[Unresolved]) -> dict[str, tuple[Setting, ...]]:
    sizes: defaultdict[str, list[Setting]] = defaultdict(list)
    for key, node in wiring.nodes.items():
        for name, word in _SIZES.items():
            if word_for(node.class_type, name) not in ("size", "fps"):
                continue
            setting = wiring.setting(key, name)
            if isinstance(setting, Setting) and type(setting.value) in (int, float):
                sizes[word].append(setting)
            elif isinstance(setting, Unknown):
                unresolved.append(Unresolved(key, name, word, setting.reason))
    return {word: tuple(dict.fromkeys(settings)) for word, settings in sizes.items()}


def _image(wiring: Wiring, file: FileUse) -> ImageUse:
    """Return a picture with the inputs that use it, followed through nodes that pass a picture on."""
    purposes: list[str] = []
    waiting, visited = [file.node], {file.node}
    for key in waiting:
        for consumer, link in wiring.consumers[key]:
            wiring.step()
            node = wiring.nodes[consumer]
            passes_on = link.input in ("image", "images", "pixels") and not is_sampler(node)
            if not passes_on or word_for(node.class_type, "width") == "size":
                purposes.append(link.input)
            elif consumer not in visited:
                visited.add(consumer)
                waiting.append(consumer)
    return ImageUse(file.node, file.input, file.name, file.category, tuple(dict.fromkeys(purposes)))


def _output(wiring: Wiring, key: str) -> OutputUse:
    prefix = wiring.setting(key, "filename_prefix")
    return OutputUse(key, wiring.nodes[key].class_type, prefix if isinstance(prefix, Setting) else None)
