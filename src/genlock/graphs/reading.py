"""What a graph uses to make its outputs: files, prompts, sampling, sizes and pictures, each with its place.

    output ◀── decoder ◀── sampler ◀── LoRA ◀── LoRA ◀── model         walked upstream, read in the order it acts
                             ◀── conditioning ◀── prompt

It is used to bind the inputs of a render to a graph, and to make a receipt of a graph that was run.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from genlock.errors import Invalid
from genlock.graphs.evaluation import Unknown
from genlock.graphs.files import files_of
from genlock.graphs.media import image_use
from genlock.graphs.node_definition import NodeDefinition
from genlock.graphs.partner import is_partner, partners_of
from genlock.graphs.prompt_writers import prompt_only
from genlock.graphs.sizes import sizes_of
from genlock.graphs.texts import side_of, takes_text, texts_at, texts_of_sampling
from genlock.graphs.uses import (
    FileUse,
    OutputUse,
    Reading,
    SamplerUse,
    Setting,
    TextUse,
    Unresolved,
)
from genlock.graphs.wiring import Wiring, is_sampler
from genlock.kinds import WEIGHTS
from genlock.model import Kind

_ON_SAMPLERS: Mapping[str, str] = {
    "seed": "seed",
    "noise_seed": "seed",
    "steps": "steps",
    "cfg": "cfg",
    "video_cfg": "cfg",
    "cfg_conds": "cfg",
    "sampler_name": "sampler",
    "scheduler": "scheduler",
    "denoise": "denoise",
}
_PARTS = ("noise", "guider", "sampler", "sigmas")
"""Inputs through which other nodes control a sampler."""

MAX_FILES = 900
"""How many files a graph may name. A receipt has room for more: for files that were loaded and not named."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_EMBEDDING = re.compile(r"\bembedding:([^\s,:()<>\[\]]{1,200})")


def read_uses(
    graph: Mapping[str, Any],
    output: str | None = None,
    server_files: Mapping[str, Collection[str]] | None = None,
    name: str = "The graph",
    definitions: Mapping[str, NodeDefinition] | None = None,
) -> Reading:
    """Return what ``graph``, in API format, uses to make ``output`` (a node's id), or all its outputs.

    ``server_files`` maps the categories of a server's folders, and ``input``, to the names of the files in them: with
    it, any input of any node may name a file. ``definitions`` are those of its classes. Raises ``Invalid``, with
    ``name``, if it is not a graph or has no such output.
    """
    wiring = Wiring(graph, output, name, definitions)
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
        sizes=sizes_of(wiring, unresolved),
        images=tuple(image_use(wiring, file) for file in files if file.role == "source_image"),
        outputs=tuple(_output(wiring, key) for key in wiring.outputs),
        unresolved=tuple(dict.fromkeys(unresolved)),
        nodes=frozenset(wiring.nodes),
        embeddings=embeddings,
        seeds=_other_seeds(wiring, samplers),
        prompt_only=for_prompts,
        partners=tuple(partners_of(wiring)),
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
    implied: dict[str, Setting] = {}
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


def _implied(wiring: Wiring, key: str) -> dict[str, Setting]:
    """Return the settings implied by a node and the classes of its sources: a solver, a schedule, its steps."""
    implied: dict[str, Setting] = {}
    for name, word in (("sampler", "sampler"), ("sigmas", "scheduler")):
        link = wiring.link(key, name)
        if link is not None:
            implied[word] = Setting(link.source, "", wiring.nodes[link.source].class_type, sources=())
    guider = wiring.link(key, "guider")
    if guider is not None and wiring.nodes[guider.source].class_type == "BasicGuider":
        implied["cfg"] = Setting(guider.source, "", 1, sources=())
    sigmas = wiring.setting(key, "sigmas") if wiring.nodes[key].class_type == "ManualSigmas" else None
    if isinstance(sigmas, Setting) and isinstance(sigmas.value, str):
        steps = len(_NUMBER.findall(sigmas.value)) - 1
        if steps > 0:
            implied["steps"] = Setting(key, "sigmas", steps, sources=((sigmas.node, sigmas.input),))
    return implied


def _other_texts(wiring: Wiring, read: list[TextUse], unresolved: list[Unresolved]) -> list[TextUse]:
    """Return the prompts that no sampling takes: of nodes that generate by themselves, by their inputs' names."""
    sampled = any(is_sampler(node) for node in wiring.nodes.values())
    places = {(text.node, text.input) for text in read}
    texts: list[TextUse] = []
    for key in wiring.nodes:
        for text in texts_at(wiring, key, None) if takes_text(wiring, key) else ():
            if (text.node, text.input) in places or is_partner(wiring, key):
                continue
            if side_of(text.input) is not None or (text.input == "prompt" and not sampled):
                texts.append(text)
            elif not sampled:
                unresolved.append(
                    Unresolved(key, text.input, "prompt", "nothing says whether it is wanted or unwanted")
                )
    return texts


def _output(wiring: Wiring, key: str) -> OutputUse:
    prefix = wiring.setting(key, "filename_prefix")
    return OutputUse(key, wiring.nodes[key].class_type, prefix if isinstance(prefix, Setting) else None)
