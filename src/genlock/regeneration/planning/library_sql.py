"""Loads how versions and takes were rendered, and the part of the library that a plan may have to render again."""

import json
from collections.abc import Sequence
from typing import Any

from genlock.db.connection import Conn, rows
from genlock.regeneration.planning.situation import Library, ReceiptFacts
from genlock.staleness import outdated_versions_sql
from genlock.takes.receipt import Input


async def receipt_facts(conn: Conn, receipt_ids: Sequence[int]) -> dict[int, ReceiptFacts]:
    """Return what each of these receipts says about its render, without the inputs."""
    receipts = await rows(
        conn,
        """
        SELECT id, digest_text(receipt_digest) AS receipt_digest, digest_text(graph_digest) AS graph, workload_id,
               convert_from(document, 'UTF8') AS document
          FROM receipts WHERE id = ANY(%(receipts)s)
        """,
        receipts=list(receipt_ids),
    )
    return {row["id"]: _facts(row, with_inputs=False) for row in receipts}


async def library(conn: Conn, assets: Sequence[int], scopes: Sequence[int]) -> Library | None:
    """Return what regenerating versions needs, if the expected version of one of these assets is out of date."""
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
    # A new version makes what was derived from it out of date: everything below belongs to the trial.
    whole = await outdated_versions_sql.load_affected(conn, sorted(above.lineage.active), scopes)
    derivations = [derivation.id for derivation in whole.lineage.derivations]
    receipts = await rows(
        conn,
        """
        SELECT derivation_id, digest_text(receipt_digest) AS receipt_digest, digest_text(graph_digest) AS graph,
               workload_id, convert_from(document, 'UTF8') AS document
          FROM receipts WHERE derivation_id = ANY(%(derivations)s)
        """,
        derivations=derivations,
    )
    recipes = {row["derivation_id"]: _facts(row, with_inputs=True) for row in receipts}
    return Library(lineage=whole.lineage, scopes=whole.scopes, recipes=recipes)


def _facts(row: dict[str, Any], *, with_inputs: bool) -> ReceiptFacts:
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
