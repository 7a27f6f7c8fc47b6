"""Measures the lists and actions of daily use, in projects of known shapes next to the generated ones."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.clock import Row, repeat
from benchmarks.keys import Keys
from benchmarks.scenes import FilledScene, Shape, add_scene, add_version, new_asset, new_project, record_scene

_SHARED = {
    "workflow": "workflow",
    "model": "model",
    "vae": "vae",
    "text_encoder": "text_encoder",
    "style": "lora",
}
_SMALL_MS, _GIANT_MS = 25, 150
_CHAIN = 1000
_FEW = 100  # every how many segments one uses "few"


@dataclass(frozen=True)
class _Project:
    """A project whose segments use one of two LoRAs."""

    title: str
    id: int
    shape: Shape
    scenes: tuple[FilledScene, ...]
    few: int
    most: int
    limit_ms: float

    def group(self, lora: int) -> str:
        """Return the id of the report's group of segments that still use the first version."""
        return f"/projects/{self.id}/staleness-report/groups/asset-{lora}-1-2"


def lists(http: httpx.Client, keys: Keys, stored: dict[str, str]) -> Iterator[Row]:
    """Yield the rows of each shape with few stale segments, then with all stale, then those of actions."""
    run = time.time_ns()  # data that is kept has the assets of earlier runs
    shared = {role: new_asset(http, kind, f"{role} {run}") for role, kind in _SHARED.items()}
    outputs = [stored | {"last_frame": frame} for frame in keys.frames]
    hundreds = _filled(http, "scenes of 100", Shape(100, chained=True), 10, shared, outputs, _SMALL_MS)
    one_scene = _filled(http, "one scene of 10,000", Shape(10_000), 1, shared, outputs, _GIANT_MS)
    one_chain = _filled(http, "one chain of 1,000", Shape(_CHAIN, chained=True), 1, shared, outputs, _SMALL_MS)
    projects = (hundreds, one_scene, one_chain)
    for project in projects:
        add_version(http, project.few)
        yield from _questions(http, project, "few stale", project.few)
    for project in projects:
        add_version(http, project.most)
        yield from _questions(http, project, "all stale", project.most)
    yield from _pages(http, "the giant project", keys.giant, None, _GIANT_MS)
    yield _drafts(http, one_scene)
    yield _waivers(http, one_scene)
    yield _restorable(http, hundreds, shared, outputs)


def _filled(
    http: httpx.Client,
    title: str,
    shape: Shape,
    count: int,
    shared: dict[str, int],
    outputs: list[dict[str, str]],
    limit_ms: float,
) -> _Project:
    project_id = new_project(http, "lists")
    few, most = (new_asset(http, "lora", f"{name} {project_id}") for name in ("few", "most"))

    def assets(index: int) -> dict[str, int]:
        return shared | {"lora": most if index % _FEW else few}

    scenes = tuple(add_scene(http, project_id, shape, assets, outputs) for _ in range(count))
    return _Project(title, project_id, shape, scenes, few, most, limit_ms)


def _questions(http: httpx.Client, project: _Project, when: str, lora: int) -> Iterator[Row]:
    title = f"{project.title}, {when}"
    yield from _pages(http, title, project.id, project.scenes[0].id, project.limit_ms)
    yield _get(http, Row(f"members of a group: {title}", project.limit_ms), f"{project.group(lora)}/segments?limit=100")
    yield _get(http, Row(f"scenes with counts: {title}", project.limit_ms), f"/projects/{project.id}/scenes?limit=100")


def _pages(http: httpx.Client, title: str, project_id: int, scene_id: int | None, limit_ms: float) -> Iterator[Row]:
    path = f"/projects/{project_id}/segments?limit=100"
    yield _get(http, Row(f"page by state: {title}", limit_ms), f"{path}&state=stale")
    yield _get(http, Row(f"page by name: {title}", limit_ms), f"{path}&q=1")
    if scene_id is not None:
        in_scene = f"{path}&state=stale&scene_id={scene_id}"
        yield _get(http, Row(f"page by state and scene: {title}", limit_ms), in_scene)


def _get(http: httpx.Client, row: Row, path: str) -> Row:
    return repeat(row, lambda _: http.get(path).raise_for_status(), count=40, seconds=2)


def _drafts(http: httpx.Client, project: _Project) -> Row:
    """Measure a plan of everything stale, drafted and cancelled."""
    body = {"project_id": project.id, "selection": {"all": True}}
    row = Row("draft a plan of 10,000", 2000)

    def discard(plan: dict[str, Any]) -> None:
        http.post(f"/plans/{plan['id']}/cancel").raise_for_status()

    return _act(row, lambda: http.post("/plans", json=body).raise_for_status().json(), discard)


def _waivers(http: httpx.Client, project: _Project) -> Row:
    """Measure a waiver for every segment of the scene; the next version ends them."""
    body = {"scene_id": project.scenes[0].id, "asset_id": project.most, "reason": "measured"}
    return _act(
        Row("waive a scene of 10,000", 1500),
        lambda: http.post("/waivers", json=body).raise_for_status().json(),
        lambda _: add_version(http, project.most),
    )


def _restorable(http: httpx.Client, project: _Project, shared: dict[str, int], outputs: list[dict[str, str]]) -> Row:
    """Measure the report of 1,000 stale segments, each with an earlier take that can be selected again."""

    def assets(_: int) -> dict[str, int]:
        return shared | {"lora": project.most}

    for scene in project.scenes:
        for lora_version in (2, 1):
            record_scene(http, scene, project.shape, assets, outputs, lora_version=lora_version, generation=1)
    path = f"/projects/{project.id}/staleness-report"
    restorable = [group["restorable"] for group in http.get(path).raise_for_status().json()["groups"]]
    if restorable != [len(project.scenes) * project.shape.segments]:
        raise AssertionError(f"every segment should be restorable: {restorable}")
    return _get(http, Row("report of 1,000 stale segments, all restorable", 500), path)


def _act(row: Row, act: Callable[[], dict[str, Any]], undo: Callable[[dict[str, Any]], None], count: int = 5) -> Row:
    """Time an action several times; what undoes it is not timed. The first time is kept apart."""
    for number in range(count + 1):
        began = time.perf_counter()
        answer = act()
        if number == 0:
            row.first_ms = (time.perf_counter() - began) * 1000
        else:
            row.times_ms.append((time.perf_counter() - began) * 1000)
        undo(answer)
    return row
