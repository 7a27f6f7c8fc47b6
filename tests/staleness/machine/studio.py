"""A small studio on a real database, with the verbs that histories are made of.

Assets, contents and segments are few on purpose: histories must meet the same ones again and again.
"""

import hashlib
from collections.abc import Sequence

from genlock.db.connection import Conn, Database, scalar
from genlock.digest import Digest
from genlock.library import actions as library
from genlock.library.model import Added, NewAsset, NewVersion, VersionRef
from genlock.model import Actor, InputRole, Kind, Role
from genlock.staleness import activation, what_if
from genlock.staleness.model import Impact
from genlock.takes import editing
from genlock.takes.claim import Claim, ClaimEngine, ClaimInput, Evidence, Observed, Output, Parameters
from genlock.takes.parts import Parts
from genlock.takes.record import Recording, record_takes
from genlock.timeline import actions as timeline
from genlock.timeline.model import NewProject, NewScene, NewSegments

ACTOR = Actor(token_id=None, name="ana", role=Role.ADMIN)
ASSETS = (
    (Kind.SOURCE_IMAGE, "portrait"),
    (Kind.SOURCE_IMAGE, "pose"),
    (Kind.VARIANT, "clothed"),
    (Kind.VARIANT, "poster"),
    (Kind.LORA, "rain"),
    (Kind.WORKFLOW, "walk"),
    (Kind.MODEL, "tiny"),
)


def digest(label: str) -> Digest:
    """Return the digest of some content."""
    return "sha256:" + hashlib.sha256(label.encode()).hexdigest()


class Studio:
    """Two projects that share their assets: one with two scenes of three segments, one with a scene of two."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.assets: dict[str, int] = {}
        self.scenes: list[int] = []
        self.projects: list[int] = []
        self.tag = ""
        self._counter = 0

    async def create(self) -> None:
        """Create the projects, scenes, segments and first versions; nothing is rendered yet."""
        async with self.db.transaction() as conn:
            for slug, scenes in (("film", (3, 3)), ("short", (2,))):
                project = await timeline.create_project(conn, NewProject(slug=slug, name=slug), ACTOR)
                self.projects.append(project.id)
                for number, count in enumerate(scenes):
                    scene = await timeline.create_scene(conn, project.id, NewScene(name=f"scene {number}"), ACTOR)
                    self.scenes.append(scene.id)
                    await editing.insert_segments(conn, scene.id, NewSegments(count=count), ACTOR)
        for kind, name in ASSETS:
            async with self.db.transaction() as conn:
                asset = await library.create_asset(conn, NewAsset(kind=kind, name=name), ACTOR)
                self.assets[name] = asset.id
            sources = [("portrait", 1)] if name == "clothed" else []
            await self.upload(name, "first", "first", sources, activate=True)

    async def upload(
        self, name: str, effective: str, label: str, sources: Sequence[tuple[str, int]], *, activate: bool
    ) -> Added:
        """Upload bytes: ``label`` names them, ``effective`` decides which others they are equal to."""
        new = NewVersion(
            digest=digest(f"{name}/{effective}/{label}"),
            effective_digest=digest(f"{name}/{effective}"),
            size_bytes=1,
            media_type="application/octet-stream",
            filename=f"{name}_{label}.png",
            derived_from=tuple(VersionRef(asset_id=self.assets[source], number=number) for source, number in sources),
        )
        async with self.db.transaction() as conn:
            added, _ = await activation.add_version(conn, self.assets[name], new, ACTOR, activate=activate)
        return added

    async def activate(self, asset_id: int, number: int) -> Impact:
        """Activate a version and publish the change."""
        async with self.db.transaction() as conn:
            change = await activation.activate(conn, asset_id, number, ACTOR)
        async with self.db.transaction() as conn:
            return await what_if.publish_change(conn, change)

    async def record(
        self,
        segment_id: int,
        *,
        versions: dict[str, int],
        continues: bool,
        frame: str | None = None,
        complete: bool = True,
        evidence: Evidence | None = None,
        unknown_lora: str | None = None,
        bare_lora: str | None = None,
        lora_twice: bool = False,
        select: bool = True,
    ) -> int:
        """Record a take made with these versions, continuing the previous segment if it has a take."""
        self._counter += 1
        seed_take = None
        async with self.db.transaction() as conn:
            before = await _take_before(conn, segment_id) if continues else None
            inputs = [
                ClaimInput(role=InputRole.WORKFLOW, asset=self.assets["walk"], version=versions["walk"]),
                ClaimInput(role=InputRole.MODEL, asset=self.assets["tiny"], version=versions["tiny"]),
            ]
            rain = self.assets["rain"]
            if bare_lora is not None:
                bare = digest(f"rain/{bare_lora}/{bare_lora}")
                inputs.append(ClaimInput(role=InputRole.LORA, digest=bare, strength_model=0.8))
            elif unknown_lora is None:
                inputs.append(ClaimInput(role=InputRole.LORA, asset=rain, version=versions["rain"], strength_model=0.8))
            else:
                unknown = digest(f"rain/{unknown_lora}/{unknown_lora}")
                inputs.append(ClaimInput(role=InputRole.LORA, asset=rain, digest=unknown, strength_model=0.8))
            if lora_twice:
                inputs.append(ClaimInput(role=InputRole.LORA, asset=rain, version=1, strength_model=0.3))
            if before is None:
                inputs.append(
                    ClaimInput(role=InputRole.VARIANT, asset=self.assets["clothed"], version=versions["clothed"])
                )
                if "poster" in versions:
                    inputs.append(
                        ClaimInput(role=InputRole.VARIANT, asset=self.assets["poster"], version=versions["poster"])
                    )
            else:
                seed_take = before
                inputs.append(ClaimInput(role=InputRole.SEED_FRAME, take=seed_take))
            parameters = Parameters(
                prompt="walks in the rain",
                seed=str(self._counter) if complete else None,
                cfg=4.0,
                width=832,
                height=480,
                frames=81,
            )
            claim = Claim(
                inputs=tuple(inputs),
                parameters=parameters,
                engine=ClaimEngine(name="other", version="1"),
                observed=Observed(duration_s=float(self._counter % 7)),
                evidence=evidence,
            )
            outputs = {
                "video": Output(digest=digest(f"video {self.tag}{self._counter}"), size_bytes=1),
                "last_frame": Output(digest=digest(f"frame {frame or f'{self.tag}{self._counter}'}"), size_bytes=1),
            }
            uploaded = {part: output.digest for part, output in outputs.items()}
            (ids,) = await record_takes(
                conn, [Recording(segment_id, claim, Parts(outputs, uploaded=uploaded))], ACTOR, select=select
            )
        return ids.take_id


async def _take_before(conn: Conn, segment_id: int) -> int | None:
    return await scalar(
        conn,
        """
        SELECT t.take_id
          FROM segments g JOIN segments b ON b.scene_id = g.scene_id AND b.position = g.position - 1
          JOIN selected_takes t ON t.segment_id = b.id
         WHERE g.id = %(segment_id)s AND g.chained
        """,
        segment_id=segment_id,
    )
