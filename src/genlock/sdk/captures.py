"""Calls for ComfyUI runs sent by its extension, and for the inbox of runs without a segment."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

from genlock.capture.checked_graph import CheckedGraph, GraphToCheck
from genlock.capture.inbox import Assignment, Capture, Captured, CaptureDetails, CaptureState, RunReceipt
from genlock.capture.run_record import LoadedFile
from genlock.model import Page
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.listing import Listing
from genlock.sdk.names import SegmentLike


class CapturesCalls(Calls):
    """ComfyUI runs and the inbox."""

    def captures(self, state: CaptureState | Literal["review", "all"] | str = CaptureState.INBOX) -> Listing[Capture]:
        """List runs, newest first: by default those in the inbox; ``review`` for takes to review, ``all`` for all."""
        return self._list(Page[Capture], "/captures", state=str(state))

    def capture(self, capture: Capture | int) -> CaptureDetails:
        """Return a run with its whole record."""
        return self._http.get(CaptureDetails, f"/captures/{_id(capture)}")

    def run_receipt(self, prompt_id: str) -> RunReceipt:
        """Return the receipt of a run by ComfyUI's prompt id, with what is out of date today."""
        return self._http.get(RunReceipt, f"/captures/by-prompt/{quote(prompt_id, safe='')}")

    def check_graph(self, graph: Mapping[str, Any], files: Sequence[LoadedFile] = ()) -> CheckedGraph:
        """Check which files of a graph in API format are out of date, by node; ``files`` have their digests."""
        body = body_of(GraphToCheck, graph=dict(graph), files=tuple(files))
        return self._http.send(CheckedGraph, "POST", "/captures:check", body)

    def assign_capture(self, capture: Capture | int, segment: SegmentLike, *, select: bool = True) -> Captured:
        """Record a run as a take of a segment, with its receipt, and by default select it."""
        assignment = body_of(Assignment, segment_id=self._names.segment_id(segment), select=select)
        return self._http.send(Captured, "POST", f"/captures/{_id(capture)}/assign", assignment)

    def dismiss_capture(self, capture: Capture | int) -> Capture:
        """Remove a run from the inbox, or its take from those for review. Its record and its take stay."""
        return self._http.send(Capture, "DELETE", f"/captures/{_id(capture)}")


def _id(capture: Capture | int) -> int:
    return capture if isinstance(capture, int) else capture.id
