"""Requests to run a receipt again. Whatever would prevent the same result is refused before anything runs.

    receipt ─▶ the same inputs (their bytes, old versions too), the same graph, the same engine ─▶ the queue

A reproduction makes no take and selects nothing: its result is a separate record that refers to the receipt.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genlock.blobs.store import Store
from genlock.db.connection import Conn
from genlock.digest import Digest
from genlock.engines.model import IMAGE, VIDEO
from genlock.engines.offers import engine_names
from genlock.errors import Conflict
from genlock.events import log
from genlock.model import Actor, InputRole
from genlock.regeneration.making.materialise import Places
from genlock.regeneration.planning import situation_sql
from genlock.regeneration.plans import step_sql
from genlock.regeneration.recipe import Recipe, RecipeInput, recipe_input
from genlock.regeneration.reproduction import sql as reproduce_sql
from genlock.regeneration.reproduction.model import NewReproduction, Reproduction, Thresholds
from genlock.regeneration.reproduction.verdicts import FRAMES
from genlock.regular_file import is_regular
from genlock.takes import receipt_sql
from genlock.takes.model import Receipt
from genlock.takes.receipt import Input


async def ask(
    conn: Conn, store: Store, receipt_id: int, new: NewReproduction, least: Thresholds, actor: Actor
) -> Reproduction:
    """Create a reproduction, which waits for a worker.

    ``Conflict``: the engine is not available, bytes of inputs are gone or were never known, there is nothing to compare
    with, or a reproduction of this receipt is already running.
    """
    receipt = await receipt_sql.get_receipt(conn, receipt_id)
    recipe = recipe_of(receipt)
    _require_engine(receipt, recipe)
    _require_original(receipt, recipe)
    places = await step_sql.places_of(conn, refs_of(recipe))
    recipe = await asyncio.to_thread(runnable, recipe, store, places)
    _require_known(receipt, recipe)
    gone = await situation_sql.lost_among(conn, [line.digest for line in recipe.inputs])
    lost = await asyncio.to_thread(_lost, recipe, store, places, gone)
    if lost:
        raise Conflict(
            f"Receipt {receipt.id} cannot be run again: the bytes of {', '.join(lost)} are gone.",
            hint="Upload the same files again, as versions of their assets; then try again.",
            code="bytes_gone",
        )
    running = await reproduce_sql.under_way(conn, receipt.id)
    if running is not None:
        raise Conflict(
            f"Receipt {receipt.id} is already being run again: reproduction {running}.",
            hint=f"Wait for its verdict: `genlock reproductions {receipt.id}`.",
            code="under_way",
        )
    reproduction_id = await reproduce_sql.insert(
        conn, receipt.id, receipt.project_id, recipe.engine, new.runs, least, actor
    )
    await reproduce_sql.hand_over(conn, [reproduction_id])
    await log.append(
        conn,
        "reproduction.created",
        actor,
        project_id=receipt.project_id,
        subject=f"reproduction/{reproduction_id}",
        data={"receipt_id": receipt.id, "runs": new.runs},
    )
    return await reproduce_sql.get_reproduction(conn, reproduction_id)


def recipe_of(receipt: Receipt) -> Recipe:
    """Return the recipe that a receipt records, without inputs that were recorded ``via`` others. Pure."""
    document = receipt.document
    graph: Digest | None = document.get("graph")
    lines = [Input.model_validate(line) for line in document["inputs"]]
    return Recipe(
        engine=document["engine"]["name"],
        produces=VIDEO if receipt.asset_id is None else IMAGE,
        inputs=tuple(recipe_input(line) for line in lines if line.via is None),
        parameters=dict(document["parameters"]),
        graph=graph,
    )


def runnable(recipe: Recipe, store: Store, places: Places) -> Recipe:
    """Leave out a workflow whose bytes are gone if the graph that ran is stored: that graph runs. Blocks."""
    if recipe.graph is None:
        return recipe
    available = (
        line for line in recipe.inputs if line.role is not InputRole.WORKFLOW or _is_available(line, store, places)
    )
    return recipe.model_copy(update={"inputs": tuple(available)})


def refs_of(recipe: Recipe) -> Sequence[tuple[int, int]]:
    """Return the (asset, version) pairs among the inputs of a recipe."""
    return [(line.asset, line.version) for line in recipe.inputs if line.asset is not None and line.version is not None]


def outputs_of(receipt: Receipt) -> Mapping[str, Digest]:
    """Return the digests of a receipt's outputs, by part."""
    outputs: dict[str, Any] = receipt.document.get("outputs", {})
    return {part: output["digest"] for part, output in outputs.items()}


def _require_engine(receipt: Receipt, recipe: Recipe) -> None:
    if recipe.engine not in engine_names():
        raise Conflict(
            f"Receipt {receipt.id} was made by {recipe.engine!r}, which is not an available engine.",
            hint=f"Available engines: {', '.join(engine_names())}. Other work is recorded, not run.",
            code="no_such_engine",
        )
    if recipe.graph is None and not any(line.role is InputRole.WORKFLOW for line in recipe.inputs):
        raise Conflict(
            f"Receipt {receipt.id} names neither a graph nor a workflow: it is unknown what ran.",
            hint="Only work with a known graph or workflow can be run again.",
            code="nothing_to_run",
        )


def _require_original(receipt: Receipt, recipe: Recipe) -> None:
    outputs = outputs_of(receipt)
    if outputs.get(recipe.produces) is None and outputs.get(FRAMES) is None:
        raise Conflict(
            f"Receipt {receipt.id} names no {recipe.produces}: there is nothing to compare with.",
            hint="Reproduce a take whose result was recorded.",
            code="nothing_to_compare",
        )


def _require_known(receipt: Receipt, recipe: Recipe) -> None:
    unknown = [named(line) for line in recipe.inputs if line.digest is None]
    if unknown:
        raise Conflict(
            f"Receipt {receipt.id} does not name the bytes of {', '.join(unknown)}.",
            hint="It was recorded with weaker evidence: render the segment with `genlock render`, naming its inputs.",
            code="input_unknown",
        )


def named(line: Input) -> str:
    """Return an input's name in messages: ``lora rain v1``."""
    version = "" if line.version is None else f" v{line.version}"
    return f"{line.role.value} {line.name}{version}" if line.name else f"{line.role.value} {line.ordinal}"


def _lost(recipe: Recipe, store: Store, places: Places, gone: frozenset[Digest]) -> list[str]:
    """Return the names of a recipe's missing files. Files in place are verified when they are laid out. Blocks."""
    lost = [named(line) for line in recipe.inputs if line.digest in gone or not _is_available(line, store, places)]
    if recipe.graph is not None and not store.exists(recipe.graph):
        lost.append("the graph that ran")
    return lost


def _is_available(line: RecipeInput, store: Store, places: Places) -> bool:
    if line.digest is not None and store.exists(line.digest):
        return True
    place = places.get((line.asset or 0, line.version or 0))
    return place is not None and place.in_place is not None and is_regular(Path(place.in_place))
