"""What a benchmark generates is what Genlock would have recorded: documents, the present, counts, staleness."""

import hashlib
import json
from dataclasses import fields
from functools import cached_property
from typing import Any

from tests.benchmarks.conftest import RECEIPTS
from tests.staleness.machine.compare import same_reports
from tests.staleness.machine.load_world import load_world
from tests.staleness.oracle.rows import ReceiptRow, SceneRow, SegmentRow, TakeRow, VersionRow, World
from tests.takes.rebuild import rebuilt

from genlock.db.connection import Conn, rows, scalar
from genlock.digest import canonical, to_raw
from genlock.takes.receipt import Input, inputs_digest


async def test_documents_are_canonical_and_say_what_their_digests_say(conn: Conn) -> None:
    receipts = await rows(conn, "SELECT document, receipt_digest, inputs_digest, missing, seed, prompt FROM receipts")
    assert len(receipts) == RECEIPTS
    for row in receipts:
        document: dict[str, Any] = json.loads(row["document"])
        assert canonical(document) == row["document"]
        assert hashlib.sha256(row["document"]).digest() == row["receipt_digest"]
        inputs = [Input.model_validate(line) for line in document["inputs"]]
        assert row["inputs_digest"] == to_raw(inputs_digest(document["engine"]["name"], inputs, document["parameters"]))
        assert document["missing"] == row["missing"]
        assert (document["parameters"]["seed"], document["parameters"]["prompt"]) == (str(row["seed"]), row["prompt"])


async def test_documents_say_what_the_rows_of_their_inputs_say(conn: Conn) -> None:
    of_rows: dict[int, list[tuple[Any, ...]]] = {}
    for row in await rows(
        conn,
        """
        SELECT i.receipt_id, i.role, i.ordinal, c.asset_id, c.version,
               digest_text(coalesce(c.digest, i.digest)) AS digest,
               digest_text(c.effective_digest) AS effective, i.take_id, i.part, i.via, i.strength_model
          FROM receipt_inputs i LEFT JOIN contents c ON c.id = i.content_id
        """,
    ):
        of_rows.setdefault(row.pop("receipt_id"), []).append(tuple(row.values()))
    names = (
        *("role", "ordinal", "asset", "version", "digest", "effective_digest", "take", "part", "via"),
        "strength_model",
    )
    for row in await rows(conn, "SELECT id, document FROM receipts"):
        inputs = [tuple(line.get(name) for name in names) for line in json.loads(row["document"])["inputs"]]
        assert sorted(inputs, key=repr) == sorted(of_rows[row["id"]], key=repr)


async def test_the_present_is_what_follows_from_history(conn: Conn) -> None:
    for table, should_be in (await rebuilt(conn)).items():
        names = ", ".join(should_be[0]) if should_be else "*"
        present = await rows(conn, f"SELECT {names} FROM {table}")  # type: ignore[arg-type]
        assert sorted(present, key=repr) == should_be, table


async def test_uses_are_counted_as_they_are(conn: Conn) -> None:
    wrong = await rows(
        conn,
        """
        WITH line AS (
            SELECT DISTINCT i.content_id, r.project_id, r.id, t.receipt_id IS NOT NULL AS selected
              FROM receipt_inputs i
              JOIN receipts r ON r.id = i.receipt_id
              LEFT JOIN selected_takes t ON t.receipt_id = r.id
             WHERE i.content_id IS NOT NULL
        ), many AS (
            SELECT content_id, project_id, count(*) AS takes, count(*) FILTER (WHERE selected) AS selected
              FROM line GROUP BY 1, 2
        )
        SELECT content_id, project_id, u.takes, m.takes AS should_be
          FROM many m FULL JOIN (SELECT * FROM usage_counts WHERE content_id > 0) u USING (content_id, project_id)
         WHERE (u.takes, u.selected) IS DISTINCT FROM (m.takes, m.selected)
        """,
    )
    assert wrong == []


class Indexed(World):
    """A world of some size: what is looked up most is found without walking the rows."""

    @cached_property
    def _rows(self) -> tuple[dict[Any, Any], ...]:
        versions = {(row.asset_id, row.number): row for row in self.versions}
        contents = {(row.asset_id, row.digest): row for row in self.versions}
        others = (self.takes, self.receipts, self.segments, self.scenes)
        return versions, contents, *({row.id: row for row in rows} for rows in others)

    def version(self, asset_id: int, number: int) -> VersionRow:
        return self._rows[0][asset_id, number]

    def version_with(self, asset_id: int, digest: str) -> VersionRow | None:
        return self._rows[1].get((asset_id, digest))

    def take(self, take_id: int) -> TakeRow:
        return self._rows[2][take_id]

    def receipt(self, receipt_id: int) -> ReceiptRow:
        return self._rows[3][receipt_id]

    def segment(self, segment_id: int) -> SegmentRow:
        return self._rows[4][segment_id]

    def scene(self, scene_id: int) -> SceneRow:
        return self._rows[5][scene_id]


async def test_staleness_is_what_the_oracle_says(conn: Conn) -> None:
    loaded = await load_world(conn)
    await same_reports(conn, Indexed(**{field.name: getattr(loaded, field.name) for field in fields(loaded)}))
    assert await scalar(conn, "SELECT count(*) FROM waivers") > 0


async def test_every_output_has_its_bytes_noted(conn: Conn) -> None:
    outputs = await scalar(
        conn,
        """
        SELECT count(*) FROM receipt_outputs o
         WHERE o.part <> 'frames' AND NOT EXISTS (SELECT FROM blobs b WHERE b.digest = o.digest)
        """,
    )
    assert outputs == 0
