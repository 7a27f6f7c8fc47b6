"""The keys of the requests, drawn from the skewed data, so that popular assets are requested as often as used."""

import random
from dataclasses import dataclass
from typing import LiteralString

import psycopg

TRIES = 400


@dataclass(frozen=True)
class Keys:
    """Ids to ask for."""

    segments: list[int]
    receipts: list[int]
    projects: list[int]
    giant: int
    rare: list[int]
    popular: list[int]
    wide: int
    assets: dict[str, int]
    writing: list[int]  # segments of one project that are recorded into
    frames: list[str]  # digests of last frames, all different


def draw_keys(url: str) -> Keys:
    """Draw keys from a generated database: segments weighted by project, LoRAs from both ends of the distribution."""
    draw = random.Random(4)
    with psycopg.connect(url, options="-c search_path=genlock") as conn:

        def column(query: LiteralString, *given: str) -> list[int]:
            return [int(row[0]) for row in conn.execute(query, given).fetchall()]

        (last,) = column("SELECT max(id) FROM segments WHERE created_by = 'bench'")
        (receipts,) = column("SELECT max(id) FROM receipts WHERE recorded_by = 'bench'")
        projects = column("SELECT id FROM projects ORDER BY id")
        popular = column("SELECT id FROM assets WHERE kind IN ('model', 'vae') OR name = 'lora 1' ORDER BY id")
        rare = column("SELECT id FROM assets WHERE kind = 'lora' ORDER BY id DESC OFFSET 1 LIMIT 60")
        (wide,) = column("SELECT id FROM assets WHERE name = 'wide'")
        kinds = {"workflow": "workflow 1", "model": "model 1", "vae": "vae 1", "text_encoder": "text_encoder 1"}
        assets = {
            role: column("SELECT id FROM assets WHERE project_id IS NULL AND name = %s", name)[0]
            for role, name in (kinds | {"lora": "lora 2", "style": "lora 3"}).items()
        }
        assets["variant"] = column("SELECT min(id) FROM assets WHERE kind = 'variant' AND project_id = 2")[0]
        frames = conn.execute(
            "SELECT digest_text(digest) FROM receipt_outputs WHERE part = 'last_frame' ORDER BY receipt_id LIMIT 1000"
        ).fetchall()
        writing = column("SELECT id FROM segments WHERE project_id = 2 ORDER BY id")
    return Keys(
        segments=[draw.randint(1, last) for _ in range(TRIES)],
        receipts=[draw.randint(1, receipts) for _ in range(TRIES)],
        projects=[draw.choice(projects[2:] or projects) for _ in range(TRIES)],
        giant=projects[0],
        rare=draw.choices(rare, k=TRIES),
        popular=draw.choices(popular, k=TRIES),
        wide=wide,
        assets=assets,
        writing=writing,
        frames=[str(row[0]) for row in frames],
    )
