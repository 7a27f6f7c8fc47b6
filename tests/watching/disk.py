"""A folder with ComfyUI's layout, for tests of scans."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database, rows
from genlock.library import sql as library_sql
from genlock.library.model import Version
from genlock.model import Kind
from genlock.watching.model import Scan
from genlock.watching.scanner import Scanner

REST_S = 0.25
"""Enough where file systems write times to the nanosecond, as those that tests run on do."""


def weights(path: Path, seed: int, size: int = 64) -> Path:
    """Write a safetensors file whose size is the same for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save({"w": np.random.RandomState(seed).rand(size).astype(np.float32)}))
    return path


@dataclass
class Disk:
    """A folder with ComfyUI's layout and a scanner of it."""

    folder: Path
    db: Database
    store: DiskStore
    scanner: Scanner

    def lora(self, name: str, seed: int) -> Path:
        return weights(self.folder / "models" / "loras" / f"{name}.safetensors", seed)

    async def scan(self, *, keep: bool = True, budget_s: float = 60.0, **rest: Any) -> Scan:
        return await self.scanner.scan([self.folder], keep=keep, budget_s=budget_s, **rest)

    async def changes(self, **rest: Any) -> list[tuple[str, str, int | None]]:
        """Scan and return the changes: outcome, name and version, sorted."""
        scan = await self.scan(**rest)
        assert scan.remaining == 0
        return sorted((change.outcome.value, change.name or "", change.version) for change in scan.changes)

    async def version(self, name: str, number: int, kind: str = "lora") -> Version:
        async with self.db.transaction() as conn:
            (asset,) = await library_sql.assets_named(conn, [(Kind(kind), name)], None)
            return await library_sql.get_version(conn, asset.id, number)

    async def all_versions(self) -> list[tuple[str, int, bool]]:
        """Return every version: name, number, whether it is active."""
        async with self.db.transaction() as conn:
            versions = await rows(
                conn,
                """
                SELECT a.name, v.number, v.number = a.active_version AS active
                  FROM asset_versions v JOIN assets a ON a.id = v.asset_id ORDER BY 1, 2
                """,
            )
        return [(row["name"], row["number"], row["active"]) for row in versions]
