"""Values in a notebook: small tables in which user text is escaped."""

import re

from genlock.client import Genlock
from genlock.library.model import Asset, UsedBy
from genlock.model import Kind, Model, Page
from genlock.notebook import card_of, table_of
from genlock.sdk.listing import Listing
from genlock.timeline.model import Project

NASTY = "<script>alert('x')</script>&\"'"


def asset(name: str) -> Asset:
    return Asset.model_validate(
        {
            "id": 1,
            "project_id": None,
            "kind": Kind.LORA,
            "name": name,
            "active_version": 2,
            "versions_total": 2,
            "archived": False,
            "created_at": "2026-01-01T00:00:00Z",
            "created_by": NASTY,
            "used_by": UsedBy(segments=3, stale=1),
        }
    )


def shown_by(value: object) -> str:
    """Return what a notebook displays of a value."""
    return value._repr_html_()  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]


class Nested(Model):
    title: str
    inner: tuple[Asset, ...]
    words: dict[str, str]
    nothing: str | None = None


def test_everything_is_escaped() -> None:
    for shown in (
        table_of([asset(NASTY)], NASTY),
        card_of(asset(NASTY)),
        card_of(Nested(title=NASTY, inner=(asset(NASTY),), words={NASTY: NASTY})),
        shown_by(Listing(lambda cursor: Page[Asset](items=(asset(NASTY),)))),
    ):
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown
        assert set(re.findall(r"<(\w+)", shown)) <= {"table", "thead", "tbody", "tr", "th", "td", "caption", "p", "br"}


def test_a_value_is_shown_as_a_table() -> None:
    shown = shown_by(asset("rain"))
    assert "<caption>Asset</caption>" in shown
    assert "<td>lora</td>" in shown
    assert "segments 3, stale 1" in shown
    assert "project_id" not in shown, "what says nothing is left out"


def test_a_listing_shows_its_first_page() -> None:
    items = tuple(asset(f"rain {number}") for number in range(3))
    listing = Listing(lambda cursor: Page[Asset](items=items, next="more", total=9))
    assert "9 in all" in shown_by(listing)
    assert repr(listing).endswith("…]")
    assert table_of([]) == "<p><i>nothing</i></p>"


def test_an_answer_of_a_server_is_shown_as_a_table(gl: Genlock, project: Project) -> None:
    gl.create_segments(gl.create_scene(project, "<i>night"), 2)
    for value in (gl.project(project), gl.report(project), gl.segments(project), gl.scenes(project), gl.me()):
        assert "<table>" in shown_by(value)
        assert "<i>n" not in shown_by(value)
