"""The demo's story with other numbers: only what the plan names changes, in every table and blob."""

import io
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from tests.demo.photograph import blobs_in, digests_of_takes, rows_outside
from tests.demo.programs import serving

from genlock.cli.demo.cast import CLOTHED, Cast
from genlock.cli.demo.figures import Figure, Figures
from genlock.cli.demo.stage import free_slug
from genlock.cli.demo.story import Story
from genlock.cli.demo.telling import Teller
from genlock.cli.samples import make_samples
from genlock.client import Genlock
from genlock.errors import Conflict
from genlock.settings import Settings

CAST = Cast(scenes=4, segments=5, starring=2)
TABLES = {
    "segments", "takes", "receipts", "receipt_inputs", "receipt_outputs", "selections", "selected_takes", "runs",
    "current_inputs", "broken_links", "take_counters", "waivers", "plan_steps",
}  # fmt: skip


@pytest.fixture
def gl(tmp_path: Path, database: str) -> Generator[Genlock]:
    """Start a server with two workers on this test's database."""
    with serving(
        Settings(data=tmp_path / "data", database_url=database, host="127.0.0.1", port=0, workers=2)
    ) as opened:
        yield opened


@pytest.mark.long
def test_only_what_the_plan_names_changes(gl: Genlock, database: str, tmp_path: Path) -> None:
    samples, store, output = tmp_path / "samples", tmp_path / "data" / "blobs", io.StringIO()
    make_samples(samples)
    story = Story(gl, CAST, samples, Teller(Console(file=output, width=200)))
    story.set_stage()
    story.render()
    assert len(story.affected) == 10

    rendered = rows_outside(database)
    assert rendered.keys() >= TABLES
    story.what_if()
    group = story.activate()
    assert rows_outside(database) == rendered, "queries and activations write no row that names a segment"

    outside, blobs = rows_outside(database, story.affected), blobs_in(store)
    assert sum(outside["takes"].values()) == 10
    plan = story.plan(group)
    story.redo(plan)
    assert rows_outside(database, story.affected) == outside
    after = blobs_in(store)
    assert {path: after[path] for path in blobs} == blobs
    new = {digest for digest, *_ in after.values()} - {digest for digest, *_ in blobs.values()}
    assert new and new <= digests_of_takes(database, story.affected)

    story.compare()
    story.query_provenance()
    story.relabel()
    story.revert()
    assert rows_outside(database, story.affected) == outside
    last = blobs_in(store)
    assert {path: last[path] for path in after} == after
    relabelled = gl.version("lora:rain@2", project=story.film.project_id).digest
    assert {f"sha256:{last[path][0]}" for path in last.keys() - after.keys()} == {relabelled}
    assert "10 segments across 2 scenes used clothed_v1.png — you are on v2" in output.getvalue()
    assert all(figure.holds for figure in story.figures.checked)


def test_a_snapshot_shows_a_row_that_was_rewritten(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("INSERT INTO genlock.projects (slug, name, created_by) VALUES ('p', 'P', 'ada')")
        conn.execute(
            """
            INSERT INTO genlock.scenes (project_id, name, position, created_by)
            SELECT id, 'S', 1, 'ada' FROM genlock.projects
            """
        )
        conn.execute(
            """
            INSERT INTO genlock.segments (project_id, scene_id, position, name, chained, created_by)
            SELECT s.project_id, s.id, n, n::text, true, 'ada' FROM genlock.scenes s, generate_series(1, 2) n
            """
        )
        first, second = (row[0] for row in conn.execute("SELECT id FROM genlock.segments ORDER BY id"))
        before = rows_outside(database), rows_outside(database, {first})
        conn.execute("UPDATE genlock.segments SET name = name WHERE id = %s", (first,))
        assert rows_outside(database) != before[0], "the same text, but another xmin"
        assert rows_outside(database, {first}) == before[1]
        conn.execute("UPDATE genlock.segments SET name = name WHERE id = %s", (second,))
        assert rows_outside(database, {first}) != before[1]


def test_a_second_project_gets_another_name() -> None:
    assert free_slug(frozenset()) == "film"
    assert free_slug(frozenset({"film", "film-2", "film-4"})) == "film-3"


def test_a_wrong_figure_is_named_and_listed() -> None:
    shown: list[Figure] = []
    figures = Figures(shown.append)
    figures.check("renders", 12, 12, "GET /plans/1")
    with pytest.raises(Conflict, match="renders should be 12, but GET /plans/2 returned 13"):
        figures.check("renders", 13, 12, "GET /plans/2")
    assert [figure.holds for figure in figures.checked] == [True, False]
    assert shown == figures.checked


def test_the_cast_distributes_its_stars() -> None:
    parts = Cast().parts
    assert (Cast().total, Cast().affected, Cast().untouched) == (60, 12, 48)
    assert [number for number, part in enumerate(parts) if part.variant == CLOTHED] == [2, 7, 12]
    assert len({part.name for part in parts}) == len({part.seed for part in parts}) == 15
    assert all(int(part.seed) > 2**63 for part in parts)
