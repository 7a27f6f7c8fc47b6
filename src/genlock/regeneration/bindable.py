"""Whether a recipe can be bound to its workflow's graph: checked before a plan is made, not when it runs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from genlock.blobs.store import Store
from genlock.db.connection import Conn
from genlock.engines.comfyui.binding import bind
from genlock.engines.comfyui.bindings import find
from genlock.engines.comfyui.offer import OFFER
from genlock.engines.model import EngineInput, RenderSpec
from genlock.errors import NotFound
from genlock.graphs.strict_json import read_json
from genlock.library.skeleton import MAX_WORKFLOW_BYTES
from genlock.model import InputRole
from genlock.regeneration.plans import step_sql
from genlock.regeneration.recipe import Recipe


async def require_bindable(conn: Conn, store: Store, recipes: Sequence[Recipe]) -> None:
    """Raise ``Invalid`` for the first recipe for ComfyUI whose inputs and parameters do not fit its workflow.

    A workflow that is registered in place is not read here: a worker reads it where it lies.
    """
    for recipe in recipes:
        workflow = next((line for line in recipe.inputs if line.role is InputRole.WORKFLOW), None)
        if recipe.engine != OFFER.name or workflow is None or workflow.asset is None or workflow.version is None:
            continue
        ref = (workflow.asset, workflow.version)
        file = (await step_sql.places_of(conn, [ref])).get(ref)
        if file is None or file.in_place is not None or workflow.digest is None:
            continue
        try:
            content = await asyncio.to_thread(store.read_verified, workflow.digest)
        except NotFound:
            continue  # its bytes are gone, as the step reports
        if len(content) <= MAX_WORKFLOW_BYTES:
            await asyncio.to_thread(_bind, content, file, recipe, workflow.name or "The workflow")


def _bind(content: bytes, file: step_sql.VersionFile, recipe: Recipe, name: str) -> None:
    graph = read_json(content, name)
    spec = RenderSpec(
        run="check",
        workdir=Path(),
        produces=recipe.produces,
        inputs=tuple(
            EngineInput(
                key=f"{line.role.value} {line.ordinal}",
                role=line.role.value,
                ordinal=line.ordinal,
                filename=line.name,
                strength_model=line.strength_model,
                strength_clip=line.strength_clip,
            )
            for line in recipe.inputs
        ),
        parameters=recipe.parameters,
    )
    bind(graph, find(graph, file.bindings, recipe.produces, name), spec, name)
