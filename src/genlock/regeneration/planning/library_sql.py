"""Loads how things were made, and the part of the library that a plan may have to make again."""

import json
from collections.abc import Sequence
from typing import Any

from genlock.db.connection import Conn, rows
from genlock.regeneration.planning.situation import Library, ReceiptFacts
from genlock.staleness import outdated_versions_sql
from genlock.takes.receipt import Input


async def made(conn: Conn, receipt_ids: Sequence[int]) -> dict[int, ReceiptFacts]:
    """How each of these receipts says that something was made, without its inputs."""
    found = await rows(
        conn,
        """
        SELECT id, digest_text(receipt_digest) AS receipt_digest, digest_text(graph_digest) AS graph, workload_id,
               convert_from(document, 'UTF8') AS document
          FROM receipts WHERE id = ANY(%(receipts)s)
        """,
        receipts=list(receipt_ids),
    )
    return {row["id"]: _made(row, with_inputs=False) for row in found}


async def library(conn: Conn, assets: Sequence[int], scopes: Sequence[int]) -> Library | None:
    """What making versions again needs, when the expected version of one of these assets is out of date."""
    stale = await rows(
        conn,
        """
        SELECT DISTINCT asset_id FROM outdated_contents
         WHERE asset_id = ANY(%(assets)s) AND scope_id = ANY(%(scopes)s) AND kind = 'derived'
        """,
        assets=list(assets),
        scopes=list(scopes),
    )
    if not stale:
        return None
    above = await outdated_versions_sql.load_affected(conn, [row["asset_id"] for row in stale], scopes)
    # What is made again puts out of date what was made from it: everything below belongs to the trial.
    whole = await outdated_versions_sql.load_affected(conn, sorted(above.lineage.active), scopes)
    derivations = [derivation.id for derivation in whole.lineage.derivations]
    found = await rows(
        conn,
        """
        SELECT derivation_id, digest_text(receipt_digest) AS receipt_digest, digest_text(graph_digest) AS graph,
               workload_id, convert_from(document, 'UTF8') AS document
          FROM receipts WHERE derivation_id = ANY(%(derivations)s)
        """,
        derivations=derivations,
    )
    recipes = {row["derivation_id"]: _made(row, with_inputs=True) for row in found}
    return Library(lineage=whole.lineage, scopes=whole.scopes, recipes=recipes)


def _made(row: dict[str, Any], *, with_inputs: bool) -> ReceiptFacts:
    document = json.loads(row["document"])
    lines = [Input.model_validate(line) for line in document["inputs"]] if with_inputs else []
    return ReceiptFacts(
        receipt_digest=row["receipt_digest"],
        engine=document["engine"]["name"],
        parameters=document.get("parameters", {}),
        graph=row["graph"],
        inputs=tuple(line for line in lines if line.via is None),
        workload_id=row["workload_id"],
    )
