"""Existing bytes uploaded again with a derivation: the declaration alone changes what is stale."""

import json
from typing import Any

import httpx
import pytest


class Rooftop:
    """A segment that used a variant; the portrait has two versions, and the second is active."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.ids: dict[str, int] = {}

    async def get(self, path: str) -> Any:
        return (await self.client.get(f"/api/v1{path}")).json()

    async def upload(self, name: str, content: bytes, *fields: tuple[str, str]) -> Any:
        files = [*((field, (None, value)) for field, value in fields), ("file", (f"{name}.txt", content))]
        answer = await self.client.post(f"/api/v1/assets/{self.ids[name]}/versions", files=files)
        assert answer.is_success, answer.text
        return answer.json()

    def made_from(self, number: int) -> tuple[str, str]:
        return "derived_from", f"{self.ids['portrait']}@{number}"

    async def staleness_events(self, after: int) -> list[tuple[str, int]]:
        events = (await self.get(f"/events?after={after}"))["items"]
        return [
            (event["verb"], event["data"]["segments"]) for event in events if event["verb"].startswith("staleness.")
        ]

    async def newest_event(self) -> int:
        return (await self.get("/events"))["items"][-1]["id"]

    async def state(self) -> str:
        return (await self.get("/segments/1"))["state"]


@pytest.fixture
async def rooftop(client: httpx.AsyncClient) -> Rooftop:
    created = Rooftop(client)
    await client.post("/api/v1/projects", json={"slug": "rooftop", "name": "Rooftop"})
    await client.post("/api/v1/projects/1/scenes", json={"name": "night"})
    await client.post("/api/v1/scenes/1/segments", json={"count": 1})
    # Texts: what a version was made from is the same for every kind.
    for kind, name in (("prompt", "portrait"), ("prompt", "clothed"), ("model", "tiny")):
        answer = await client.post("/api/v1/assets", json={"kind": kind, "name": name})
        created.ids[name] = answer.json()["id"]
    await created.upload("tiny", b"weights")
    await created.upload("portrait", b"P1")
    await created.upload("portrait", b"P2")
    return created


async def record(rooftop: Rooftop) -> None:
    claim: dict[str, Any] = {
        "inputs": [
            {"role": "prompt", "asset": rooftop.ids["clothed"], "version": 1},
            {"role": "model", "asset": rooftop.ids["tiny"], "version": 1},
        ],
        "parameters": {"prompt": "", "seed": "1", "cfg": 4, "width": 64, "height": 64, "frames": 4},
        "graph": {"1": {"class_type": "Any", "inputs": {}}},
        "engine": {"name": "diffusers", "version": "1"},
    }
    parts = [("claim", (None, json.dumps(claim))), ("video", ("take.bin", b"a video"))]
    answer = await rooftop.client.post("/api/v1/segments/1/takes", files=parts)
    assert answer.status_code == 201, answer.text


def totals(report: Any) -> tuple[int, int]:
    return report["segments"]["becomes_stale"], report["segments"]["becomes_fresh"]


async def test_a_declared_outdated_source_makes_a_segment_stale_with_an_event(rooftop: Rooftop) -> None:
    await rooftop.upload("clothed", b"C1")
    await record(rooftop)
    assert await rooftop.state() == "fresh", "no source is declared"
    last_event = await rooftop.newest_event()
    again = await rooftop.upload("clothed", b"C1", rooftop.made_from(1))
    assert (again["outcome"], await rooftop.state()) == ("exists", "stale")
    assert totals(again["report"]) == (1, 0)
    (project,) = again["report"]["projects"]
    report = await rooftop.get("/projects/1/staleness-report")
    assert project["totals"] == report["totals"]
    assert [group["sentence"] for group in project["groups"]] == [group["sentence"] for group in report["groups"]]
    assert await rooftop.staleness_events(last_event) == [("staleness.detected", 1)]

    last_event = await rooftop.newest_event()
    redeclared = await rooftop.upload("clothed", b"C1", rooftop.made_from(2))
    assert (redeclared["outcome"], await rooftop.state()) == ("exists", "fresh")
    assert totals(redeclared["report"]) == (0, 1)
    assert redeclared["report"]["projects"][0]["totals"]["segments"] == 0
    assert await rooftop.staleness_events(last_event) == [("staleness.resolved", 1)]


async def test_a_declaration_without_effect_has_no_event(rooftop: Rooftop) -> None:
    await rooftop.upload("clothed", b"C1", rooftop.made_from(2))
    await record(rooftop)
    last_event = await rooftop.newest_event()
    again = await rooftop.upload("clothed", b"C1", rooftop.made_from(2))
    assert (totals(again["report"]), again["report"]["projects"]) == ((0, 0), [])
    assert await rooftop.staleness_events(last_event) == []


async def test_a_declaration_and_activation_in_one_upload_are_one_report(rooftop: Rooftop) -> None:
    await rooftop.upload("clothed", b"C1")
    await rooftop.upload("clothed", b"C2")
    await record(rooftop)
    assert await rooftop.state() == "stale", "C2 is expected"
    last_event = await rooftop.newest_event()
    again = await rooftop.upload("clothed", b"C1", rooftop.made_from(1))
    assert again["version"]["active"]
    assert totals(again["report"]) == (0, 0), "it was stale by C2, and is by the portrait"
    (group,) = again["report"]["projects"][0]["groups"]
    assert group["sentence"] == "1 segment in 1 scene used portrait_v1 — you are on v2"
    assert await rooftop.staleness_events(last_event) == []
