"""Asks for a receipt to be run again. What would keep it from being the same is refused here, before anything runs.

    receipt ─▶ the same inputs (their bytes, old versions too), the same graph, the same engine ─▶ the queue

It makes no take and selects nothing: what comes of it is a record of its own, beside the receipt.
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
from genlock.regeneration.recipe import Recipe, RecipeInput
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
    """A reproduction that waits for a worker.

    ``Conflict``: no engine of that name here, bytes of what was used are gone or never were known, nothing to compare
    with, or one of this receipt under way already.
    """
    receipt = await receipt_sql.get_receipt(conn, receipt_id)
    recipe = wish_of(receipt)
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
            f"Receipt {receipt.id} is being run again already: reproduction {running}.",
            hint="Wait for its verdict.",
            code="under_way",
        )
    made = await reproduce_sql.insert(conn, receipt.id, receipt.project_id, recipe.engine, new.runs, least, actor)
    await reproduce_sql.hand_over(conn, [made])
    await log.append(
        conn,
        "reproduction.created",
        actor,
        project_id=receipt.project_id,
        subject=f"reproduction/{made}",
        data={"receipt_id": receipt.id, "runs": new.runs},
    )
    return await reproduce_sql.get_reproduction(conn, made)


def wish_of(receipt: Receipt) -> Recipe:
    """What a receipt says it was made of, as an engine is asked for it: inputs that came by others left out. Pure."""
    document = receipt.document
    graph: Digest | None = document.get("graph")
    lines = [Input.model_validate(line) for line in document["inputs"]]
    return Recipe(
        engine=document["engine"]["name"],
        produces=VIDEO if receipt.asset_id is None else IMAGE,
        inputs=tuple(RecipeInput.model_validate(line.model_dump()) for line in lines if line.via is None),
        parameters=dict(document["parameters"]),
        graph=graph,
    )


def runnable(recipe: Recipe, store: Store, places: Places) -> Recipe:
    """Leave out a workflow whose bytes are gone where the graph that ran was kept: that graph runs. Blocks."""
    if recipe.graph is None:
        return recipe
    kept = (line for line in recipe.inputs if line.role is not InputRole.WORKFLOW or _is_there(line, store, places))
    return recipe.model_copy(update={"inputs": tuple(kept)})


def refs_of(recipe: Recipe) -> Sequence[tuple[int, int]]:
    """The versions among the inputs of a recipe."""
    return [(line.asset, line.version) for line in recipe.inputs if line.asset is not None and line.version is not None]


def outputs_of(receipt: Receipt) -> Mapping[str, Digest]:
    """The digests of what a receipt says was made, by part."""
    said: dict[str, Any] = receipt.document.get("outputs", {})
    return {part: output["digest"] for part, output in said.items()}


def _require_engine(receipt: Receipt, recipe: Recipe) -> None:
    if recipe.engine not in engine_names():
        raise Conflict(
            f"Receipt {receipt.id} was made by {recipe.engine!r}, which is not an engine here.",
            hint=f"Engines here: {', '.join(engine_names())}. Other work is recorded, not run.",
            code="no_such_engine",
        )
    if recipe.graph is None and not any(line.role is InputRole.WORKFLOW for line in recipe.inputs):
        raise Conflict(
            f"Receipt {receipt.id} names neither a graph nor a workflow: nobody knows what ran.",
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
            f"Receipt {receipt.id} does not say which bytes were used as {', '.join(unknown)}.",
            hint="It was recorded with weaker evidence; render the segment anew, naming what it is made with.",
            code="input_unknown",
        )


def named(line: Input) -> str:
    """How sentences call an input: ``lora rain v1``."""
    version = "" if line.version is None else f" v{line.version}"
    return f"{line.role.value} {line.name}{version}" if line.name else f"{line.role.value} {line.ordinal}"


def _lost(recipe: Recipe, store: Store, places: Places, gone: frozenset[Digest]) -> list[str]:
    """What a recipe needs and is not there. Bytes that lie elsewhere are proven when they are laid out. Blocks."""
    lost = [named(line) for line in recipe.inputs if line.digest in gone or not _is_there(line, store, places)]
    if recipe.graph is not None and not store.exists(recipe.graph):
        lost.append("the graph that ran")
    return lost


def _is_there(line: RecipeInput, store: Store, places: Places) -> bool:
    if line.digest is not None and store.exists(line.digest):
        return True
    place = places.get((line.asset or 0, line.version or 0))
    return place is not None and place.in_place is not None and is_regular(Path(place.in_place))
