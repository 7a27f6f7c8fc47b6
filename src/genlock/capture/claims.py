"""The one place where a graph that was run becomes a claim, whoever saw it run. Pure.

    graph + what was seen ──▶ reading ──▶ used files ── shelf ──▶ inputs
                                     └──▶ prompts, sampling, sizes ──▶ parameters

What the graph does not say, and nobody saw, is left out, so that the receipt lists it as missing.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from genlock.capture.seen import FileSeen, Resolved, Used, settled
from genlock.capture.shelf import Shelf, basename
from genlock.digest import Digest
from genlock.errors import Invalid
from genlock.graphs.files import role_of
from genlock.graphs.reading import read_uses
from genlock.graphs.uses import FileUse, Reading, Side
from genlock.takes.claim import (
    MAX_INPUTS,
    Claim,
    ClaimEngine,
    ClaimInput,
    Evidence,
    InputRole,
    Observed,
    Parameters,
    Recorder,
)

_SAMPLING = ("seed", "steps", "cfg", "sampler", "scheduler", "denoise")
_STAGED = re.compile(r"(?:^|[/\\])genlock[/\\](?P<prefix>[0-9a-f]{8,64})[/\\.]")


def graph_bytes(graph: Mapping[str, Any]) -> bytes:
    """The bytes that are kept of a graph: JSON with sorted keys, in which seeds beyond 2^53 stay exact."""
    return json.dumps(graph, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_run(
    graph: Mapping[str, Any],
    resolved: Resolved,
    output: str | None = None,
    *,
    known: Mapping[str, Collection[str]] | None = None,
    name: str = "The graph",
) -> Reading:
    """What a graph used to make ``output``, with what its linked inputs turned out to be; see ``read_uses``."""
    return read_uses(settled(graph, resolved), output, known, name)


def used_files(reading: Reading, graph: Mapping[str, Any], seen: Sequence[FileSeen] = ()) -> tuple[Used, ...]:
    """The files of a reading, with the digests that were seen; after them, files that were loaded and not named."""
    left = list(seen)
    found: list[Used] = []
    for use in reading.files:
        match = next((one for one in left if _is_same(one, use)), None)
        if match is not None:
            left.remove(match)
        staged = _STAGED.search(use.name)
        found.append(
            Used(
                role=use.role,
                name=use.name,
                digest=match.digest if match is not None else None,
                digest_prefix=staged["prefix"] if staged and (match is None or match.digest is None) else None,
                strength_model=use.strength_model.value if use.strength_model else None,
                strength_clip=use.strength_clip.value if use.strength_clip else None,
                as_loaded=match is not None,
            )
        )
    calls = [Used(role="other", name=name, is_stem="." not in name) for name in reading.embeddings]
    found += [one for one in calls if not any(basename(it.name).startswith(one.name) for it in left)]
    # Files that a node loads without naming them, or that nodes load which came into being while the graph ran.
    found += [
        Used(role=role_of(one.category, one.name), name=one.name, digest=one.digest, as_loaded=True)
        for one in left
        if one.node not in graph or one.node in reading.nodes
    ]
    return tuple(found)


def claim_from_run(
    reading: Reading,
    used: Iterable[Used],
    shelf: Shelf,
    *,
    engine: ClaimEngine,
    recorder: Recorder,
    evidence: Evidence,
    graph: Digest | None = None,
    outputs: Mapping[str, Digest] | None = None,
    observed: Observed | None = None,
    note: str | None = None,
) -> Claim:
    """The claim of a run. ``evidence`` is what the recorder can vouch for at best; names lower it."""
    return Claim(
        parameters=parameters_of(reading),
        engine=engine,
        graph=graph,
        outputs=dict(outputs) if outputs else None,
        observed=observed,
        recorder=recorder,
        note=note,
        **inputs_and_evidence(used, shelf, evidence),
    )


def inputs_and_evidence(used: Iterable[Used], shelf: Shelf, best: Evidence) -> dict[str, Any]:
    """The inputs of a claim, and the evidence it can ask for: ``best``, or less if only names say what was used."""
    inputs: list[ClaimInput] = []
    if shelf.workflow is not None:
        inputs.append(ClaimInput(role=InputRole.WORKFLOW, asset=shelf.workflow.asset_id, version=shelf.workflow.number))
    for one in used:
        made, by_name = _input(one, shelf)
        inputs.append(made)
        if by_name:
            best = best.weaker(Evidence.MATCHED_BY_NAME)
    if len(inputs) > MAX_INPUTS:
        raise Invalid(
            f"The run used more than {MAX_INPUTS:,} files.", hint="No receipt holds as many.", code="too_many_files"
        )
    return {"inputs": tuple(inputs), "evidence": best}


def parameters_of(reading: Reading) -> Parameters:
    """What was set: of several samplings the first under its own words, each after it with its number (``seed_2``).

    Seeds of nodes that do not sample are numbered on.
    """
    said: dict[str, Any] = {}
    for number, sampler in enumerate(reading.samplers, 1):
        for word in _SAMPLING:
            setting = sampler.settings.get(word)
            value = setting.value if setting is not None else sampler.implied.get(word)
            if value is not None:
                said[_numbered(word, number)] = _seed(value) if word == "seed" else value
    for number, setting in enumerate(reading.seeds, len(reading.samplers) + 1):
        said[_numbered("seed", number)] = _seed(setting.value)
    sides: tuple[tuple[str, Side], ...] = (("prompt", "positive"), ("negative_prompt", "negative"))
    for word, side in sides:
        texts = list(dict.fromkeys(one.text for one in reading.texts_of(side)))
        if None not in texts:  # a prompt of which a part is not known is not known
            said |= {_numbered(word, number): text for number, text in enumerate(texts, 1)}
    for word, settings in reading.sizes.items():
        said[word] = settings[0].value
    return accepted(said)


def _numbered(word: str, number: int) -> str:
    return word if number == 1 else f"{word}_{number}"


def _seed(value: Any) -> Any:
    """A seed as receipts write it; anything else as it is, to be refused."""
    return str(int(value)) if type(value) in (int, float) and int(value) == value else value


def accepted(said: dict[str, Any]) -> Parameters:
    """Parameters of those values that can be such: an engine may have taken a size of 0, a receipt cannot."""
    try:
        return Parameters.model_validate(said)
    except ValidationError as error:
        refused = {found["loc"][0] for found in error.errors() if found["loc"]}
        if not refused:
            return Parameters()
        return accepted({word: value for word, value in said.items() if word not in refused})


def _input(used: Used, shelf: Shelf) -> tuple[ClaimInput, bool]:
    """A used file as a claim names it, and whether only its name says which it is."""
    name = basename(used.name)[:1000] or None
    match = shelf.match(used)
    is_frame = used.digest is not None and used.digest in shelf.frames and (match is None or match.by == "name")
    if is_frame:
        return ClaimInput(role=InputRole.SEED_FRAME, digest=used.digest, name=name), False
    number = match.number if match is not None else None
    made = ClaimInput(
        role=InputRole(match.kind.value if match is not None else used.role),
        asset=match.asset_id if match is not None else None,
        version=number,
        digest=used.digest if number is None else None,
        name=name,
        strength_model=used.strength_model,
        strength_clip=used.strength_clip,
    )
    return made, match is not None and number is not None and match.by == "name"


def _is_same(seen: FileSeen, use: FileUse) -> bool:
    if seen.node != use.node:
        return False
    return seen.input == use.input if seen.input is not None else basename(seen.name) == basename(use.name)
