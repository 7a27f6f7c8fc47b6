"""Calls for projects, scenes, segments and pins."""

from genlock.model import Page
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.listing import Listing
from genlock.sdk.names import AssetLike, ProjectLike, SceneLike, SegmentLike
from genlock.staleness.model import SegmentView, State
from genlock.timeline.model import (
    NewName,
    NewPin,
    NewProject,
    NewScene,
    NewSegments,
    Pin,
    Project,
    Scene,
    Segment,
    SegmentChange,
)


class TimelineCalls(Calls):
    """Projects, scenes, segments and pins."""

    # projects ------------------------------------------------------------------------------------

    def create_project(self, slug: str, name: str | None = None) -> Project:
        """Create a project, by default named like its slug."""
        return self._http.send(Project, "POST", "/projects", body_of(NewProject, slug=slug, name=name or slug))

    def projects(self, *, archived: bool = False) -> Listing[Project]:
        """List all projects, oldest first."""
        return self._list(Page[Project], "/projects", archived=archived)

    def project(self, project: ProjectLike) -> Project:
        """Return a project, with the number of its segments in each state."""
        return self._names.project(project)

    def rename_project(self, project: ProjectLike, name: str) -> Project:
        """Rename a project; its slug does not change."""
        return self._http.send(
            Project, "PATCH", f"/projects/{self._names.project_id(project)}", body_of(NewName, name=name)
        )

    def archive_project(self, project: ProjectLike) -> Project:
        """Archive a project. Nothing in it is deleted."""
        return self._http.send(Project, "POST", f"/projects/{self._names.project_id(project)}/archive")

    def restore_project(self, project: ProjectLike) -> Project:
        """Restore an archived project."""
        project_id = self._names.project_id(project, archived=True)
        return self._http.send(Project, "POST", f"/projects/{project_id}/restore")

    # scenes --------------------------------------------------------------------------------------

    def create_scene(self, project: ProjectLike, name: str) -> Scene:
        """Create a scene at the end of a project."""
        project_id = self._names.project_id(project)
        return self._http.send(Scene, "POST", f"/projects/{project_id}/scenes", body_of(NewScene, name=name))

    def scenes(self, project: ProjectLike, *, archived: bool = False) -> Listing[Scene]:
        """List a project's scenes in order."""
        return self._list(Page[Scene], f"/projects/{self._names.project_id(project)}/scenes", archived=archived)

    def scene(self, scene: SceneLike) -> Scene:
        """Return a scene."""
        return self._names.scene(scene)

    def rename_scene(self, scene: SceneLike, name: str) -> Scene:
        """Rename a scene."""
        return self._http.send(Scene, "PATCH", f"/scenes/{self._names.scene_id(scene)}", body_of(NewName, name=name))

    def archive_scene(self, scene: SceneLike) -> Scene:
        """Archive a scene. Nothing in it is deleted."""
        return self._http.send(Scene, "POST", f"/scenes/{self._names.scene_id(scene)}/archive")

    def restore_scene(self, scene: SceneLike) -> Scene:
        """Restore an archived scene."""
        return self._http.send(Scene, "POST", f"/scenes/{self._names.scene_id(scene, archived=True)}/restore")

    # segments ------------------------------------------------------------------------------------

    def create_segments(
        self,
        scene: SceneLike,
        count: int = 1,
        *,
        name: str | None = None,
        position: int | None = None,
        chained: bool = True,
    ) -> tuple[SegmentView, ...]:
        """Create segments at the end of a scene, or from ``position`` on, shifting those after it."""
        new = body_of(NewSegments, count=count, name=name, position=position, chained=chained)
        path = f"/scenes/{self._names.scene_id(scene)}/segments"
        return self._http.send(Page[SegmentView], "POST", path, new).items

    def segments(
        self,
        project: ProjectLike,
        *,
        state: State | str | None = None,
        scene: SceneLike | None = None,
        name: str | None = None,
        page_size: int = 100,
    ) -> Listing[SegmentView]:
        """List a project's segments in order: of a state or scene, or with a name that begins with ``name``."""
        return self._list(
            Page[SegmentView],
            f"/projects/{self._names.project_id(project)}/segments",
            state=state,
            scene_id=None if scene is None else self._names.scene_id(scene),
            q=name,
            limit=page_size,
        )

    def segment(self, segment: SegmentLike) -> SegmentView:
        """Return a segment: its state and causes, its takes, and its pins."""
        return self._names.segment(segment)

    def change_segment(
        self,
        segment: SegmentLike,
        *,
        name: str | None = None,
        position: int | None = None,
        chained: bool | None = None,
    ) -> SegmentView:
        """Rename or move a segment, or change whether it is chained; absent arguments change nothing."""
        change = body_of(SegmentChange, name=name, position=position, chained=chained)
        return self._http.send(SegmentView, "PATCH", f"/segments/{self._names.segment_id(segment)}", change)

    def archive_segment(self, segment: SegmentLike) -> Segment:
        """Remove a segment from its scene's order. Nothing in it is deleted."""
        return self._http.send(SegmentView, "POST", f"/segments/{self._names.segment_id(segment)}/archive")

    def restore_segment(self, segment: Segment | int) -> Segment:
        """Restore an archived segment at its position. It is named by its id, because it has no position."""
        return self._http.send(SegmentView, "POST", f"/segments/{self._names.segment_id(segment)}/restore")

    # pins ----------------------------------------------------------------------------------------

    def pins(self, project: ProjectLike) -> Listing[Pin]:
        """List the pins of a project and its scenes."""
        return self._list(Page[Pin], f"/projects/{self._names.project_id(project)}/pins")

    def pin(self, place: str, asset: AssetLike, version: int, reason: str) -> Pin:
        """Pin a project or one of its scenes to a fixed version of an asset."""
        path, project_id = self._place(place)
        asset_id = self._names.asset(asset, project_id).id
        return self._http.send(Pin, "PUT", f"{path}/pins/{asset_id}", body_of(NewPin, version=version, reason=reason))

    def unpin(self, place: str, asset: AssetLike) -> None:
        """Remove a pin: the project or scene uses the active version again."""
        path, project_id = self._place(place)
        self._http.send_empty("DELETE", f"{path}/pins/{self._names.asset(asset, project_id).id}")

    def _place(self, place: str) -> tuple[str, int]:
        """Return the path of a project or scene, and the project's id."""
        if "/" in place:
            scene = self._names.scene(place)
            return f"/scenes/{scene.id}", scene.project_id
        project_id = self._names.project_id(place)
        return f"/projects/{project_id}", project_id
