"""A folder as ComfyUI has it, for tests that look at files."""

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
    """A safetensors file; of the same size for every seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save({"w": np.random.RandomState(seed).rand(size).astype(np.float32)}))
    return path


@dataclass
class Disk:
    """A folder as ComfyUI has it, and who looks at it."""

    folder: Path
    db: Database
    store: DiskStore
    scanner: Scanner

    def lora(self, name: str, seed: int) -> Path:
        return weights(self.folder / "models" / "loras" / f"{name}.safetensors", seed)

    async def look(self, *, keep: bool = True, budget_s: float = 60.0, **rest: Any) -> Scan:
        return await self.scanner.look([self.folder], keep=keep, budget_s=budget_s, **rest)

    async def news(self, **rest: Any) -> list[tuple[str, str, int | None]]:
        """What is new: outcome, name and version, sorted."""
        scan = await self.look(**rest)
        assert scan.remaining == 0
        return sorted((one.outcome.value, one.name or "", one.version) for one in scan.news)

    async def version(self, name: str, number: int, kind: str = "lora") -> Version:
        async with self.db.transaction() as conn:
            (found,) = await library_sql.assets_named(conn, [(Kind(kind), name)], None)
            return await library_sql.get_version(conn, found.id, number)

    async def all_versions(self) -> list[tuple[str, int, bool]]:
        """Every version: name, number, whether it is active."""
        async with self.db.transaction() as conn:
            found = await rows(
                conn,
                """
                SELECT a.name, v.number, v.number = a.active_version AS active
                  FROM asset_versions v JOIN assets a ON a.id = v.asset_id ORDER BY 1, 2
                """,
            )
        return [(row["name"], row["number"], row["active"]) for row in found]
