"""Looks up references: projects, scenes, segments and assets by name, with suggestions for unknown names.

A parameter that takes a reference also takes an id, or the object itself.
"""

from collections.abc import Iterator

from genlock.errors import Invalid, NotFound
from genlock.library.model import Asset, Version
from genlock.model import Kind, Page
from genlock.sdk.references import (
    AssetReference,
    Place,
    did_you_mean,
    parse_asset,
    parse_place,
    parse_scene,
    parse_segment,
)
from genlock.sdk.transport import Transport
from genlock.sdk.usage_codes import BAD_REFERENCE
from genlock.staleness.model import SegmentView
from genlock.timeline.model import Project, Scene, Segment

ProjectLike = Project | int | str
SceneLike = Scene | int | str
SegmentLike = Segment | int | str
AssetLike = Asset | int | str

_MOST = 500
_FEW = 5


class Names:
    """Lookups of references on one server."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    # places --------------------------------------------------------------------------------------

    def project_id(self, given: ProjectLike, *, archived: bool = False) -> int:
        """Return the id of a project."""
        return given if isinstance(given, int) else self.project(given, archived=archived).id

    def scene_id(self, given: SceneLike, *, archived: bool = False) -> int:
        """Return the id of a scene."""
        return given if isinstance(given, int) else self.scene(given, archived=archived).id

    def segment_id(self, given: SegmentLike) -> int:
        """Return the id of a segment."""
        if isinstance(given, int):
            return given
        return given.id if isinstance(given, Segment) else self.segment_at(parse_segment(given)).id

    def project(self, given: ProjectLike, *, archived: bool = False) -> Project:
        """Return a project. Raise ``NotFound`` with suggestions."""
        if isinstance(given, Project):
            return given
        if isinstance(given, int):
            return self._http.get(Project, f"/projects/{given}")
        place = parse_place(given)
        if place.scene is not None:
            raise Invalid(
                f"{given!r} is not a project.",
                hint=f"A project is named by its slug: {place.project}",
                code=BAD_REFERENCE,
            )
        return self._project_at(place, archived)

    def scene(self, given: SceneLike, *, archived: bool = False) -> Scene:
        """Return a scene. Raise ``NotFound`` with suggestions."""
        if isinstance(given, Scene):
            return given
        if isinstance(given, int):
            return self._http.get(Scene, f"/scenes/{given}")
        return self._scene_at(parse_scene(given), archived)

    def segment(self, given: SegmentLike) -> SegmentView:
        """Return a segment with its state, its takes and its pins."""
        return self._http.get(SegmentView, f"/segments/{self.segment_id(given)}")

    def segment_at(self, place: Place) -> Segment:
        """Return a segment by position or name. Raise ``NotFound`` with their number or suggestions."""
        scene = self._scene_at(place, archived=False)
        plain = f"{place.project}/{scene.name}"
        if isinstance(place.segment, str):
            return self._segment_called(place.segment, scene, plain)
        path = f"/projects/{scene.project_id}/segments"
        for segment in self._http.get(Page[SegmentView], path, scene_id=scene.id, position=place.segment).items:
            return segment
        last = self._http.get(Page[SegmentView], path, scene_id=scene.id, limit=1).total
        raise NotFound(
            f"There is no segment {place.segment} in {plain}.",
            hint=f"It has {last}, counted from 1." if last else f"It has none yet: `genlock segment add {plain}`.",
        )

    def _segment_called(self, name: str, scene: Scene, plain: str) -> Segment:
        matches = [segment for segment in self.segments_of(scene, q=name) if segment.name == name]
        if len(matches) > 1:
            places = ", ".join(f"{plain}/{segment.position}" for segment in matches[:_FEW])
            raise Invalid(
                f"{len(matches)} segments of {plain} are called {name!r}.",
                hint=f"Name one by its position: {places}.",
                code=BAD_REFERENCE,
            )
        if not matches:
            names = [segment.name for segment in self.segments_of(scene) if segment.name]
            raise NotFound(
                f"There is no segment {name!r} in {plain}.",
                hint=did_you_mean(name, names) or "Name a segment by its position from 1, or by its name.",
            )
        return matches[0]

    def segments_of(self, scene: Scene, q: str | None = None) -> Iterator[SegmentView]:
        """Iterate over the segments of a scene in order; with ``q`` those with that name prefix."""
        cursor: str | None = None
        while True:
            page = self._http.get(
                Page[SegmentView],
                f"/projects/{scene.project_id}/segments",
                scene_id=scene.id,
                q=q,
                limit=_MOST,
                cursor=cursor,
            )
            yield from page.items
            if page.next is None:
                return
            cursor = page.next

    def _project_at(self, place: Place, archived: bool) -> Project:
        for project in self._http.get(Page[Project], "/projects", slug=place.project, archived=archived).items:
            return project
        slugs = [project.slug for project in self._http.get(Page[Project], "/projects", limit=_MOST).items]
        raise NotFound(
            f"There is no {'archived ' if archived else ''}project {place.project!r}.",
            hint=did_you_mean(place.project, slugs) or "`genlock project list` shows all projects.",
        )

    def _scene_at(self, place: Place, archived: bool) -> Scene:
        project = self._project_at(place, archived=False)
        path = f"/projects/{project.id}/scenes"
        for scene in self._http.get(Page[Scene], path, name=place.scene, archived=archived).items:
            return scene
        names = [f"{project.slug}/{scene.name}" for scene in self._http.get(Page[Scene], path, limit=_MOST).items]
        raise NotFound(
            f"There is no {'archived ' if archived else ''}scene {place.scene!r} in {project.slug}.",
            hint=did_you_mean(f"{project.slug}/{place.scene}", names)
            or f"`genlock project show {project.slug}` lists its scenes.",
        )

    # assets --------------------------------------------------------------------------------------

    def asset(self, given: AssetLike, project_id: int | None = None, *, archived: bool = False) -> Asset:
        """Return an asset: the project's own of that name, else the shared one."""
        if isinstance(given, Asset):
            return given
        if isinstance(given, int):
            return self._http.get(Asset, f"/assets/{given}")
        reference = parse_asset(given)
        if reference.version is not None:
            raise Invalid(
                f"{given!r} is a version, not an asset.",
                hint=f"Leave the version out: {reference.kind}:{reference.name}",
                code=BAD_REFERENCE,
            )
        return self._asset_named(reference, project_id, archived)

    def version(self, given: str, project_id: int | None = None) -> tuple[Asset, int | None]:
        """Return the asset and the version number of ``kind:name@version``; ``None`` without a number."""
        reference = parse_asset(given)
        return self._asset_named(reference, project_id, archived=False), reference.version

    def content(self, asset: Asset, number: int) -> Version:
        """Return a version of an asset."""
        return self._http.get(Version, f"/assets/{asset.id}/versions/{number}")

    def _asset_named(self, reference: AssetReference, project_id: int | None, archived: bool) -> Asset:
        named = [
            asset
            for asset in self._assets(reference.kind, project_id, q=reference.name, archived=archived)
            if asset.name == reference.name
        ]
        own = [asset for asset in named if asset.project_id is not None and asset.project_id == project_id]
        shared = [asset for asset in named if asset.project_id is None]
        for candidates in (own, shared, named):
            if len(candidates) == 1:
                return candidates[0]
        plain = f"{reference.kind}:{reference.name}"
        if named:
            raise Invalid(
                f"{len(named)} projects have their own asset {plain}.",
                hint="Name the project with --project.",
                code="ambiguous",
            )
        raise NotFound(
            f"There is no {'archived ' if archived else ''}asset {plain}{' here' if project_id else ''}.",
            hint=did_you_mean(plain, self._alike(project_id)) or "`genlock asset list` shows all assets.",
        )

    def _assets(self, kind: Kind, project_id: int | None, *, q: str, archived: bool) -> Iterator[Asset]:
        cursor: str | None = None
        while True:
            page = self._http.get(
                Page[Asset],
                "/assets",
                kind=kind,
                project_id=project_id,
                q=q,
                archived=archived,
                limit=_MOST,
                cursor=cursor,
            )
            yield from page.items
            if page.next is None:
                return
            cursor = page.next

    def _alike(self, project_id: int | None) -> list[str]:
        page = self._http.get(Page[Asset], "/assets", project_id=project_id, limit=_MOST)
        return [f"{asset.kind}:{asset.name}" for asset in page.items]
