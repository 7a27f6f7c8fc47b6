"""Calls about takes and receipts, and the usage of assets."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genlock.digest import Digest, digest_of
from genlock.errors import Tampered
from genlock.model import Page
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.generation import Generation, engine_of
from genlock.sdk.listing import Listing
from genlock.sdk.names import SegmentLike
from genlock.sdk.uploads import Form, Progress
from genlock.staleness.model import Provenance
from genlock.takes.claim import Claim
from genlock.takes.difference import ReceiptDifference
from genlock.takes.model import NewTake, NewTakes, Receipt, ReceiptLine, Recorded, RecordedBatch, RecordedIds, Take


class TakesCalls(Calls):
    """Takes and receipts."""

    def generation(
        self,
        segment: SegmentLike,
        *,
        engine: str,
        engine_version: str | None = None,
        environment: Mapping[str, Any] | None = None,
        select: bool = True,
        note: str | None = None,
    ) -> Generation:
        """Record a take while it is rendered, as one receipt; see ``genlock.sdk.generation``."""
        described = engine_of(engine, engine_version, environment)
        return Generation(self._http, self._names.segment(segment), described, select=select, note=note)

    def record(
        self,
        segment: SegmentLike,
        claim: Claim,
        *,
        video: Path | str | None = None,
        last_frame: Path | str | None = None,
        thumbnail: Path | str | None = None,
        select: bool = True,
        on_progress: Progress | None = None,
    ) -> Recorded:
        """Record work made elsewhere. The same claim with the same parts returns the same take and receipt."""
        given = {"video": video, "last_frame": last_frame, "thumbnail": thumbnail}
        files = {part: Path(path) for part, path in given.items() if path is not None}
        form = Form([("claim", json.dumps(claim.canonical()))], files, on_progress)
        path = f"/segments/{self._names.segment_id(segment)}/takes"
        return self._http.send_form(Recorded, path, form, select=select)

    def select_take(self, segment: SegmentLike, take: int) -> Take:
        """Select another take of a segment, by its number."""
        return self._http.send(Take, "POST", f"/segments/{self._names.segment_id(segment)}/select", {"take": take})

    def provenance(self, segment: SegmentLike) -> Provenance:
        """Return what the selected take of a segment was made with, and whether that is still expected."""
        return self._http.get(Provenance, f"/segments/{self._names.segment_id(segment)}/provenance")

    def takes(self, segment: SegmentLike) -> Listing[Take]:
        """List all takes of a segment, newest first."""
        return self._list(Page[Take], f"/segments/{self._names.segment_id(segment)}/takes")

    def record_batch(self, takes: Sequence[NewTake], *, select: bool = True) -> tuple[RecordedIds, ...]:
        """Record up to 1,000 claims whose outputs are already stored, all or nothing."""
        new = body_of(NewTakes, takes=takes, select=select)
        return self._http.send(RecordedBatch, "POST", "/takes:batch", new).items

    def compare_receipts(self, before: Receipt | int, after: Receipt | int) -> ReceiptDifference:
        """Compare two receipts: inputs, parameters, engine, outputs."""
        first, other = (receipt if isinstance(receipt, int) else receipt.id for receipt in (before, after))
        return self._http.get(ReceiptDifference, f"/receipts/{first}/diff/{other}")

    def receipt(self, receipt: int) -> Receipt:
        """Return a receipt, with its document."""
        return self._http.get(Receipt, f"/receipts/{receipt}")

    def document(self, receipt: Receipt | int) -> bytes:
        """Return a receipt's verbatim bytes. Raise ``Tampered`` if they do not match its digest."""
        record = self.receipt(receipt) if isinstance(receipt, int) else receipt
        with self._http.stream(f"/receipts/{record.id}/document") as response:
            content = response.read()
        if digest_of(content) != record.receipt_digest:
            raise Tampered(
                f"The document of receipt {record.id} does not match its digest {record.receipt_digest}.",
                hint="Do not trust it; restore it from a backup.",
            )
        return content

    def find_receipts(
        self,
        *,
        digest: Digest | None = None,
        output: Digest | None = None,
        seed: int | str | None = None,
        prompt: str | None = None,
    ) -> Listing[ReceiptLine]:
        """Find receipts by the digest of an input or output, by seed, or by words of the prompt."""
        seed_text = None if seed is None else str(seed)
        return self._list(Page[ReceiptLine], "/receipts", digest=digest, output=output, seed=seed_text, prompt=prompt)
