"""The claim of a render, from its recipe and result. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from genlock.digest import Digest
from genlock.engines.model import EngineInput, Rendered
from genlock.library.model import VersionRef
from genlock.regeneration.recipe import Recipe, RecipeInput
from genlock.takes.claim import Claim, ClaimEngine, ClaimInput, Evidence, Observed, Parameters, Recorder

RECORDER = "genlock-worker"


def key_of(line: RecipeInput) -> str:
    """Return the key of an input, shared by an engine and its caller."""
    return f"{line.role.value}/{line.ordinal}"


def claim_of(
    recipe: Recipe,
    rendered: Rendered,
    graph: Digest,
    *,
    engine_version: str,
    recorder_version: str,
    worker: str,
    started_at: datetime,
    finished_at: datetime,
) -> Claim:
    """Return the claim of a render: what it actually used, and what was measured."""
    acted = {line.key: line for line in rendered.inputs}
    return Claim(
        inputs=tuple(_input(line, acted[key_of(line)]) for line in used(recipe, rendered)),
        parameters=Parameters.model_validate(_parameters(recipe, rendered)),
        engine=ClaimEngine(name=recipe.engine, version=engine_version, environment=dict(rendered.environment)),
        graph=graph,
        observed=Observed(
            started_at=started_at,
            finished_at=finished_at,
            duration_s=rendered.duration_s,
            per_node_s=rendered.per_node_s,
            worker=worker,
        ),
        recorder=Recorder(name=RECORDER, version=recorder_version),
        evidence=None if rendered.evidence == Evidence.RECORDED else Evidence(rendered.evidence),
        regenerates=recipe.regenerates,
    )


def used(recipe: Recipe, rendered: Rendered) -> tuple[RecipeInput, ...]:
    """Return the inputs of a recipe that the render used; unused ones are omitted from its receipt."""
    acted = {line.key for line in rendered.inputs}
    return tuple(line for line in recipe.inputs if key_of(line) in acted)


def sources_of(lines: tuple[RecipeInput, ...]) -> tuple[VersionRef, ...]:
    """Return the versions that a new version was made from."""
    refs = {(line.asset, line.version) for line in lines if line.asset is not None and line.version is not None}
    return tuple(VersionRef(asset_id=asset, number=version) for asset, version in sorted(refs))


def _input(line: RecipeInput, acted: EngineInput) -> ClaimInput:
    has_version = line.asset is not None and line.version is not None
    return ClaimInput(
        role=line.role,
        ordinal=line.ordinal,
        asset=line.asset,
        version=line.version if has_version else None,
        digest=None if has_version else line.digest,
        name=None if line.asset is not None else line.name,
        take=line.take,
        part=line.part,
        strength_model=acted.strength_model,
        strength_clip=acted.strength_clip,
    )


def _parameters(recipe: Recipe, rendered: Rendered) -> Mapping[str, Any]:
    """Return the requested parameters, overridden by those in effect."""
    return {**recipe.parameters, **rendered.parameters}
