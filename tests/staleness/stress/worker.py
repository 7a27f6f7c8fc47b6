"""A process of the stress test: a busy user with their own connections. ``python -m`` with a JSON argument.

It writes one line of JSON per operation: its name, its start and end on the machine's clock, and its assets.
"""

import asyncio
import json
import random
import sys
import time
from typing import Any

from tests.staleness.machine.studio import ACTOR, Studio

from genlock.db.connection import Database, rows
from genlock.errors import Conflict, Invalid, NotFound
from genlock.staleness import activation, waivers
from genlock.staleness.model import NewWaiver
from genlock.takes import editing
from genlock.timeline.model import NewPin, NewSegments, SegmentChange

MADE_WITH = ("walk", "tiny", "rain", "clothed")


class Hurry:
    """Random operations on a studio that other processes change too."""

    def __init__(self, db: Database, task: dict[str, Any]) -> None:
        self.db = db
        self.random = random.Random(task["seed"])
        self.seed = task["seed"]
        self.studio = Studio(db)
        self.studio.assets = task["assets"]
        self.studio.tag = f"{self.seed}/"
        self.scenes: list[int] = task["scenes"]
        self.project: int = task["project"]

    async def numbers(self, name: str) -> list[int]:
        async with self.db.transaction() as conn:
            versions = await rows(
                conn, "SELECT number FROM asset_versions WHERE asset_id = %(id)s", id=self.studio.assets[name]
            )
        return [row["number"] for row in versions]

    async def segments(self) -> list[int]:
        async with self.db.transaction() as conn:
            segments = await rows(conn, "SELECT id FROM segments WHERE position IS NOT NULL ORDER BY id")
        return [row["id"] for row in segments]

    async def record(self) -> list[int]:
        versions = {name: self.random.choice(await self.numbers(name)) for name in MADE_WITH}
        segment = self.random.choice(await self.segments())
        await self.studio.record(segment, versions=versions, continues=self.random.random() < 0.7)
        return [self.studio.assets[name] for name in MADE_WITH]

    async def activate(self) -> list[int]:
        name = self.random.choice(MADE_WITH)
        await self.studio.activate(self.studio.assets[name], self.random.choice(await self.numbers(name)))
        return [self.studio.assets[name]]

    async def upload(self) -> list[int]:
        name = self.random.choice(("rain", "clothed", "portrait"))
        sources = [("portrait", self.random.choice(await self.numbers("portrait")))] if name == "clothed" else []
        label = self.random.choice("abcdef")
        await self.studio.upload(name, label, label, sources, activate=self.random.random() < 0.5)
        return [self.studio.assets[name]]

    async def select(self) -> list[int]:
        segment = self.random.choice(await self.segments())
        async with self.db.transaction() as conn:
            await editing.select_take(conn, segment, self.random.randint(1, 3), ACTOR)
        return []

    async def pin(self) -> list[int]:
        scene = self.random.choice([None, *self.scenes])
        name = self.random.choice(MADE_WITH)
        async with self.db.transaction() as conn:
            if self.random.random() < 0.6:
                new = NewPin(version=1, reason="as it was")
                await activation.pin(conn, self.project, scene, self.studio.assets[name], new, ACTOR)
            else:
                await activation.unpin(conn, self.project, scene, self.studio.assets[name], ACTOR)
        return []

    async def waive(self) -> list[int]:
        asset = self.studio.assets[self.random.choice(MADE_WITH)]
        new = NewWaiver(segment_ids=(self.random.choice(await self.segments()),), asset_id=asset, reason="fine")
        async with self.db.transaction() as conn:
            await waivers.waive(conn, new, ACTOR)
        return []

    async def rearrange(self) -> list[int]:
        segment = self.random.choice(await self.segments())
        async with self.db.transaction() as conn:
            match self.random.randrange(4):
                case 0:
                    change = SegmentChange(position=self.random.randint(1, 3))
                    await editing.change_segment(conn, segment, change, ACTOR)
                case 1:
                    change = SegmentChange(chained=self.random.random() < 0.7)
                    await editing.change_segment(conn, segment, change, ACTOR)
                case 2:
                    await editing.archive_segment(conn, segment, ACTOR)
                case _:
                    await editing.insert_segments(
                        conn, self.random.choice(self.scenes), NewSegments(count=1, position=1), ACTOR
                    )
        return []


async def main(task: dict[str, Any]) -> None:
    """Run the task's share of operations."""
    db = Database(task["conninfo"], max_size=2)
    await db.open()
    person = Hurry(db, task)
    weighted = [(person.record, 50), (person.activate, 25), (person.upload, 8), (person.select, 6)]
    weighted += [(person.pin, 4), (person.waive, 4), (person.rearrange, 3)]
    doings = [doing for doing, weight in weighted for _ in range(weight)]
    for _ in range(task["operations"]):
        doing = person.random.choice(doings)
        began = time.monotonic()
        try:
            assets, outcome = await doing(), "done"
        except (Conflict, Invalid, NotFound) as refused:
            assets, outcome = [], refused.code
        line = {"what": doing.__name__, "began": began, "ended": time.monotonic(), "assets": assets, "outcome": outcome}
        print(json.dumps(line), flush=True)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
