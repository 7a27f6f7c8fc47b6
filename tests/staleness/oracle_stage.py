"""A stage in memory: the worked examples on plain rows, judged by the oracle."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

from tests.staleness.oracle.report import Report, activated, impact, report
from tests.staleness.oracle.rows import (
    LAST_FRAME,
    AssetRow,
    DerivationRow,
    InputRow,
    PinRow,
    ProjectRow,
    ReceiptRow,
    SceneRow,
    SegmentRow,
    TakeRow,
    VersionRow,
    WaiverRow,
    World,
)
from tests.staleness.oracle.rules import causes, derivations_of, state, would_be_own_ancestor
from tests.staleness.worlds import SeenCause, SeenGroup, SeenImpact, SeenReport, SeenUsage, Source, Thing, Uploaded, Use

from genlock.digest import digest_of_json
from genlock.errors import Conflict
from genlock.model import SEED_FRAME, Kind

Row = TypeVar("Row", ProjectRow, SceneRow, SegmentRow, AssetRow, WaiverRow)


def digests_of(kind: Kind, content: str, wrapping: str = "") -> tuple[str, str]:
    """Return the digest and the effective digest of the file of a label."""
    return digest_of_json([kind, content, wrapping]), digest_of_json([kind, content])


def inputs_by_way(world: World, claimed: Sequence[InputRow]) -> tuple[InputRow, ...]:
    """Return the inputs with ``via`` that Genlock adds to a claim, unless it names them: the origins of its images.

    ``variant``: the source images of the newest derivation of a variant. ``seed_frame``: the variants and source images
    of the take that the frame came from, whatever their own ``via``.
    """
    added: list[InputRow] = []

    def add(role: str, asset_id: int | None, digest: str, via: str) -> None:
        existing = [*claimed, *added]
        if all((role, asset_id, digest) != (line.role, line.asset_id, line.digest) for line in existing):
            ordinal = sum(line.role == role for line in existing)
            added.append(InputRow(role, ordinal, digest, asset_id, via=via))

    for line in claimed:
        if line.role == Kind.VARIANT and line.asset_id is not None:
            variant = world.version_with(line.asset_id, line.digest)
            for derivation in derivations_of(world, variant.content)[-1:] if variant else ():
                for source in derivation.sources:
                    if world.asset(source[0]).kind == Kind.SOURCE_IMAGE:
                        add(Kind.SOURCE_IMAGE, source[0], world.version(*source).digest, Kind.VARIANT)
        if line.role == SEED_FRAME and line.take_id is not None:
            for earlier in world.receipt(world.take(line.take_id).receipt_id).inputs:
                if earlier.role in {Kind.VARIANT, Kind.SOURCE_IMAGE}:
                    add(earlier.role, earlier.asset_id, earlier.digest, SEED_FRAME)
    return tuple(added)


def seen_report(report: Report) -> SeenReport:
    """Return a report of the oracle as plain values."""
    groups = tuple(
        SeenGroup(group.root, group.sentence, group.segments, group.scenes, group.direct, group.derived)
        for group in report.groups
    )
    return SeenReport(**vars(report.totals), groups=groups)


class OracleStage:
    """A stage in memory: rows in a ``World``, judged by the oracle."""

    def __init__(self) -> None:
        self.world = World()
        self._ids = count(1)
        self._former_positions: dict[int, int] = {}

    async def project(self, slug: str) -> int:
        row = ProjectRow(next(self._ids), slug)
        self._set(projects=(*self.world.projects, row))
        return row.id

    async def scene(self, project: int, name: str) -> int:
        row = SceneRow(next(self._ids), project, name, len(self.world.scenes) + 1)
        self._set(scenes=(*self.world.scenes, row))
        return row.id

    async def segment(self, scene: int, *, chained: bool = True, position: int | None = None) -> int:
        new = next(self._ids)
        row = SegmentRow(new, scene, self.world.scene(scene).project_id, None, f"segment {new}", chained)
        self._set(segments=(*self.world.segments, row))
        self._order(scene, put=new, at=position)
        return new

    async def set_chained(self, segment: int, chained: bool) -> None:
        self._set(segments=_changed(self.world.segments, segment, chained=chained))

    async def archive(self, thing: Thing, id: int) -> None:
        self._mark(thing, id, archived=True)
        if thing == "segment":
            segment = self.world.segment(id)
            self._former_positions[id] = segment.position or 1
            self._order(segment.scene_id)

    async def restore(self, thing: Thing, id: int) -> None:
        self._mark(thing, id, archived=False)
        if thing == "segment":
            self._order(self.world.segment(id).scene_id, put=id, at=self._former_positions[id])

    def _mark(self, thing: Thing, id: int, *, archived: bool) -> None:
        match thing:
            case "project":
                self._set(projects=_changed(self.world.projects, id, archived=archived))
            case "scene":
                self._set(scenes=_changed(self.world.scenes, id, archived=archived))
            case "segment":
                self._set(segments=_changed(self.world.segments, id, archived=archived))
            case "asset":
                self._set(assets=_changed(self.world.assets, id, archived=archived))

    def _order(self, scene: int, put: int | None = None, at: int | None = None) -> None:
        """Number the unarchived segments of a scene 1, 2, 3 …, with ``put`` at its position."""
        segments = [row for row in self.world.segments if row.scene_id == scene]
        order = [
            row.id
            for row in sorted(segments, key=lambda row: row.position or 0)
            if not row.archived and row.position is not None and row.id != put
        ]
        if put is not None:
            order.insert(len(order) if at is None else at - 1, put)
        rows = self.world.segments
        for row in segments:
            rows = _changed(rows, row.id, position=order.index(row.id) + 1 if row.id in order else None)
        self._set(segments=rows)

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
        return self._bring_in(kind, name, digests_of(kind, content, wrapping), filename, derived_from, None, activate)

    async def generate(
        self, kind: Kind, name: str, content: str, *, filename: str, made_from: Sequence[Source]
    ) -> Uploaded:
        lines = tuple(
            InputRow(self.world.asset(asset).kind, place, self.world.version(asset, number).digest, asset)
            for place, (asset, number) in enumerate(made_from)
        )
        receipt = ReceiptRow(next(self._ids), None, lines)
        self._set(receipts=(*self.world.receipts, receipt))
        return self._bring_in(kind, name, digests_of(kind, content), filename, made_from, receipt.id, True)

    def _bring_in(
        self,
        kind: Kind,
        name: str,
        digests: tuple[str, str],
        filename: str,
        sources: Sequence[Source],
        receipt: int | None,
        activate: bool,
    ) -> Uploaded:
        before = self.world
        digest, effective = digests
        asset = next((row for row in before.assets if (row.kind, row.name) == (kind, name)), None)
        if asset is None:
            asset = AssetRow(next(self._ids), None, kind, name, active=1)
            self._set(assets=(*self.world.assets, asset))
        theirs = [row for row in before.versions if row.asset_id == asset.id]
        version = before.version_with(asset.id, digest)
        outcome = "exists"
        if version is None:
            outcome = "equivalent" if effective in {row.effective_digest for row in theirs} else "created"
            version = VersionRow(asset.id, len(theirs) + 1, digest, effective, filename, next(self._ids))
            self._set(versions=(*self.world.versions, version))
        if sources:
            if would_be_own_ancestor(self.world, asset.id, version.number, sources):
                self.world = before
                raise Conflict(f"{name} would be its own ancestor.")
            row = DerivationRow(next(self._ids), asset.id, version.number, tuple(sources), receipt)
            self._set(derivations=(*self.world.derivations, row))
        if activate:
            self.world = activated(self.world, asset.id, version.number)
        return Uploaded(outcome, asset.id, version.number)

    async def activate(self, asset: int, version: int) -> None:
        self.world = activated(self.world, asset, version)

    async def pin(self, asset: int, version: int, *, project: int | None = None, scene: int | None = None) -> None:
        await self.unpin(asset, project=project, scene=scene)
        self._set(pins=(*self.world.pins, PinRow(self._project_of(project, scene), scene, asset, version)))

    async def unpin(self, asset: int, *, project: int | None = None, scene: int | None = None) -> None:
        unpinned = (self._project_of(project, scene), scene, asset)
        remaining = [row for row in self.world.pins if (row.project_id, row.scene_id, row.asset_id) != unpinned]
        self._set(pins=tuple(remaining))

    def _project_of(self, project: int | None, scene: int | None) -> int:
        if scene is not None:
            return self.world.scene(scene).project_id
        assert project is not None
        return project

    async def waive(self, segment: int, asset: int | None) -> tuple[int, ...]:
        accepted = {
            (cause.root.used_digest, cause.root.expected_digest)
            for cause in causes(self.world, segment)
            if cause.root.asset_id == asset and cause.waiver_id is None
        }
        rows = tuple(WaiverRow(next(self._ids), segment, asset, *digests) for digests in sorted(accepted))
        self._set(waivers=(*self.world.waivers, *rows))
        return tuple(row.id for row in rows)

    async def withdraw(self, waiver: int) -> None:
        self._set(waivers=_changed(self.world.waivers, waiver, withdrawn=True))

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
        claimed: list[InputRow] = []
        for use in uses:
            ordinal = sum(line.role == use.role for line in claimed)
            claimed.append(InputRow(use.role, ordinal, self._digest(use), use.asset, strength_model=use.strength))
        for ordinal, of in enumerate(frames_of if continues is None else (continues, *frames_of)):
            frame = self.world.take(of).outputs[LAST_FRAME]
            claimed.append(InputRow(SEED_FRAME, ordinal, frame, take_id=of, part=LAST_FRAME))
        take, receipt = next(self._ids), next(self._ids)
        lines = (*claimed, *inputs_by_way(self.world, claimed))
        missing = ("seed",) if seed is None else ()
        number = len(await self.takes(segment)) + 1
        self._set(
            receipts=(*self.world.receipts, ReceiptRow(receipt, take, lines, missing, evidence)),
            takes=(
                *self.world.takes,
                TakeRow(take, segment, number, receipt, {LAST_FRAME: digest_of_json(["frame", last_frame])}),
            ),
        )
        if select:
            await self.select(segment, take)
        return take

    def _digest(self, use: Use) -> str:
        if use.version is not None:
            assert use.asset is not None
            return self.world.version(use.asset, use.version).digest
        assert use.content is not None
        return digests_of(Kind(use.role), use.content)[0]

    async def select(self, segment: int, take: int) -> None:
        self._set(selected={**self.world.selected, segment: take})

    async def selected(self, segment: int) -> int | None:
        return self.world.selected.get(segment)

    async def takes(self, segment: int) -> tuple[int, ...]:
        return tuple(row.id for row in self.world.takes if row.segment_id == segment)

    async def state(self, segment: int) -> str:
        return state(self.world, segment).value

    async def causes(self, segment: int) -> frozenset[SeenCause]:
        return frozenset(
            SeenCause(
                cause.kind,
                cause.role,
                cause.root.identity,
                tuple((step.type, step.id, step.number) for step in cause.path),
                cause.waiver_id is not None,
            )
            for cause in causes(self.world, segment)
        )

    async def report(self, project: int) -> SeenReport:
        return seen_report(report(self.world, project))

    async def impact(self, asset: int, version: int) -> SeenImpact:
        predicted = impact(self.world, asset, version)
        reports = {project.project_id: seen_report(project.report) for project in predicted.projects}
        return SeenImpact(predicted.becomes_stale, predicted.becomes_fresh, reports)

    async def usage(self, asset: int, version: int, *, selected: bool = True) -> frozenset[SeenUsage]:
        digest = self.world.version(asset, version).digest
        uses_of_takes: set[SeenUsage] = set()
        for take in self.world.takes:
            lines = self.world.receipt(take.receipt_id).inputs
            uses = sum((line.asset_id, line.digest) == (asset, digest) for line in lines)
            segment = self.world.segment(take.segment_id)
            archived = segment not in self.world.live_segments(segment.project_id)
            is_selected = self.world.selected.get(segment.id) == take.id and not archived
            if uses and (is_selected or not selected):
                uses_of_takes.add(SeenUsage(take.id, uses, archived))
        return frozenset(uses_of_takes)

    def _set(self, **rows: Any) -> None:
        self.world = replace(self.world, **rows)


def _changed(rows: tuple[Row, ...], id: int, **change: Any) -> tuple[Row, ...]:
    return tuple(replace(row, **change) if row.id == id else row for row in rows)
