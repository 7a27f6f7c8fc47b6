"""Calls about staleness: the report, its groups, and waivers."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from genlock.model import Page
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.listing import Listing
from genlock.sdk.names import AssetLike, ProjectLike, SegmentLike
from genlock.staleness.model import Group, NewWaiver, Report, SegmentView, Waiver

_PAGE = 500


class StalenessCalls(Calls):
    """The report and waivers."""

    def report(self, project: ProjectLike) -> Report:
        """Return what is out of date in a project, why, and the cost of fixing it: every group, most segments first."""
        path = f"/projects/{self._names.project_id(project)}/staleness-report"
        page = self._http.get(Report, path, limit=_PAGE)
        groups = list(page.groups)
        while page.next is not None:
            page = self._http.get(Report, path, limit=_PAGE, cursor=page.next)
            groups += page.groups
        return page.model_copy(update={"groups": tuple(groups), "next": None})

    def group_segments(self, project: ProjectLike, group: Group | str) -> Listing[SegmentView]:
        """List the segments of a group of the report, each with its causes."""
        group_id = group if isinstance(group, str) else group.id
        path = f"/projects/{self._names.project_id(project)}/staleness-report/groups/{group_id}/segments"
        return self._list(Page[SegmentView], path)

    # waivers -------------------------------------------------------------------------------------

    def waive(
        self,
        where: str | Iterable[SegmentLike],
        cause: AssetLike | Literal["chain"],
        reason: str,
        *,
        expires_at: datetime | None = None,
    ) -> tuple[Waiver, ...]:
        """Accept a cause, an asset's change or ``chain``: for a project, a scene, a segment or several segments.

        Return a waiver for each segment that has the cause now. It ends with the next real change of that asset.
        """
        target, project_id = self._where(where)
        asset_id = "chain" if cause == "chain" else self._names.asset(cause, project_id).id
        new = body_of(NewWaiver, **target, asset_id=asset_id, reason=reason, expires_at=expires_at)
        return self._http.send(Page[Waiver], "POST", "/waivers", new).items

    def withdraw_waiver(self, waiver: Waiver | int) -> Waiver:
        """Withdraw a waiver: the causes that it accepted count again."""
        waiver_id = waiver if isinstance(waiver, int) else waiver.id
        return self._http.send(Waiver, "DELETE", f"/waivers/{waiver_id}")

    def waivers(self, project: ProjectLike) -> Listing[Waiver]:
        """List a project's waivers, newest first, including withdrawn and expired ones."""
        return self._list(Page[Waiver], f"/projects/{self._names.project_id(project)}/waivers")

    def _where(self, where: str | Iterable[SegmentLike]) -> tuple[dict[str, object], int | None]:
        """Return the scope of a waiver as request fields, and its project if it is known."""
        if not isinstance(where, str):
            segments = [self._names.segment(segment) for segment in where]
            return {"segment_ids": [segment.id for segment in segments]}, segments[0].project_id if segments else None
        match where.count("/"):
            case 0:
                project_id = self._names.project_id(where)
                return {"project_id": project_id}, project_id
            case 1:
                scene = self._names.scene(where)
                return {"scene_id": scene.id}, scene.project_id
            case _:
                segment = self._names.segment(where)
                return {"segment_ids": [segment.id]}, segment.project_id
