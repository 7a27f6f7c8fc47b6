"""Where runs may become takes, and which of these takes are selected."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.capture.runs import run_record, send, video
from tests.conftest import client_of, new_token

from genlock.db.connection import Database
from genlock.model import Role


class Studio:
    """Two projects with a scene of two segments each, and clients of several ComfyUIs."""

    def __init__(self, app: FastAPI, db: Database, person: httpx.AsyncClient, stack: AsyncExitStack) -> None:
        self.app, self.db, self.person, self.stack = app, db, person, stack
        self._shade = 0

    async def comfyui(self, name: str = "desk", projects: tuple[int, ...] | None = None) -> httpx.AsyncClient:
        """Return a client with a new token of an extension."""
        secret = await new_token(self.db, Role.CAPTURE, name=name, projects=projects)
        return await self.stack.enter_async_context(client_of(self.app, secret))

    async def run(self, client: httpx.AsyncClient, project: str = "rooftop", segment: str = "1") -> dict[str, Any]:
        """Send a run of another video and return its capture."""
        self._shade += 3
        content = video(self._shade)
        place = {"project": project, "scene": "night", "segment": segment}
        answer = await send(client, run_record(content, place=place), content)
        assert answer.status_code == 201, answer.text
        return answer.json()["capture"]

    async def selected(self, segment: int = 1) -> list[tuple[int, bool]]:
        """Return the takes of a segment, oldest first, and whether each is selected."""
        takes = (await self.get(f"segments/{segment}/takes"))["items"]
        return sorted((take["number"], take["selected"]) for take in takes)

    async def get(self, path: str) -> Any:
        answer = await self.person.get(f"/api/v1/{path}")
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture
async def studio(app: FastAPI, db: Database, client: httpx.AsyncClient) -> AsyncGenerator[Studio]:
    for number, slug in enumerate(("rooftop", "cellar"), 1):
        await client.post("/api/v1/projects", json={"slug": slug, "name": slug})
        await client.post(f"/api/v1/projects/{number}/scenes", json={"name": "night"})
        await client.post(f"/api/v1/scenes/{number}/segments", json={"count": 2, "chained": False})
    async with AsyncExitStack() as stack:
        yield Studio(app, db, client, stack)


async def test_runs_of_one_comfyui_follow_one_another_in_the_cut(studio: Studio) -> None:
    desk = await studio.comfyui()
    for _ in range(2):
        capture = await studio.run(desk)
        assert (capture["state"], capture["for_review"], capture["why"]) == ("recorded", False, None)
    assert await studio.selected() == [(1, False), (2, True)]


@pytest.mark.parametrize("elsewhere", ["another ComfyUI", "a person"])
async def test_a_run_does_not_replace_a_take_from_elsewhere(studio: Studio, elsewhere: str) -> None:
    if elsewhere == "a person":
        await studio.run(studio.person)
        recorder = "a admin"
    else:
        await studio.run(await studio.comfyui("laptop"))
        recorder = "laptop"
    desk = await studio.comfyui()
    capture = await studio.run(desk)
    assert (capture["state"], capture["for_review"], capture["segment_id"]) == ("recorded", True, 1)
    assert capture["why"] == (
        f"Take 2 is for review: the selected take 1 was recorded by {recorder}, not by this ComfyUI."
    )
    assert await studio.selected() == [(1, True), (2, False)]
    assert (await studio.get("captures?state=review"))["items"] == [capture]
    assert (await studio.get("captures"))["items"] == []
    event = [event for event in (await studio.get("events"))["items"] if event["verb"] == "capture.recorded"][-1]
    assert (event["subject"], event["data"]["for_review"]) == (f"capture/{capture['id']}", True)


async def test_a_take_that_a_person_selects_is_no_longer_for_review(studio: Studio) -> None:
    await studio.run(studio.person)
    desk = await studio.comfyui()
    capture = await studio.run(desk)
    await studio.person.post("/api/v1/segments/1/select", json={"take": 2})
    shown = await studio.get(f"captures/{capture['id']}")
    assert (shown["for_review"], shown["why"]) == (False, None)
    assert (await studio.get("captures?state=review"))["items"] == []
    assert not (await studio.run(desk))["for_review"], "the selected take is one of its own"


async def test_a_take_that_a_person_dismisses_stays_unselected(studio: Studio) -> None:
    await studio.run(studio.person)
    capture = await studio.run(await studio.comfyui())
    dismissed = (await studio.person.delete(f"/api/v1/captures/{capture['id']}")).json()
    assert (dismissed["state"], dismissed["for_review"]) == ("recorded", False)
    assert dismissed["why"] == "a admin reviewed the take and did not select it."
    assert dismissed["receipt_id"] == capture["receipt_id"]
    assert await studio.selected() == [(1, True), (2, False)]
    assert (await studio.person.delete(f"/api/v1/captures/{capture['id']}")).status_code == 409


async def test_a_new_token_continues_the_one_that_it_replaces(studio: Studio) -> None:
    await studio.run(await studio.comfyui("desk"))
    await studio.run(await studio.comfyui("desk"))
    assert await studio.selected() == [(1, True), (2, False)], "two tokens of one name are two ComfyUIs"
    tokens = (await studio.get("tokens"))["items"]
    for token in tokens:
        if token["name"] == "desk":
            await studio.person.delete(f"/api/v1/tokens/{token['id']}")
    assert not (await studio.run(await studio.comfyui("desk")))["for_review"]
    assert (await studio.run(await studio.comfyui("laptop")))["for_review"]


async def test_a_limited_token_records_only_in_its_projects(studio: Studio) -> None:
    desk = await studio.comfyui(projects=(1,))
    assert (await studio.run(desk))["state"] == "recorded"
    for project in ("cellar", "attic"):
        capture = await studio.run(desk, project)
        assert (capture["state"], capture["segment_id"]) == ("inbox", None)
        assert capture["why"] == f"The token of 'desk' may not record in the project {project}."
    assert await studio.selected(3) == []
    answer = await studio.person.post(f"/api/v1/captures/{capture['id'] - 1}/assign", json={"segment_id": 3})
    assert answer.is_success, "a person may"
    assert await studio.selected(3) == [(1, True)]


async def test_a_person_who_assigns_a_run_selects_its_take(studio: Studio) -> None:
    await studio.run(studio.person)
    capture = await studio.run(await studio.comfyui(), "attic")
    answer = await studio.person.post(f"/api/v1/captures/{capture['id']}/assign", json={"segment_id": 1})
    assert not answer.json()["capture"]["for_review"]
    assert await studio.selected() == [(1, False), (2, True)]


async def test_the_token_of_an_extension_may_not_decide(studio: Studio) -> None:
    desk = await studio.comfyui(projects=(1,))
    capture = await studio.run(desk)
    refused = [
        await desk.get("/api/v1/captures"),
        await desk.get(f"/api/v1/captures/{capture['id']}"),
        await desk.post(f"/api/v1/captures/{capture['id']}/assign", json={"segment_id": 1}),
        await desk.delete(f"/api/v1/captures/{capture['id']}"),
        await desk.post("/api/v1/segments/1/select", json={"take": 1}),
        await desk.get("/api/v1/projects"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(403, "role_too_low")}
