"""The outbox of activations: rows of those whose events have not been published yet."""

from genlock.db.connection import Conn, execute, many
from genlock.model import Model


class PendingActivation(Model):
    """An activation that was committed and whose events are not published."""

    activation_id: int
    asset_id: int
    from_version: int
    to_version: int
    actor: str


async def add_pending(conn: Conn, activation_id: int, asset_id: int, from_version: int) -> None:
    """Record that an activation's events must be published."""
    await execute(
        conn,
        """
        INSERT INTO untold_activations (activation_id, asset_id, from_version)
        VALUES (%(activation_id)s, %(asset_id)s, %(from_version)s)
        """,
        activation_id=activation_id,
        asset_id=asset_id,
        from_version=from_version,
    )


async def take_pending(
    conn: Conn, activation_id: int | None = None, older_than_s: float = 0
) -> tuple[PendingActivation, ...]:
    """Remove and return pending activations, this one or all of some age: only this transaction publishes them."""
    return await many(
        conn,
        PendingActivation,
        """
        WITH taken AS (
            DELETE FROM untold_activations
             WHERE activation_id IN (
                   SELECT activation_id FROM untold_activations
                    WHERE (%(activation_id)s::bigint IS NULL OR activation_id = %(activation_id)s)
                      AND at <= now() - make_interval(secs => %(older_than_s)s)
                    ORDER BY activation_id LIMIT 100 FOR UPDATE SKIP LOCKED)
            RETURNING activation_id, asset_id, from_version
        )
        SELECT t.activation_id, t.asset_id, t.from_version, a.to_version, a.actor
          FROM taken t JOIN activations a ON a.id = t.activation_id
         ORDER BY t.activation_id
        """,
        activation_id=activation_id,
        older_than_s=older_than_s,
    )
