"""The first job in a browser: see what is out of date, why, fix exactly that, and see it up to date."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from tests.pages.conftest import PATIENCE_MS, Studio

from genlock.cli.demo.cast import CLOTHED, CLOTHED_AGAIN
from genlock.client import Genlock

expect.set_options(timeout=PATIENCE_MS)
SENTENCE = "4 segments across 2 scenes used clothed_v1.png — you are on v2"


def upload_again(studio: Studio) -> None:
    """Upload the variant's second version, which becomes the active one."""
    studio.gl.add_version(
        f"variant:{CLOTHED}",
        studio.story.samples / CLOTHED_AGAIN,
        derived_from=["source_image:portrait@1"],
        project=studio.project_id,
    )


def test_the_first_job(studio: Studio, page: Page) -> None:
    page.goto(f"/projects/{studio.project_id}")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(6)
    expect(page.locator(".tile img")).to_have_count(6)
    expect(page.locator(".tile.stale")).to_have_count(0)
    expect(page.locator(".live")).to_have_text("live")

    upload_again(studio)  # elsewhere, while the page is open
    expect(page.locator(".tile.stale")).to_have_count(4)
    expect(page.locator(".report")).to_contain_text(SENTENCE)

    page.get_by_role("link", name="Fix these 4").click()
    expect(page.locator("label.card")).to_contain_text(SENTENCE)
    page.get_by_role("button", name="Fix these 4").click()

    rows = page.locator("tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("clothed v1 → v2")
    page.get_by_role("button", name="Render 4").click()
    expect(page.locator("header .state")).to_have_text("succeeded")
    expect(page.locator("tbody tr.succeeded")).to_have_count(4)

    page.get_by_role("link", name="Back to the project").click()
    expect(tiles).to_have_count(6)
    expect(page.locator(".tile.stale")).to_have_count(0)
    assert studio.gl.report(studio.project_id).total == 0


def test_a_segment_says_why_it_is_out_of_date_and_what_made_it(studio: Studio, page: Page) -> None:
    upload_again(studio)
    segment = next(iter(studio.gl.segments(studio.project_id, state="stale")))
    page.goto(f"/projects/{studio.project_id}/segments/{segment.id}")
    expect(page.locator("h1")).to_have_text(segment.name)
    expect(page.locator("section.right")).to_contain_text("variant clothed: v1 → v2")
    expect(page.locator("details", has_text="Inputs")).to_contain_text("portrait")
    seed = studio.gl.provenance(segment.id).receipt
    assert seed is not None
    expect(page.locator("details", has_text="Parameters")).to_contain_text(seed.document["parameters"]["seed"])
    video = page.locator("video")
    page.wait_for_function("document.querySelector('video').readyState >= 1")
    assert video.evaluate("video => [video.videoWidth, video.videoHeight]") == [192, 192]


def test_selected_segments_are_planned_and_a_filter_keeps_them(studio: Studio, page: Page) -> None:
    upload_again(studio)
    page.goto(f"/projects/{studio.project_id}")
    captions = page.locator(".tile .caption")
    expect(captions).to_have_count(6)
    captions.nth(0).click()
    captions.nth(2).click(modifiers=["Shift"])
    captions.nth(5).click(modifiers=["Control"])
    bar = page.get_by_role("toolbar")
    expect(bar).to_contain_text("4 segments selected")
    page.locator("nav a", has_text="out of date").click()
    expect(captions).to_have_count(4)
    expect(bar).to_contain_text("4 segments selected")
    bar.get_by_role("button", name="Redo 4").click()
    expect(page.locator("h1")).to_contain_text("Plan")
    plan = next(iter(studio.gl.plans(project=studio.project_id)))
    ids = [segment.id for segment in studio.gl.segments(studio.project_id)]
    assert plan.selection["segments"] == [*ids[:3], ids[5]]


def test_a_stranger_reads_how_to_sign_in(browser: Browser, gl: Genlock, tmp_path: Path) -> None:
    context = browser.new_context(base_url=gl.url)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto("/projects/1")
    expect(page.locator("h1")).to_have_text("You are signed out")
    expect(page.locator("pre")).to_have_text("genlock open")
    page.goto("/sign-in#unknown")
    expect(page.get_by_role("alert")).to_contain_text("This sign-in link has expired or was used.")
    context.close()
