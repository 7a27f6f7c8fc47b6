"""A small production to record into: P portrait, C clothed (made from it), R rain, F fog, W walk, M tiny."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from genlock.db.connection import Conn, rows, scalar
from genlock.digest import Digest
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.model import NewAsset, NewVersion, Version, VersionRef
from genlock.model import Actor, Kind, Role
from genlock.takes import editing, receipt_sql
from genlock.takes.claim import Claim, Output
from genlock.takes.model import Receipt, RecordedIds
from genlock.takes.parts import Parts
from genlock.takes.record import Recording, record_takes
from genlock.timeline import actions as timeline
from genlock.timeline.model import NewProject, NewScene, NewSegments, Segment

ADA = Actor(token_id=None, name="ada", role=Role.CREATOR)
CAST = {
    "portrait": Kind.SOURCE_IMAGE,
    "clothed": Kind.VARIANT,
    "rain": Kind.LORA,
    "fog": Kind.LORA,
    "walk": Kind.WORKFLOW,
    "tiny": Kind.MODEL,
}
PARAMETERS: Mapping[str, Any] = {
    "prompt": "a walk in the rain",
    "negative_prompt": "",
    "cfg": 4.5,
    "seed": "42",
    "steps": 20,
    "sampler": "euler",
    "width": 832,
    "height": 480,
    "frames": 16,
}


def digest_for(text: str) -> Digest:
    """Return the digest of bytes that represent a file."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Stage:
    """A project with a scene of segments and a library, each asset with one version."""

    conn: Conn
    project: int = 0
    scene: int = 0
    segments: list[int] = field(default_factory=list[int])
    assets: dict[str, int] = field(default_factory=dict[str, int])

    async def segments_at(self, scene: int, count: int, *, position: int | None = None) -> tuple[Segment, ...]:
        """Insert segments into a scene."""
        return await editing.insert_segments(self.conn, scene, NewSegments(count=count, position=position), ADA)

    async def another_scene(self, name: str, count: int, project: int | None = None) -> tuple[int, list[int]]:
        """Create a scene with segments; return its id and theirs."""
        scene = await timeline.create_scene(self.conn, project or self.project, NewScene(name=name), ADA)
        return scene.id, [segment.id for segment in await self.segments_at(scene.id, count)]

    async def another_project(self, slug: str) -> int:
        """Create a project without scenes."""
        return (await timeline.create_project(self.conn, NewProject(slug=slug, name=slug), ADA)).id

    async def asset(self, kind: Kind, name: str, project: int | None = None) -> int:
        """Create an asset without versions."""
        created = await library.create_asset(self.conn, NewAsset(kind=kind, name=name, project_id=project), ADA)
        self.assets.setdefault(name, created.id)
        return created.id

    async def version(
        self, name: str, content: str, *, equal_to: str | None = None, made_from: Iterable[tuple[str, int]] = ()
    ) -> Version:
        """Add a version whose bytes represent ``content`` and are equal to those of ``equal_to``."""
        await library_sql.lock(self.conn)
        new = NewVersion(
            digest=digest_for(content),
            effective_digest=digest_for(equal_to or content),
            size_bytes=len(content),
            media_type="application/octet-stream",
            filename=f"{content}.bin",
            derived_from=tuple(VersionRef(asset_id=self.assets[of], number=number) for of, number in made_from),
        )
        added = await library.add_version(self.conn, self.assets[name], new, ADA)
        await library.activate(self.conn, self.assets[name], added.version.number, ADA)
        return added.version

    async def record(
        self, segment: int, claim: Claim, outputs: Mapping[str, str] | None = None, **options: Any
    ) -> RecordedIds:
        """Record one claim; ``outputs`` are parts by the content they represent."""
        (recorded,) = await self.record_all([(segment, claim, outputs)], **options)
        return recorded

    async def record_all(
        self, claims: Sequence[tuple[int, Claim, Mapping[str, str] | None]], **options: Any
    ) -> tuple[RecordedIds, ...]:
        """Record several claims at once."""
        arrivals = [arriving(segment, claim, outputs) for segment, claim, outputs in claims]
        return await record_takes(self.conn, arrivals, ADA, **options)

    async def ask(self, query: LiteralString, **params: Any) -> Any:
        """Return the first column of the first row."""
        return await scalar(self.conn, query, **params)

    async def receipt(self, recorded: RecordedIds) -> Receipt:
        """Return the receipt of a recorded take."""
        return await receipt_sql.get_receipt(self.conn, recorded.receipt_id)

    async def lines(self, recorded: RecordedIds) -> dict[tuple[str, int], dict[str, Any]]:
        """Return the inputs in a receipt's document, by role and ordinal."""
        document = (await self.receipt(recorded)).document
        return {(line["role"], line["ordinal"]): line for line in document["inputs"]}


def arriving(segment: int, claim: Claim, outputs: Mapping[str, str] | None = None) -> Recording:
    """Return a claim to record, with distinct content for each part."""
    parts = outputs if outputs is not None else {"video": f"video of {segment}", "last_frame": f"frame of {segment}"}
    stored = {part: Output(digest=digest_for(content), size_bytes=len(content)) for part, content in parts.items()}
    return Recording(segment, claim, Parts(stored, uploaded={part: output.digest for part, output in stored.items()}))


def claim(*inputs: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, **rest: Any) -> Claim:
    """Return a claim of the sketch engine, whose parameters are complete by default."""
    fields = {"engine": {"name": "sketch", "version": "1"}, **rest}
    return Claim.model_validate({**fields, "inputs": inputs, "parameters": {**PARAMETERS, **(parameters or {})}})


WHOLE: tuple[Mapping[str, Any], ...] = (
    {"role": "workflow", "asset": "workflow:walk", "version": 1},
    {"role": "model", "asset": "model:tiny", "version": 1},
    {"role": "lora", "asset": "lora:rain", "version": 1, "strength_model": 0.8, "strength_clip": 0.5},
)
"""The inputs that every complete receipt here has, except for its picture."""
VARIANT: Mapping[str, Any] = {"role": "variant", "asset": "variant:clothed", "version": 1}


def whole(*pictures: Mapping[str, Any], **rest: Any) -> Claim:
    """Return a complete claim, which starts from the variant by default."""
    return claim(*WHOLE, *(pictures or (VARIANT,)), **rest)


async def set_the_stage(conn: Conn, segments: int = 4) -> Stage:
    """Create a project with one scene and the library."""
    stage = Stage(conn)
    stage.project = await stage.another_project("rooftop")
    stage.scene, stage.segments = await stage.another_scene("night", segments)
    for name, kind in CAST.items():
        await stage.asset(kind, name)
        made_from = [("portrait", 1)] if name == "clothed" else []
        await stage.version(name, f"{name} 1", made_from=made_from)
    return stage


async def table(conn: Conn, query: LiteralString) -> list[dict[str, Any]]:
    """Return every row of a query in a stable order."""
    return sorted(await rows(conn, query), key=repr)
