"""Activations whose consequences have not been told yet."""

from genlock.db.connection import Conn, execute, many
from genlock.model import Model


class Untold(Model):
    """An activation that still owes its events."""

    activation_id: int
    asset_id: int
    from_version: int
    to_version: int
    actor: str


async def note_untold(conn: Conn, activation_id: int, asset_id: int, from_version: int) -> None:
    """Remember that an activation owes its events."""
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


async def take_untold(conn: Conn, activation_id: int | None = None, older_than_s: float = 0) -> tuple[Untold, ...]:
    """Take activations that owe their events, this one or all of some age; nobody else tells them then."""
    return await many(
        conn,
        Untold,
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
