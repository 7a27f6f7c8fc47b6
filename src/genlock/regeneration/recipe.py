"""A recipe: engine, inputs and parameters that a step is made from, and the digest that takes are compared by. Pure.

    receipt of the selected take ──▶ judged inputs brought to their expected versions ──▶ recipe ──▶ inputs digest
                                     waived ones stay; the frame is the predecessor's

A recipe may be open: a version that an earlier step of the plan makes, or the frame of a take that an earlier step
renders, is filled in when the step starts. Until then it has no digest.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from genlock.digest import Digest
from genlock.model import InputRole, Model
from genlock.takes import receipt
from genlock.takes.claim import Regenerates
from genlock.takes.claim_resolution import LAST_FRAME
from genlock.takes.receipt import Input

Open = Literal["version", "frame"]


class RecipeInput(Input):
    """One input of a recipe. ``open``: what is known only when the step starts.

    ``continues`` marks the frame of the segment before, which is read when the step starts even if it was known.
    """

    open: Open | None = None
    continues: bool = False


class Recipe(Model):
    """Everything that a step is to be made with. ``graph`` is what runs when no workflow is among the inputs."""

    engine: str
    produces: Literal["video", "image"] = "video"
    inputs: tuple[RecipeInput, ...]
    parameters: dict[str, Any]
    graph: Digest | None = None
    regenerates: Regenerates | None = None

    @property
    def is_open(self) -> bool:
        """Whether something of it is known only when the step starts."""
        return any(line.open is not None for line in self.inputs)

    @property
    def frame(self) -> RecipeInput | None:
        """The frame it continues, if it does: the first seed frame, as chains are judged by it."""
        frames = [line for line in self.inputs if line.role is InputRole.SEED_FRAME]
        return min(frames, key=lambda line: line.ordinal, default=None)

    @property
    def open_assets(self) -> frozenset[int]:
        """The assets of which an earlier step makes the version."""
        return frozenset(line.asset for line in self.inputs if line.open == "version" and line.asset is not None)


class ResolvedInput(Model):
    """A version or a take's part, as it fills something open."""

    digest: Digest
    effective_digest: Digest | None = None
    version: int | None = None
    take: int | None = None


def inputs_digest(recipe: Recipe) -> Digest | None:
    """The digest of a recipe, by the receipt's own definition; ``None`` while something of it is open."""
    if recipe.is_open:
        return None
    return receipt.inputs_digest(recipe.engine, recipe.inputs, recipe.parameters)


def with_seed(recipe: Recipe, seed: str) -> Recipe:
    """The recipe with another seed."""
    return recipe.model_copy(update={"parameters": {**recipe.parameters, "seed": seed}})


def with_frame(recipe: Recipe, resolved: ResolvedInput | None) -> Recipe:
    """The recipe with its frame filled in, or open when ``resolved`` is ``None``."""
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
    """Fill in everything that exists: ``versions`` by asset, ``frame`` of the segment before by part.

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
