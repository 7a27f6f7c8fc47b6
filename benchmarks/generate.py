"""Fills an empty, migrated database with a benchmark's data by COPY: history, and the current state derived from it.

layout ─▶ library ─▶ receipts ─COPY─▶ takes, receipts, inputs, outputs, selected takes, runs, links
                                        └─SQL─▶ judged inputs, usage counts ─▶ outdated contents ─▶ VACUUM ANALYZE
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

import psycopg
from psycopg import sql

from benchmarks import library as libraries
from benchmarks.follow import follow, recompute_outdated, set_sequences
from benchmarks.layout import HEIGHT, TAKES, WIDTH, Layout, Scene, layout
from benchmarks.library import Asset, Library, Shared, Used, hex_of, mostly, raw, rows_of
from benchmarks.receipts import Line, compose
from genlock.takes import chain

Connection = psycopg.Connection[tuple[object, ...]]
SCENES_A_COPY = 500
FRESH = {1: 0.5, 2: 0.97}
"""How likely a take was made from what is expected today: a first take often not, a second mostly."""
SECOND_SELECTED, FLIPPED, INCOMPLETE, OVERWRITTEN = 0.9, 0.01, 0.005, 0.001
REDONE = 0.1
"""How many scenes were rendered again as they were, with the same prompts and seeds, rather than tried differently."""

COLUMNS = {
    "takes": "id, project_id, segment_id, number, recorded_by",
    "receipts": "id, project_id, segment_id, take_id, receipt_digest, inputs_digest, claim_digest, document, engine,"
    " engine_version, evidence, missing, seed, prompt, workload_id, duration_s, recorded_by",
    "receipt_inputs": "receipt_id, project_id, role, ordinal, content_id, digest, take_id, part, via, strength_model",
    "receipt_outputs": "receipt_id, part, digest, media_type",
    "selections": "segment_id, take_id, actor",
    "selected_takes": "segment_id, project_id, scene_id, take_id, receipt_id, unknown, seed_digest, seed_part,"
    " seed_take_id, via_judged, run_id, run_position, workload_id",
    "runs": "run_id, project_id, scene_id, length, unknown_from, workload_id",
    "broken_links": "segment_id, project_id, used_digest, expected_digest",
    "blobs": "digest, size_bytes, media_type",
}
BIG = (
    "receipts",
    "receipt_inputs",
    "receipt_outputs",
    "current_inputs",
    "selected_takes",
    "selections",
    "segments",
    "blobs",
)


@dataclass
class Rows:
    """Lines for COPY, by table."""

    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: str, *values: object) -> None:
        """Append a row; ``None`` is null."""
        self.lines[table].append("\t".join(["\\N" if value is None else str(value) for value in values]))


@dataclass(frozen=True)
class World:
    """The assets and words that receipts are drawn from."""

    shared: Shared
    variants: dict[int, list[Asset]]
    sources: dict[int, Used]  # by the content of a variant, the image it was made from
    words: list[str]
    draw: random.Random


@dataclass(frozen=True, slots=True)
class Prompting:
    """The prompt and seed of a take."""

    prompt: str
    seed: int


@dataclass(frozen=True, slots=True)
class Take:
    """A written take, as far as the links need it."""

    id: int
    frame: str
    workload_id: int
    unknown: bool


def generate(owner: str, receipts: int, say: Callable[[str], None]) -> Layout:
    """Fill the database at ``owner`` (a connection string of a superuser) with ``receipts`` receipts."""
    began = time.perf_counter()
    plan = layout(receipts)
    with psycopg.connect(owner, options="-c search_path=genlock") as conn:
        conn.execute("SET session_replication_role = replica")  # foreign keys hold by construction
        conn.execute("SET maintenance_work_mem = '1GB'")
        conn.execute("SET synchronous_commit = off")
        library, world = _write_library(conn, plan)
        definitions = _drop_indexes(conn)
        _record(conn, plan, world, say)
        follow(conn)
        say(f"  rows after {time.perf_counter() - began:.0f} s; now the indexes")
        for definition in definitions:
            conn.execute(sql.SQL(definition))  # pyright: ignore[reportArgumentType]
        set_sequences(conn)
        conn.commit()
        conn.execute("SET session_replication_role = origin")
        conn.commit()
        conn.autocommit = True
        conn.execute("CHECKPOINT")  # VACUUM takes no page for visible to all while its commit is not on disk
        conn.execute("VACUUM (ANALYZE)")
    asyncio.run(recompute_outdated(owner))
    with psycopg.connect(owner, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
    say(f"  {receipts:,} receipts, {len(library.assets):,} assets in {time.perf_counter() - began:.0f} s")
    return plan


def _write_library(conn: Connection, plan: Layout) -> tuple[Library, World]:
    library = Library(random.Random(plan.segments))
    shared = libraries.shared_of(library)
    variants: dict[int, list[Asset]] = {}
    for project_id, segments in enumerate(plan.projects, 1):
        variants[project_id] = []
        for number in range(1, 2 + segments // 125):
            variants[project_id] += library.picture(project_id, number)
    tables: dict[str, Iterable[tuple[object, ...]]] = {
        "projects (id, slug, name, created_by)": [
            (number, f"project-{number}", f"Project {number}", "bench") for number in range(1, len(plan.projects) + 1)
        ],
        **rows_of(library),
        "scenes (id, project_id, name, position, segments_total, created_by)": [
            (scene.id, scene.project_id, f"scene {scene.position}", scene.position, scene.length, "bench")
            for scene in plan.scenes
        ],
        "workloads (id, workflow_content_id, width, height)": [
            (content.content_id, content.content_id, WIDTH, HEIGHT)
            for asset in shared.few["workflow"]
            for content in asset.contents
        ],
    }
    for head, table_rows in tables.items():
        with conn.cursor().copy(f"COPY {head} FROM STDIN") as copy:  # pyright: ignore[reportArgumentType]
            for row in table_rows:
                copy.write_row(row)
    sources = {derived.content_id: source for derived, source in library.derivations}
    words = [hex_of(str(number))[: 3 + number % 7] for number in range(2000)]
    return library, World(shared, variants, sources, words, random.Random(plan.segments + 1))


def _drop_indexes(conn: Connection) -> list[str]:
    """Drop the indexes of the large tables that no constraint needs; return their definitions."""
    indexes = conn.execute(
        """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
          FROM pg_index i
         WHERE i.indrelid = ANY(%s::regclass[])
           AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
        """,
        (list(BIG),),
    ).fetchall()
    for name, _ in indexes:
        conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(name))))
    return [str(definition) for _, definition in indexes]


def _record(conn: Connection, plan: Layout, world: World, say: Callable[[str], None]) -> None:
    history = plan.history
    take_id, reported_at = 0, time.perf_counter()
    with conn.cursor().copy(
        "COPY segments (id, project_id, scene_id, position, name, chained, created_by) FROM STDIN"
    ) as copy:
        for scene in plan.scenes:
            starts = _starts(scene)
            for place in range(scene.length):
                number = scene.first_segment + place
                copy.write_row(
                    (number, scene.project_id, scene.id, place + 1, str(place + 1), place not in starts, "bench")
                )
    while scenes := list(islice(history, SCENES_A_COPY)):
        rows = Rows()
        for scene in scenes:
            take_id = _record_scene(rows, scene, world, take_id)
        for table, columns in COLUMNS.items():
            with conn.cursor().copy(
                sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), sql.SQL(columns))  # pyright: ignore[reportArgumentType]
            ) as copy:
                copy.write("".join([f"{line}\n" for line in rows.lines[table]]))
        if time.perf_counter() - reported_at > 20:
            reported_at = time.perf_counter()
            say(f"  {take_id:,} receipts")


def _starts(scene: Scene) -> set[int]:
    return {sum(scene.chains[:number]) for number in range(len(scene.chains))}


def _record_scene(rows: Rows, scene: Scene, world: World, take_id: int) -> int:
    """Write both takes of every segment of a scene, then the selection; return the last take's id."""
    draw = world.draw
    starts = _starts(scene)
    usual = TAKES if draw.random() < SECOND_SELECTED else 1
    selected = [usual] * scene.length
    if draw.random() < FLIPPED:
        selected[draw.randrange(scene.length)] = TAKES + 1 - usual
    incomplete = draw.randrange(scene.length) if draw.random() < INCOMPLETE else None
    redone = draw.random() < REDONE
    takes: dict[tuple[int, int], Take] = {}
    prompts: list[Prompting] = []
    for number in range(1, TAKES + 1):
        if number == 1 or not redone:
            prompts = [Prompting(" ".join(draw.choices(world.words, k=28)), draw.getrandbits(64)) for _ in selected]
        common = _common(scene, world, number)
        origins: list[Line] = []
        for place in range(scene.length):
            take_id += 1
            if place in starts:
                origins = _origins(scene, world, number)
            before = None if place in starts else takes[place - 1, number]
            unknown = place == incomplete and number == TAKES
            lines = [*common, *_own(scene, world, number, before, origins)]
            segment_id = scene.first_segment + place
            takes[place, number] = _write(
                rows, scene, segment_id, number, take_id, lines, unknown, prompts[place], draw
            )
    _select(rows, scene, starts, [takes[place, number] for place, number in enumerate(selected)], selected, takes)
    return take_id


def _common(scene: Scene, world: World, number: int) -> list[Line]:
    """Return the inputs that all takes of a scene share, and the LoRA of its character."""
    draw, shared, fresh = world.draw, world.shared, FRESH[number]
    wide = scene.project_id == 1 and scene.id % 2 == 0
    if wide:
        character = shared.wide.expected
    elif draw.random() < OVERWRITTEN:
        character = draw.choice(shared.overwritten)
    else:
        character = mostly(draw, shared.lora(draw), fresh)
    return [
        Line("workflow", 0, mostly(draw, draw.choice(shared.few["workflow"]), 1 - (1 - fresh) / 3)),
        Line("model", 0, mostly(draw, shared.few["model"][int(draw.random() ** 2 * 4)], 1 - (1 - fresh) / 5)),
        Line("vae", 0, shared.few["vae"][scene.project_id % 2].expected),
        Line("lora", 0, character, strength="0.8"),
    ]


def _origins(scene: Scene, world: World, number: int) -> list[Line]:
    variant = mostly(world.draw, world.draw.choice(world.variants[scene.project_id]), FRESH[number])
    return [Line("variant", 0, variant), Line("source_image", 0, world.sources[variant.content_id], via="variant")]


def _own(scene: Scene, world: World, number: int, before: Take | None, origins: list[Line]) -> list[Line]:
    """Return the inputs of a single segment: a second LoRA, and its picture or the frame that it continues."""
    second = mostly(world.draw, world.shared.lora(world.draw), 1 - (1 - FRESH[number]) / 3)
    style = Line("lora", 1, second, strength="0.45")
    if before is None:
        encoder = Line("text_encoder", 0, world.shared.few["text_encoder"][scene.id % 2].expected)
        return [style, encoder, *origins]
    came = [Line(line.role, 0, line.content, via="seed_frame") for line in origins]
    return [style, Line("seed_frame", 0, take_id=before.id, frame=before.frame), *came]


def _write(
    rows: Rows,
    scene: Scene,
    segment_id: int,
    number: int,
    take_id: int,
    lines: list[Line],
    unknown: bool,
    prompting: Prompting,
    draw: random.Random,
) -> Take:
    prompt, seed, duration_s = prompting.prompt, prompting.seed, f"{40 + draw.getrandbits(5)}.5"
    frame = hex_of(f"frame {take_id}")
    outputs = (
        ("frames", "video/x-raw", hex_of(f"frames {take_id}")),
        ("last_frame", "image/png", frame),
        ("video", "video/mp4", hex_of(f"video {take_id}")),
    )
    missing = "cfg" if unknown else ""
    receipt = compose(segment_id, number, lines, prompt, seed, "4.5", duration_s, missing, outputs)
    workflow = lines[0].content
    workload_id = workflow.content_id if workflow else 0
    project_id = scene.project_id
    rows.add("takes", take_id, project_id, segment_id, number, "bench")
    rows.lines["receipts"].append(
        f"{take_id}\t{project_id}\t{segment_id}\t{take_id}\t\\\\x{receipt.receipt_digest}\t\\\\x{receipt.inputs_digest}"
        f"\t\\\\x{receipt.claim_digest}\t{receipt.document}\tcomfyui\t0.3.50\trecorded\t{{{missing}}}\t{seed}\t{prompt}"
        f"\t{workload_id}\t{duration_s}\tbench"
    )
    for line in lines:
        rows.lines["receipt_inputs"].append(
            f"{take_id}\t{project_id}\t{line.role}\t{line.ordinal}\t{line.content.content_id if line.content else NULL}"
            f"\t{NULL if line.content else RAW + line.frame}\t{line.take_id or NULL}"
            f"\t{NULL if line.content else 'last_frame'}\t{line.via or NULL}\t{line.strength or NULL}"
        )
    for part, media, digest in outputs:
        rows.lines["receipt_outputs"].append(f"{take_id}\t{part}\t\\\\x{digest}\t{media}")
        if part != "frames":
            rows.lines["blobs"].append(f"\\\\x{digest}\t1000000\t{media}")
    return Take(take_id, frame, workload_id, unknown)


NULL, RAW = "\\N", "\\\\x"


def _select(
    rows: Rows,
    scene: Scene,
    starts: set[int],
    takes: list[Take],
    numbers: list[int],
    all_takes: dict[tuple[int, int], Take],
) -> None:
    """Write the selected takes, linked as Genlock links them."""
    slots: list[chain.Slot] = []
    for place, take in enumerate(takes):
        chained = place not in starts
        seed = all_takes[place - 1, numbers[place]] if chained else None
        slots.append(
            chain.Slot(
                segment_id=scene.first_segment + place,
                scene_id=scene.id,
                project_id=scene.project_id,
                chained=chained,
                unknown=take.unknown,
                workload_id=take.workload_id,
                seed_digest=raw(seed.frame) if seed else None,
                seed_segment_id=scene.first_segment + place - 1 if seed else None,
                before_id=scene.first_segment + place - 1 if place else None,
                before_selected=place > 0,
                before_digest=raw(takes[place - 1].frame) if place else None,
            )
        )
    links = chain.link(slots)
    for place, (slot, link, take) in enumerate(zip(slots, links, takes, strict=True)):
        seed = all_takes[place - 1, numbers[place]] if slot.chained else None
        rows.add("selections", slot.segment_id, take.id, "bench")
        rows.add(
            "selected_takes",
            slot.segment_id,
            slot.project_id,
            slot.scene_id,
            take.id,
            take.id,
            slot.unknown,
            f"{RAW}{seed.frame}" if seed else None,
            "last_frame" if seed else None,
            seed.id if seed else None,
            link.via_judged,
            link.run_id,
            link.run_position,
            slot.workload_id,
        )
        if link.broken:
            used, expected = (f"{RAW}{digest.hex()}" for digest in link.broken)
            rows.add("broken_links", link.segment_id, slot.project_id, used, expected)
    for run in chain.runs(slots, links):
        rows.add("runs", run.run_id, run.project_id, run.scene_id, run.length, run.unknown_from, run.workload_id)
