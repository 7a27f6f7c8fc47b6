"""Calls for reproductions: receipts that are rendered again and compared."""

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
        """Run a receipt again: the same inputs, graph and engine. Two runs also measure the noise floor.

        Raise ``Conflict`` if bytes of its inputs are gone, or its engine is not available.
        """
        body = body_of(NewReproduction, runs=runs)
        return self._http.send(Reproduction, "POST", f"/receipts/{_id(receipt)}/reproduce", body)

    def reproduction(self, reproduction: Reproduction | int) -> Reproduction:
        """Return the current state of a reproduction."""
        reproduction_id = reproduction if isinstance(reproduction, int) else reproduction.id
        return self._http.get(Reproduction, f"/reproductions/{reproduction_id}")

    def reproductions(self, receipt: Receipt | int) -> Listing[Reproduction]:
        """List the reproductions of a receipt, newest first."""
        return self._list(Page[Reproduction], f"/receipts/{_id(receipt)}/reproductions")

    def follow_reproduction(self, reproduction: Reproduction | int) -> Iterator[Reproduction]:
        """Poll a reproduction until it has ended."""
        while True:
            now = self.reproduction(reproduction)
            yield now
            if now.state not in _OPEN:
                return
            time.sleep(_PAUSE_S)

    def wait_for_reproduction(self, reproduction: Reproduction | int) -> Reproduction:
        """Wait until a reproduction has ended, with its verdict or its error."""
        *_, last = self.follow_reproduction(reproduction)
        return last


def _id(receipt: Receipt | int) -> int:
    return receipt if isinstance(receipt, int) else receipt.id
