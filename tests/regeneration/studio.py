"""A small studio for plans: real files, a real store, the real engine, tiny images."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genlock.blobs import sql as blobs_sql
from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database, rows
from genlock.engines.registry import configured_engines
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.identify import identify_file
from genlock.library.model import NewAsset, NewVersion, VersionRef
from genlock.model import Actor, InputRole, Kind
from genlock.regeneration import actions, render
from genlock.regeneration.model import NewPlan, NewRender, Plan, PlanState, RenderInput, Selection, Step
from genlock.regeneration.patrol import patrol
from genlock.regeneration.plans import plan_sql
from genlock.regeneration.worker import Pace, run_worker
from genlock.settings import Settings
from genlock.staleness import activation, what_if
from genlock.staleness.model import NewWaiver, Report, State
from genlock.staleness.places_sql import states_of
from genlock.staleness.report import report
from genlock.staleness.waivers import waive
from genlock.takes import editing
from genlock.takes.claim import Parameters
from genlock.timeline import actions as timeline
from genlock.timeline.model import NewPin, NewProject, NewScene, NewSegments, SegmentChange
from genlock.timeline.pin_sql import pins_of

PARAMETERS = Parameters.model_validate(
    {
        "prompt": "a quiet walk in the rain",
        "negative_prompt": "",
        "seed": "18446744073709551615",
        "cfg": 4.0,
        "steps": 1,
        "sampler": "euler",
        "width": 32,
        "height": 32,
        "frames": 2,
    }
)
QUICK = Pace(heartbeat_s=0.5, silent_s=60, poll_s=0.2, patrol_s=0.5, tick_s=0.05, grace_s=1.0)


@dataclass
class Studio:
    """A project with assets and scenes by name; every call is a separate transaction."""

    db: Database
    store: DiskStore
    samples: Path
    actor: Actor
    project_id: int = 0
    assets: dict[str, int] = field(default_factory=dict[str, int])
    scenes: dict[str, int] = field(default_factory=dict[str, int])
    segments: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    async def project(self) -> None:
        async with self.db.transaction() as conn:
            created = await timeline.create_project(conn, NewProject(slug="p", name="P"), self.actor)
        self.project_id = created.id

    async def upload(
        self, kind: Kind, name: str, file: str, *, made_from: Sequence[tuple[str, int]] = (), activate: bool = True
    ) -> int:
        """Upload a sample as a version of an asset; return the version's number."""
        path = self.samples / file
        identity = await asyncio.to_thread(identify_file, path, kind)
        stored = await asyncio.to_thread(self.store.put_file, path)
        async with self.db.transaction() as conn:
            if name not in self.assets:
                created = await library.create_asset(conn, NewAsset(kind=kind, name=name), self.actor)
                self.assets[name] = created.id
        async with self.db.transaction() as conn:
            await library_sql.lock(conn)
            await blobs_sql.note_blob(conn, stored.digest, stored.size_bytes, identity.media_type)
            new = NewVersion(
                **identity.model_dump(),
                filename=file,
                derived_from=tuple(
                    VersionRef(asset_id=self.assets[source], number=number) for source, number in made_from
                ),
            )
            added, change = await activation.add_version(conn, self.assets[name], new, self.actor, activate=activate)
        async with self.db.transaction() as conn:
            await what_if.publish_change(conn, change)
        return added.version.number

    async def activate(self, name: str, number: int) -> None:
        async with self.db.transaction() as conn:
            change = await activation.activate(conn, self.assets[name], number, self.actor)
        async with self.db.transaction() as conn:
            await what_if.publish_change(conn, change)

    async def furnish(self, *, by_hand: bool = True) -> None:
        """Create the worked examples' library: portrait, rain, walk, tiny, and clothed, by hand or by the engine."""
        await self.project()
        await self.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v1.png")
        if by_hand:
            await self.upload(Kind.VARIANT, "clothed", "clothed_v1.png", made_from=[("portrait", 1)])
        await self.upload(Kind.LORA, "rain", "rain_v1.safetensors")
        await self.upload(Kind.WORKFLOW, "walk", "walk_v1.json")
        await self.upload(Kind.MODEL, "tiny", "tiny_v1.safetensors")
        if not by_hand:
            await self.dress()

    async def scene(self, name: str, count: int = 4, *, chained: bool = True) -> list[int]:
        async with self.db.transaction() as conn:
            scene = await timeline.create_scene(conn, self.project_id, NewScene(name=name), self.actor)
            opened = await timeline.open_scene(conn, scene.id)
            created = await timeline.insert_segments(
                conn, opened, NewSegments(count=count, chained=chained), self.actor
            )
        self.scenes[name] = scene.id
        self.segments[name] = [segment.id for segment in created]
        return self.segments[name]

    def request(self, start: str = "clothed", **parameters: Any) -> NewRender:
        """Return a render request: the start image, the LoRA, the workflow and the model."""
        roles = {"portrait": InputRole.SOURCE_IMAGE}
        lines = [
            RenderInput(role=InputRole.WORKFLOW, asset_id=self.assets["walk"]),
            RenderInput(role=InputRole.MODEL, asset_id=self.assets["tiny"]),
            RenderInput(role=InputRole.LORA, asset_id=self.assets["rain"], strength_model=0.8),
            RenderInput(role=roles.get(start, InputRole.VARIANT), asset_id=self.assets[start]),
        ]
        values = PARAMETERS.model_dump(exclude_none=True) | parameters
        return NewRender(engine="sketch", inputs=tuple(lines), parameters=Parameters.model_validate(values))

    async def shoot(self, name: str, count: int = 4, **rest: Any) -> list[int]:
        """Render a new scene of ``count`` segments."""
        segments = await self.scene(name, count)
        await self.start_render(name, **rest)
        await self.work()
        return segments

    async def start_render(self, name: str, **rest: Any) -> Plan:
        """Start a plan that renders every segment of a scene."""
        async with self.db.transaction() as conn:
            return await render.render_scene(conn, self.scenes[name], self.request(**rest), self.actor)

    async def dress(self) -> int:
        """Render ``clothed`` with the engine from the active portrait; return the version's number."""
        if "dress" not in self.assets:
            await self.upload(Kind.WORKFLOW, "dress", "dress_v1.json")
        if "clothed" not in self.assets:
            async with self.db.transaction() as conn:
                created = await library.create_asset(conn, NewAsset(kind=Kind.VARIANT, name="clothed"), self.actor)
            self.assets["clothed"] = created.id
        new = NewRender(
            engine="sketch",
            inputs=(
                RenderInput(role=InputRole.WORKFLOW, asset_id=self.assets["dress"]),
                RenderInput(role=InputRole.MODEL, asset_id=self.assets["tiny"]),
                RenderInput(role=InputRole.SOURCE_IMAGE, asset_id=self.assets["portrait"]),
            ),
            parameters=Parameters.model_validate(
                {"prompt": "in a raincoat", "negative_prompt": "", "seed": "7", "steps": 1, "width": 32, "height": 32}
            ),
        )
        async with self.db.transaction() as conn:
            await render.render_asset(conn, self.assets["clothed"], new, self.actor)
        await self.work()
        return await self.active("clothed")

    async def active(self, name: str) -> int:
        async with self.db.transaction() as conn:
            number = (await library_sql.get_asset(conn, self.assets[name])).active_version
        assert number is not None
        return number

    async def pin(self, name: str, number: int, *, scene: str | None = None) -> None:
        async with self.db.transaction() as conn:
            await activation.pin(
                conn,
                self.project_id,
                None if scene is None else self.scenes[scene],
                self.assets[name],
                NewPin(version=number, reason="because"),
                self.actor,
            )

    async def unpin_all(self, scene: str | None) -> None:
        """Remove every pin of a scene, or those of the whole project."""
        scene_id = None if scene is None else self.scenes[scene]
        async with self.db.transaction() as conn:
            pins = (await pins_of(conn, self.project_id)).items
        for pin in pins:
            if pin.scene_id == scene_id:
                async with self.db.transaction() as conn:
                    await activation.unpin(conn, self.project_id, scene_id, pin.asset_id, self.actor)

    async def versions(self, name: str) -> int:
        async with self.db.transaction() as conn:
            return (await library_sql.get_asset(conn, self.assets[name])).versions_total

    async def chain(self, segment_id: int, *, chained: bool) -> None:
        async with self.db.transaction() as conn:
            await editing.change_segment(conn, segment_id, SegmentChange(chained=chained), self.actor)

    async def waive(self, segment_id: int, name: str) -> None:
        async with self.db.transaction() as conn:
            await waive(
                conn, NewWaiver(segment_ids=(segment_id,), asset_id=self.assets[name], reason="fine"), self.actor
            )

    async def select(self, segment_id: int, number: int) -> None:
        async with self.db.transaction() as conn:
            await editing.select_take(conn, segment_id, number, self.actor)

    async def shoot_elsewhere(self, name: str, count: int = 4, **rest: Any) -> None:
        """Render a new scene with a worker that the test does not run itself."""
        await self.scene(name, count)
        plan = await self.start_render(name, **rest)
        async with asyncio.timeout(120):
            while (await self.read(plan)).state is PlanState.RUNNING:  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.05)

    async def cancel(self, plan: Plan) -> None:
        async with self.db.transaction() as conn:
            await actions.cancel(conn, plan.id, self.actor)

    async def work(self, **rest: Any) -> None:
        """Run a worker until there is no work."""
        engines = configured_engines(Settings())
        await run_worker(self.db, self.store, engines=engines, until_idle=True, pace=QUICK, **rest)

    async def plan(self, **selection: Any) -> Plan:
        options = {name: selection.pop(name) for name in ("cascade", "review", "force", "seed") if name in selection}
        new = NewPlan(project_id=self.project_id, selection=Selection(**(selection or {"all": True})), **options)
        async with self.db.transaction() as conn:
            return await actions.create(conn, new, self.actor)

    async def start(self, plan: Plan, *, as_planned: bool = False) -> Plan:
        async with self.db.transaction() as conn:
            return await actions.start(conn, plan.id, self.actor, as_planned=as_planned)

    async def run(self, plan: Plan, *, as_planned: bool = False, **rest: Any) -> Plan:
        """Start a plan, run a worker, and read the plan again."""
        await self.start(plan, as_planned=as_planned)
        await self.work(**rest)
        return await self.read(plan)

    async def read(self, plan: Plan) -> Plan:
        async with self.db.transaction() as conn:
            return await plan_sql.get_plan(conn, plan.id)

    async def steps(self, plan: Plan) -> tuple[Step, ...]:
        async with self.db.transaction() as conn:
            return (await plan_sql.steps_of(conn, plan.id, limit=500)).items

    async def left_out(self, plan: Plan) -> dict[int, str]:
        async with self.db.transaction() as conn:
            segments = (await plan_sql.left_out_of(conn, plan.id, limit=500)).items
        return {segment.segment_id: segment.why.value for segment in segments}

    async def report(self) -> Report:
        async with self.db.transaction() as conn:
            return (await report(conn, self.project_id)).report

    async def states(self, *names: str) -> list[State]:
        """Return the states of the segments of scenes, in order."""
        ids = [segment for name in names or self.segments for segment in self.segments[name]]
        async with self.db.transaction() as conn:
            states = await states_of(conn, ids)
        return [states[segment] for segment in ids]

    async def takes(self, segment_id: int) -> tuple[int, int | None]:
        """Return the number of takes of a segment, and the number of the selected one."""
        async with self.db.transaction() as conn:
            counts = await rows(
                conn,
                """
                SELECT count(*) AS total, max(t.number) FILTER (WHERE s.take_id IS NOT NULL) AS selected
                  FROM takes t LEFT JOIN selected_takes s ON s.take_id = t.id WHERE t.segment_id = %(id)s
                """,
                id=segment_id,
            )
        return counts[0]["total"], counts[0]["selected"]

    async def archive_segment(self, segment_id: int) -> None:
        async with self.db.transaction() as conn:
            await editing.archive_segment(conn, segment_id, self.actor)

    async def archive_project(self) -> None:
        async with self.db.transaction() as conn:
            await editing.archive_project(conn, self.project_id, self.actor)

    async def archive_asset(self, name: str, *, archived: bool = True) -> None:
        async with self.db.transaction() as conn:
            await library_sql.set_archived(conn, self.assets[name], archived)

    async def mark_gone(self, name: str, number: int) -> None:
        digest = await self.digest(name, number)
        async with self.db.transaction() as conn:
            await blobs_sql.mark_gone(conn, digest)

    async def patrol(self) -> None:
        await patrol(self.db, QUICK.silent_s)

    async def digest(self, name: str, number: int) -> str:
        async with self.db.transaction() as conn:
            return (await library_sql.get_version(conn, self.assets[name], number)).digest

    async def documents(self, segment_id: int) -> list[dict[str, Any]]:
        """Return the receipts of a segment's takes, oldest first, each with its digest."""
        async with self.db.transaction() as conn:
            receipts = await rows(
                conn,
                """
                SELECT digest_text(receipt_digest) AS digest, convert_from(document, 'UTF8') AS document
                  FROM receipts WHERE segment_id = %(id)s ORDER BY id
                """,
                id=segment_id,
            )
        return [{**json.loads(row["document"]), "digest": row["digest"]} for row in receipts]
