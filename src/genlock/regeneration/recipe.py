"""A recipe: the engine, inputs and parameters of a step, and the digest that takes are compared by. Pure.

    receipt of the selected take ──▶ judged inputs brought to their expected versions ──▶ recipe ──▶ inputs digest
                                     waived ones stay; the frame is the previous segment's

A recipe may be open: a version that an earlier step of the plan makes, or the frame of a take that an earlier step
renders, is filled in when the step starts. Until then it has no digest.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

from genlock.digest import Digest
from genlock.model import InputRole, Model
from genlock.takes import receipt
from genlock.takes.claim import Regenerates
from genlock.takes.claim_resolution import LAST_FRAME
from genlock.takes.receipt import Input

Open = Literal["version", "frame"]


class RecipeInput(Input):
    """An input of a recipe. ``open``: what is known only when the step starts.

    ``continues`` marks the frame of the previous segment, which is read when the step starts even if it is known now.
    """

    open: Open | None = None
    continues: bool = False


class Recipe(Model):
    """Everything that a step renders with. ``graph`` is what runs when no workflow is among the inputs."""

    engine: str
    produces: Literal["video", "image"] = "video"
    inputs: tuple[RecipeInput, ...]
    parameters: dict[str, Any]
    graph: Digest | None = None
    regenerates: Regenerates | None = None

    @property
    def as_document(self) -> dict[str, Any]:
        """The recipe as JSON, as a step keeps it."""
        document = self.model_dump(mode="json", exclude_none=True, exclude={"inputs"})
        return document | {"inputs": [line.as_document for line in self.inputs]}

    @property
    def is_open(self) -> bool:
        """Whether part of it is known only when the step starts."""
        return any(line.open is not None for line in self.inputs)

    @property
    def frame(self) -> RecipeInput | None:
        """The frame that it continues, if any: the first seed frame, by which chains are judged."""
        frames = [line for line in self.inputs if line.role is InputRole.SEED_FRAME]
        return min(frames, key=lambda line: line.ordinal, default=None)

    @property
    def open_assets(self) -> frozenset[int]:
        """The assets whose version an earlier step makes."""
        return frozenset(line.asset for line in self.inputs if line.open == "version" and line.asset is not None)


class ResolvedInput(Model):
    """A version or a part of a take that fills an open input."""

    digest: Digest
    effective_digest: Digest | None = None
    version: int | None = None
    take: int | None = None


def recipe_input(line: Input) -> RecipeInput:
    """Return an input of a receipt as one of a recipe. Cached because the segments of a plan share many inputs."""
    return _recipe_input(line)  # pyright: ignore[reportArgumentType] - pydantic gives frozen models a hash


@lru_cache(maxsize=4096)
def _recipe_input(line: Input) -> RecipeInput:
    return RecipeInput.model_validate(line.model_dump())


def request_of(recipe: Recipe) -> dict[str, Any] | None:
    """Return what determines the picture, by the receipt's own definition; ``None`` while an input is open."""
    return None if recipe.is_open else receipt.request_of(recipe.engine, recipe.inputs, recipe.parameters)


def inputs_digest(recipe: Recipe) -> Digest | None:
    """Return the digest of a recipe, by the receipt's own definition; ``None`` while an input is open."""
    return None if recipe.is_open else receipt.inputs_digest(recipe.engine, recipe.inputs, recipe.parameters)


def with_seed(recipe: Recipe, seed: str) -> Recipe:
    """Return the recipe with another seed."""
    return recipe.model_copy(update={"parameters": {**recipe.parameters, "seed": seed}})


def with_frame(recipe: Recipe, resolved: ResolvedInput | None) -> Recipe:
    """Return the recipe with its frame filled in, or open if ``resolved`` is ``None``."""
    frame = recipe.frame
    if frame is None:
        return recipe
    if resolved is None:
        change = {"open": "frame", "digest": None, "take": None, "continues": True}
    else:
        change = {"open": None, "digest": resolved.digest, "take": resolved.take, "continues": True}
    filled = frame.model_copy(update=change)
    return recipe.model_copy(update={"inputs": tuple(filled if line is frame else line for line in recipe.inputs)})


def resolve(
    recipe: Recipe, versions: Mapping[int, ResolvedInput], frame: Callable[[str], ResolvedInput | None]
) -> Recipe:
    """Fill in everything that exists: ``versions`` by asset, ``frame`` of the previous segment by part.

    What is missing stays open.
    """
    return recipe.model_copy(update={"inputs": tuple(_resolved(line, versions, frame) for line in recipe.inputs)})


def _resolved(
    line: RecipeInput, versions: Mapping[int, ResolvedInput], frame: Callable[[str], ResolvedInput | None]
) -> RecipeInput:
    resolved = None
    if line.continues:
        resolved = frame(line.part or LAST_FRAME)
    elif line.open == "version" and line.asset is not None:
        resolved = versions.get(line.asset)
    if resolved is None:
        return line
    return line.model_copy(
        update={
            "open": None,
            "digest": resolved.digest,
            "effective_digest": resolved.effective_digest,
            "version": resolved.version,
            "take": resolved.take,
        }
    )
