"""Calls about runs of ComfyUI that arrived from its extension, and those that wait for a segment."""

from typing import Literal

from genlock.capture.inbox import Assignment, Capture, Captured, CaptureDetails, CaptureState
from genlock.model import Page
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.listing import Listing
from genlock.sdk.names import SegmentLike


class CapturesCalls(Calls):
    """Runs that arrived, and the inbox."""

    def captures(self, state: CaptureState | Literal["all"] | str = CaptureState.INBOX) -> Listing[Capture]:
        """Runs that arrived, newest first: those in the inbox, unless another state or ``all`` is asked for."""
        return self._list(Page[Capture], "/captures", state=str(state))

    def capture(self, capture: Capture | int) -> CaptureDetails:
        """One run that arrived, with its whole record."""
        return self._http.get(CaptureDetails, f"/captures/{_id(capture)}")

    def assign_capture(self, capture: Capture | int, segment: SegmentLike, *, select: bool = True) -> Captured:
        """Record a run as a take of a segment, with its receipt, and put it in the cut unless told not to."""
        wanted = body_of(Assignment, segment_id=self._names.segment_id(segment), select=select)
        return self._http.send(Captured, "POST", f"/captures/{_id(capture)}/assign", wanted)

    def dismiss_capture(self, capture: Capture | int) -> Capture:
        """Take a run out of the inbox. Its record stays, and it may still be assigned."""
        return self._http.send(Capture, "DELETE", f"/captures/{_id(capture)}")


def _id(capture: Capture | int) -> int:
    return capture if isinstance(capture, int) else capture.id
