"""Calls about running receipts again, and what came of it."""

import time
from collections.abc import Iterator

from genlock.model import Page
from genlock.regeneration.reproduction.model import NewReproduction, Reproduction, ReproductionState
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.listing import Listing
from genlock.takes.model import Receipt

_PAUSE_S = 0.3
_OPEN = frozenset({ReproductionState.QUEUED, ReproductionState.RUNNING})


class ReproductionCalls(Calls):
    """Reproductions."""

    def reproduce(self, receipt: Receipt | int, *, runs: int = 1) -> Reproduction:
        """Run a receipt again: the same inputs, graph and engine. With two runs the noise floor is measured too.

        ``Conflict`` when bytes of what it used are gone, or its engine is not here.
        """
        body = body_of(NewReproduction, runs=runs)
        return self._http.send(Reproduction, "POST", f"/receipts/{_id(receipt)}/reproduce", body)

    def reproduction(self, reproduction: Reproduction | int) -> Reproduction:
        """A reproduction as it is now."""
        found = reproduction if isinstance(reproduction, int) else reproduction.id
        return self._http.get(Reproduction, f"/reproductions/{found}")

    def reproductions(self, receipt: Receipt | int) -> Listing[Reproduction]:
        """The reproductions of a receipt, newest first."""
        return self._list(Page[Reproduction], f"/receipts/{_id(receipt)}/reproductions")

    def follow_reproduction(self, reproduction: Reproduction | int) -> Iterator[Reproduction]:
        """A reproduction again and again until it has ended."""
        while True:
            now = self.reproduction(reproduction)
            yield now
            if now.state not in _OPEN:
                return
            time.sleep(_PAUSE_S)

    def wait_for_reproduction(self, reproduction: Reproduction | int) -> Reproduction:
        """A reproduction once it has ended: with its verdict, or with why there is none."""
        *_, last = self.follow_reproduction(reproduction)
        return last


def _id(receipt: Receipt | int) -> int:
    return receipt if isinstance(receipt, int) else receipt.id
