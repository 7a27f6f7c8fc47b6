"""Turns a graph that ran into a claim, whatever recorded the run. Pure.

    graph + loaded files ──▶ reading ──▶ used files ── candidates ──▶ inputs
                                    └──▶ prompts, sampling, sizes ──▶ parameters

What neither the graph nor the recorder states is left out, so that the receipt lists it as missing.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from genlock.capture.asset_matching import Candidates, basename
from genlock.capture.run_record import LoadedFile, Resolved, UsedFile, resolve_links
from genlock.digest import Digest
from genlock.errors import Invalid
from genlock.graphs.reading import read_uses
from genlock.graphs.uses import FileUse, Reading, Side
from genlock.kinds import WEIGHTS, kind_in_folder
from genlock.model import InputRole
from genlock.takes.claim import MAX_INPUTS, Claim, ClaimEngine, ClaimInput, Evidence, Observed, Parameters, Recorder

_SAMPLING = ("seed", "steps", "cfg", "sampler", "scheduler", "denoise")
_STAGED = re.compile(r"(?:^|[/\\])genlock[/\\](?P<prefix>[0-9a-f]{8,64})[/\\.]")


def graph_bytes(graph: Mapping[str, Any]) -> bytes:
    """Return the bytes that are stored for a graph: JSON with sorted keys, in which seeds beyond 2^53 stay exact."""
    return json.dumps(graph, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_run(
    graph: Mapping[str, Any],
    resolved: Resolved,
    output: str | None = None,
    *,
    folders: Mapping[str, Collection[str]] | None = None,
    name: str = "The graph",
) -> Reading:
    """Return what a graph used to generate ``output``, with the values of its linked inputs; see ``read_uses``."""
    return read_uses(resolve_links(graph, resolved), output, folders, name)


def used_files(reading: Reading, graph: Mapping[str, Any], loaded: Sequence[LoadedFile] = ()) -> tuple[UsedFile, ...]:
    """Return the files of a reading, with their digests as loaded; then the files that were loaded but not named."""
    left = list(loaded)
    used: list[UsedFile] = []
    for use in reading.files:
        match = next((file for file in left if _is_same(file, use)), None)
        if match is not None:
            left.remove(match)
        staged = _STAGED.search(use.name)
        used.append(
            UsedFile(
                role=kind_in_folder(use.category, use.name).value if use.node in reading.prompt_only else use.role,
                name=use.name,
                digest=match.digest if match is not None else None,
                digest_prefix=staged["prefix"] if staged and (match is None or match.digest is None) else None,
                strength_model=use.strength_model.value if use.strength_model else None,
                strength_clip=use.strength_clip.value if use.strength_clip else None,
                as_loaded=match is not None,
                prompt_only=use.node in reading.prompt_only,
            )
        )
    calls = [UsedFile(role="other", name=name, is_stem="." not in name) for name in reading.embeddings]
    used += [call for call in calls if not any(basename(file.name).startswith(call.name) for file in left)]
    # Files that a node loads without naming them, or that were loaded by nodes created while the graph ran.
    used += [
        UsedFile(
            role=kind_in_folder(file.category, file.name).value,
            name=file.name,
            digest=file.digest,
            as_loaded=True,
            prompt_only=file.node in reading.prompt_only,
        )
        for file in left
        if file.node not in graph or file.node in reading.nodes
    ]
    return tuple(used)


def claim_from_run(
    reading: Reading,
    used: Iterable[UsedFile],
    candidates: Candidates,
    *,
    engine: ClaimEngine,
    recorder: Recorder,
    evidence: Evidence,
    unobserved: Sequence[str] = (),
    graph: Digest | None = None,
    outputs: Mapping[str, Digest] | None = None,
    observed: Observed | None = None,
    note: str | None = None,
) -> Claim:
    """Return the claim of a run. ``evidence`` is the best that the recorder can vouch for; names lower it."""
    return Claim(
        parameters=parameters_of(reading),
        engine=engine,
        graph=graph,
        outputs=dict(outputs) if outputs else None,
        observed=observed,
        recorder=recorder,
        unobserved=tuple(unobserved) or None,
        note=note,
        **inputs_and_evidence(used, candidates, evidence),
    )


def inputs_and_evidence(used: Iterable[UsedFile], candidates: Candidates, best: Evidence) -> dict[str, Any]:
    """Return the inputs of a claim, and the evidence it may request: ``best``, or less if a name alone was matched."""
    inputs: list[ClaimInput] = []
    if candidates.workflow is not None:
        workflow = candidates.workflow
        inputs.append(ClaimInput(role=InputRole.WORKFLOW, asset=workflow.asset_id, version=workflow.number))
    for file in used:
        claim_input, by_name = _input(file, candidates)
        inputs.append(claim_input)
        if by_name:
            best = best.weaker(Evidence.MATCHED_BY_NAME)
    if len(inputs) > MAX_INPUTS:
        raise Invalid(
            f"The run used more than {MAX_INPUTS:,} files.",
            hint="A receipt has at most this many inputs.",
            code="too_many_files",
        )
    return {"inputs": tuple(inputs), "evidence": best}


def parameters_of(reading: Reading) -> Parameters:
    """Return the parameters: those of the first sampling by name, those of each later one numbered (``seed_2``).

    Seeds of nodes that do not sample continue the numbering.
    """
    values: dict[str, Any] = {}
    for number, sampler in enumerate(reading.samplers, 1):
        for word in _SAMPLING:
            setting = sampler.settings.get(word) or sampler.implied.get(word)
            if setting is not None:
                values[_numbered(word, number)] = _seed(setting.value) if word == "seed" else setting.value
    for number, setting in enumerate(reading.seeds, len(reading.samplers) + 1):
        values[_numbered("seed", number)] = _seed(setting.value)
    sides: tuple[tuple[str, Side], ...] = (("prompt", "positive"), ("negative_prompt", "negative"))
    for word, side in sides:
        texts = list(dict.fromkeys(use.text for use in reading.texts_of(side)))
        if None not in texts:  # a prompt with an unknown part is unknown
            values |= {_numbered(word, number): text for number, text in enumerate(texts, 1)}
    for word, settings in reading.sizes.items():
        values[word] = settings[0].value
    return accepted(values)


def _numbered(word: str, number: int) -> str:
    return word if number == 1 else f"{word}_{number}"


def _seed(value: Any) -> Any:
    """Return a seed as receipts write it; anything else unchanged, to be refused later."""
    return str(int(value)) if type(value) in (int, float) and int(value) == value else value


def accepted(values: dict[str, Any]) -> Parameters:
    """Return the parameters with the valid values: an engine may accept a size of 0, a receipt does not."""
    try:
        return Parameters.model_validate(values)
    except ValidationError as error:
        refused = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
        if not refused:
            return Parameters()
        return accepted({word: value for word, value in values.items() if word not in refused})


def _input(used: UsedFile, candidates: Candidates) -> tuple[ClaimInput, bool]:
    """Return a used file as a claim names it, and whether it was matched by its name alone."""
    name = basename(used.name)[:1000] or None
    match = candidates.match(used)
    is_frame = used.digest is not None and used.digest in candidates.frames and (match is None or match.by == "name")
    if is_frame:
        return ClaimInput(role=InputRole.SEED_FRAME, digest=used.digest, name=name), False
    number = match.number if match is not None else None
    role = InputRole(match.kind.value if match is not None else used.role)
    claim_input = ClaimInput(
        role=InputRole.OTHER if used.prompt_only and role.value in WEIGHTS else role,
        asset=match.asset_id if match is not None else None,
        version=number,
        digest=used.digest if number is None else None,
        name=name,
        strength_model=used.strength_model,
        strength_clip=used.strength_clip,
    )
    return claim_input, match is not None and number is not None and match.by == "name"


def _is_same(loaded: LoadedFile, use: FileUse) -> bool:
    if loaded.node != use.node:
        return False
    return loaded.input == use.input if loaded.input is not None else basename(loaded.name) == basename(use.name)
