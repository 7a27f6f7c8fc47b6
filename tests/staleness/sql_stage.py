"""A stage on a real database: the worked examples through the application's actions, judged by the SQL."""

from collections.abc import Sequence

from tests.staleness.oracle_stage import digests_of
from tests.staleness.worlds import SeenCause, SeenGroup, SeenImpact, SeenReport, SeenUsage, Source, Thing, Uploaded, Use

from genlock.db.connection import Database, rows, scalar
from genlock.digest import digest_of_json
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.model import NewAsset, NewVersion, VersionRef
from genlock.model import Actor, InputRole, Kind, Role
from genlock.staleness import activation, what_if
from genlock.staleness.explanation import causes_of
from genlock.staleness.model import CHAIN, Cause, Group, GroupKind, NewWaiver, Totals
from genlock.staleness.places_sql import judge_segments, states_of
from genlock.staleness.report import reports
from genlock.staleness.waivers import waive, withdraw
from genlock.takes import editing, usage_sql
from genlock.takes.claim import Claim, ClaimEngine, ClaimInput, Evidence, Output, Parameters
from genlock.takes.parts import Parts
from genlock.takes.record import Recording, record_takes, record_version
from genlock.timeline import actions as timeline
from genlock.timeline.model import NewPin, NewProject, NewScene, NewSegments, SegmentChange

ACTOR = Actor(token_id=None, name="ana", role=Role.ADMIN)
ENGINE = ClaimEngine(name="other", version="1")


class SqlStage:
    """A stage with its own database."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._videos = 0

    async def project(self, slug: str) -> int:
        async with self.db.transaction() as conn:
            return (await timeline.create_project(conn, NewProject(slug=slug, name=slug), ACTOR)).id

    async def scene(self, project: int, name: str) -> int:
        async with self.db.transaction() as conn:
            return (await timeline.create_scene(conn, project, NewScene(name=name), ACTOR)).id

    async def segment(self, scene: int, *, chained: bool = True, position: int | None = None) -> int:
        async with self.db.transaction() as conn:
            new = NewSegments(chained=chained, position=position)
            return (await editing.insert_segments(conn, scene, new, ACTOR))[0].id

    async def set_chained(self, segment: int, chained: bool) -> None:
        async with self.db.transaction() as conn:
            await editing.change_segment(conn, segment, SegmentChange(chained=chained), ACTOR)

    async def archive(self, thing: Thing, id: int) -> None:
        async with self.db.transaction() as conn:
            match thing:
                case "project":
                    await editing.archive_project(conn, id, ACTOR)
                case "scene":
                    await editing.archive_scene(conn, id, ACTOR)
                case "segment":
                    await editing.archive_segment(conn, id, ACTOR)
                case "asset":
                    await library_sql.set_archived(conn, id, True)

    async def restore(self, thing: Thing, id: int) -> None:
        async with self.db.transaction() as conn:
            match thing:
                case "project":
                    await editing.restore_project(conn, id, ACTOR)
                case "scene":
                    await editing.restore_scene(conn, id, ACTOR)
                case "segment":
                    await editing.restore_segment(conn, id, ACTOR)
                case "asset":
                    await library_sql.set_archived(conn, id, False)

    async def upload(
        self,
        kind: Kind,
        name: str,
        content: str,
        *,
        filename: str,
        wrapping: str = "",
        derived_from: Sequence[Source] = (),
        activate: bool = True,
    ) -> Uploaded:
        digest, effective = digests_of(kind, content, wrapping)
        new = NewVersion(
            digest=digest,
            effective_digest=effective,
            size_bytes=1,
            media_type="application/octet-stream",
            filename=filename,
            derived_from=tuple(VersionRef(asset_id=asset, number=number) for asset, number in derived_from),
        )
        async with self.db.transaction() as conn:
            matches = await library_sql.assets_named(conn, [(kind, name)], None)
            asset = matches[0] if matches else await library.create_asset(conn, NewAsset(kind=kind, name=name), ACTOR)
        async with self.db.transaction() as conn:
            added, _ = await activation.add_version(conn, asset.id, new, ACTOR, activate=activate)
            self._derivation = added.derivation_id
        return Uploaded(added.outcome.value, asset.id, added.version.number)

    async def generate(
        self, kind: Kind, name: str, content: str, *, filename: str, made_from: Sequence[Source]
    ) -> Uploaded:
        uploaded = await self.upload(kind, name, content, filename=filename, derived_from=made_from)
        async with self.db.transaction() as conn:
            sources = await library_sql.assets_by_id(conn, [asset for asset, _ in made_from])
            kinds = {asset.id: asset.kind for asset in sources}
            claim = Claim(
                inputs=tuple(
                    ClaimInput(role=InputRole(kinds[asset].value), asset=asset, version=number)
                    for asset, number in made_from
                ),
                engine=ENGINE,
            )
            parts = Parts({"image": Output(digest=digests_of(kind, content)[0], size_bytes=1)})
            version = VersionRef(asset_id=uploaded.asset, number=uploaded.version)
            assert self._derivation is not None
            await record_version(conn, version, self._derivation, claim, parts, None, ACTOR, None)
        return uploaded

    async def activate(self, asset: int, version: int) -> None:
        async with self.db.transaction() as conn:
            await activation.activate(conn, asset, version, ACTOR)

    async def pin(self, asset: int, version: int, *, project: int | None = None, scene: int | None = None) -> None:
        async with self.db.transaction() as conn:
            where = await self._project_of(project, scene)
            await activation.pin(conn, where, scene, asset, NewPin(version=version, reason="as it was"), ACTOR)

    async def unpin(self, asset: int, *, project: int | None = None, scene: int | None = None) -> None:
        async with self.db.transaction() as conn:
            await activation.unpin(conn, await self._project_of(project, scene), scene, asset, ACTOR)

    async def _project_of(self, project: int | None, scene: int | None) -> int:
        async with self.db.transaction() as conn:
            owner_id = await scalar(conn, "SELECT project_id FROM scenes WHERE id = %(id)s", id=scene)
        return owner_id or project or 0

    async def waive(self, segment: int, asset: int | None) -> tuple[int, ...]:
        new = NewWaiver(segment_ids=(segment,), asset_id=CHAIN if asset is None else asset, reason="good enough")
        async with self.db.transaction() as conn:
            return tuple(waiver.id for waiver in (await waive(conn, new, ACTOR)).items)

    async def withdraw(self, waiver: int) -> None:
        async with self.db.transaction() as conn:
            await withdraw(conn, waiver, ACTOR)

    async def record(
        self,
        segment: int,
        uses: Sequence[Use],
        *,
        last_frame: str,
        continues: int | None = None,
        frames_of: Sequence[int] = (),
        seed: str | None = "1",
        evidence: str = "recorded",
        select: bool = True,
    ) -> int:
        inputs = [await self._claimed(use) for use in uses]
        frames = frames_of if continues is None else (continues, *frames_of)
        inputs += [ClaimInput(role=InputRole.SEED_FRAME, take=take) for take in frames]
        self._videos += 1
        parameters = Parameters(prompt="rain", seed=seed, cfg=4.0, width=832, height=480, frames=81)
        claim = Claim(inputs=tuple(inputs), parameters=parameters, engine=ENGINE, evidence=Evidence(evidence))
        outputs = {
            "video": Output(digest=digest_of_json(["video", self._videos]), size_bytes=1),
            "last_frame": Output(digest=digest_of_json(["frame", last_frame]), size_bytes=1),
        }
        uploaded = {part: output.digest for part, output in outputs.items()}
        async with self.db.transaction() as conn:
            (ids,) = await record_takes(
                conn, [Recording(segment, claim, Parts(outputs, uploaded=uploaded))], ACTOR, select=select
            )
        return ids.take_id

    async def _claimed(self, use: Use) -> ClaimInput:
        digest = None
        if use.version is None:
            digest = digests_of(Kind(use.role), use.content or "")[0]
        return ClaimInput(
            role=InputRole(use.role),
            asset=use.asset,
            version=use.version,
            digest=digest,
            strength_model=use.strength,
        )

    async def select(self, segment: int, take: int) -> None:
        async with self.db.transaction() as conn:
            number = await scalar(conn, "SELECT number FROM takes WHERE id = %(id)s", id=take)
            await editing.select_take(conn, segment, number, ACTOR)

    async def selected(self, segment: int) -> int | None:
        async with self.db.transaction() as conn:
            return await scalar(conn, "SELECT take_id FROM selected_takes WHERE segment_id = %(id)s", id=segment)

    async def takes(self, segment: int) -> tuple[int, ...]:
        async with self.db.transaction() as conn:
            takes = await rows(conn, "SELECT id FROM takes WHERE segment_id = %(id)s ORDER BY id", id=segment)
        return tuple(row["id"] for row in takes)

    async def state(self, segment: int) -> str:
        async with self.db.transaction() as conn:
            return (await states_of(conn, [segment]))[segment].value

    async def causes(self, segment: int) -> frozenset[SeenCause]:
        async with self.db.transaction() as conn:
            judged = await judge_segments(conn, [segment])
            return frozenset(map(seen_cause, (await causes_of(conn, judged, [segment]))[segment]))

    async def report(self, project: int) -> SeenReport:
        async with self.db.transaction() as conn:
            report = (await reports(conn, [project]))[project]
        return seen_report(report.totals, report.groups)

    async def impact(self, asset: int, version: int) -> SeenImpact:
        async with self.db.transaction() as conn:
            predicted = await what_if.impact(conn, asset, version)
        reports = {project.project_id: seen_report(project.totals, project.groups) for project in predicted.projects}
        return SeenImpact(predicted.segments.becomes_stale, predicted.segments.becomes_fresh, reports)

    async def usage(self, asset: int, version: int, *, selected: bool = True) -> frozenset[SeenUsage]:
        async with self.db.transaction() as conn:
            which = "selected" if selected else "all"
            page = await usage_sql.usage(conn, asset, version=version, takes=which, limit=500)
        assert page.total == len(page.items)
        return frozenset(SeenUsage(item.take_id, len(item.uses), item.archived) for item in page.items)


def seen_cause(cause: Cause) -> SeenCause:
    """Return a cause as plain values."""
    root = cause.root
    expected = root.expected if root.kind is GroupKind.ASSET else None
    return SeenCause(
        cause.kind.value,
        cause.role,
        (root.kind.value, root.asset_id, root.used, expected),
        tuple((step.type, step.id, step.number) for step in cause.path),
        cause.waiver_id is not None,
    )


def seen_report(totals: Totals, groups: Sequence[Group]) -> SeenReport:
    """Return a report as plain values."""
    return SeenReport(
        **totals.model_dump(),
        groups=tuple(
            SeenGroup(
                (
                    group.kind.value,
                    group.asset.id if group.asset else None,
                    group.used,
                    group.expected if group.kind is GroupKind.ASSET else None,
                ),
                group.sentence,
                group.segments,
                group.scenes,
                group.direct,
                group.derived,
            )
            for group in groups
        ),
    )
