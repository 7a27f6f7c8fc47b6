"""Writes a step's inputs to files with verified bytes, and stores its outputs."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath

from genlock.blobs.os_errors import os_errors_as_unavailable
from genlock.blobs.store import CHUNK_BYTES, Store
from genlock.digest import Digest, from_raw
from genlock.engines.media import last_frame_of
from genlock.engines.model import DEFINITIONS, EDITOR, LAST_FRAME, VIDEO, EngineInput, Rendered
from genlock.errors import NotFound, Tampered, Unavailable
from genlock.library.in_place import open_in_place
from genlock.model import InputRole, Kind
from genlock.regeneration.plans.claiming import key_of
from genlock.regeneration.plans.step_sql import VersionFile
from genlock.regeneration.recipe import Recipe, RecipeInput
from genlock.takes.claim import Output

Places = Mapping[tuple[int, int], VersionFile]
"""The file of each (asset, version)."""

FRAMES = "frames"
PNG = "image/png"
JSON = "application/json"
OCTETS = "application/octet-stream"


def write_inputs(
    recipe: Recipe, store: Store, places: Places, folder: Path
) -> tuple[tuple[EngineInput, ...], dict[str, Path]]:
    """Write the inputs to ``folder``, verified, and return them with their files. Blocks.

    Raise ``NotFound`` for bytes that are gone and ``Tampered`` for bytes that differ from the recorded ones.
    """
    folder.mkdir(parents=True)
    inputs: list[EngineInput] = []
    files: dict[str, Path] = {}
    for number, line in enumerate(recipe.inputs):
        place = places.get((line.asset or 0, line.version or 0), VersionFile(line.name))
        path = folder / f"{number:03d}{_suffix(place.filename)}"
        if line.digest is None:
            raise Unavailable(
                f"The digest of the {line.role.value} input is unknown.",
                hint="Render this segment with `genlock render`, naming its inputs.",
                code="input_unknown",
            )
        if place.in_place is None or store.exists(line.digest):
            store.copy_out(line.digest, path)
        else:
            _copy_in_place(Path(place.in_place), line.digest, path)
        files[key_of(line)] = path
        for part, digest in ((EDITOR, place.editor), (DEFINITIONS, place.definitions)):
            if digest is not None and store.exists(digest):
                files[key_of(line) + part] = path.with_name(f"{path.name}{part.replace(':', '.')}")
                store.copy_out(digest, files[key_of(line) + part])
        inputs.append(_engine_input(line, place))
    return tuple(inputs), files


def store_outputs(rendered: Rendered, store: Store) -> tuple[dict[str, Output], Output]:
    """Store the outputs and the graph that ran; return the outputs by part, and the graph. Blocks."""
    outputs: dict[str, Output] = {}
    for part, file in rendered.outputs.items():
        stored = store.put_file(file.path)
        outputs[part] = Output(digest=stored.digest, media_type=file.media_type, size_bytes=stored.size_bytes)
    if rendered.produces == VIDEO and LAST_FRAME not in outputs:
        stored = store.put(last_frame_of(rendered.outputs[VIDEO].path))
        outputs[LAST_FRAME] = Output(digest=stored.digest, media_type=PNG, size_bytes=stored.size_bytes)
    outputs[FRAMES] = Output(digest=rendered.frames_digest)
    graph = store.put(rendered.graph)
    return outputs, Output(digest=graph.digest, media_type=JSON, size_bytes=graph.size_bytes)


def _engine_input(line: RecipeInput, place: VersionFile) -> EngineInput:
    return EngineInput(
        key=key_of(line),
        role=line.role.value,
        ordinal=line.ordinal,
        kind=None if line.role is InputRole.SEED_FRAME else Kind(line.kind or line.role.value),
        strength_model=line.strength_model,
        strength_clip=line.strength_clip,
        filename=place.filename,
        digest=line.digest,
        bindings=place.bindings,
    )


def _suffix(filename: str | None) -> str:
    """Return a plain file extension, which engines may need; no other part of a name reaches a path."""
    suffix = PurePath(filename or "").suffix
    return suffix if suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 16 else ""


def _copy_in_place(source: Path, digest: Digest, path: Path) -> None:
    hasher = hashlib.sha256()
    try:
        with (
            open_in_place(source, None) as file,
            os_errors_as_unavailable(f"reading {source.name}"),
            path.open("xb") as copy,
        ):
            while chunk := file.read(CHUNK_BYTES):
                hasher.update(chunk)
                copy.write(chunk)
    except NotFound as error:
        raise Unavailable(
            f"{source.name} is not where it was registered.", hint="Put it back, or run `genlock scan` on its folder."
        ) from error
    if from_raw(hasher.digest()) != digest:
        path.unlink()
        raise Tampered(
            f"{source.name} was changed after it was registered.",
            hint="Run `genlock scan` on its folder, which registers its present content as a new version.",
        )


def remove(folder: Path) -> None:
    """Remove a step's folder; files that cannot be removed are left to the next start."""
    shutil.rmtree(folder, ignore_errors=True)
