"""A stage over HTTP: the worked examples with real files, as any program would run them."""

import json
from collections.abc import Sequence
from typing import Any

import httpx
from tests.staleness.files import file_of, picture, video
from tests.staleness.sql_stage import seen_cause, seen_report
from tests.staleness.worlds import SeenCause, SeenImpact, SeenReport, SeenUsage, Source, Thing, Uploaded, Use

from genlock.digest import digest_of
from genlock.errors import Conflict
from genlock.model import Kind
from genlock.staleness.model import CHAIN, Cause, Impact, Report

API = "/api/v1"


class ApiStage:
    """A stage over the application's API; a take's id is looked up where the API needs its number."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._videos = 0
        self._numbers: dict[int, int] = {}

    async def _ask(self, method: str, path: str, **rest: Any) -> Any:
        answer = await self.client.request(method, API + path, **rest)
        if answer.status_code == Conflict.status:
            raise Conflict(answer.json()["detail"])
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def project(self, slug: str) -> int:
        return (await self._ask("POST", "/projects", json={"slug": slug, "name": slug}))["id"]

    async def scene(self, project: int, name: str) -> int:
        return (await self._ask("POST", f"/projects/{project}/scenes", json={"name": name}))["id"]

    async def segment(self, scene: int, *, chained: bool = True, position: int | None = None) -> int:
        body = {"chained": chained} | ({} if position is None else {"position": position})
        return (await self._ask("POST", f"/scenes/{scene}/segments", json=body))["items"][0]["id"]

    async def set_chained(self, segment: int, chained: bool) -> None:
        await self._ask("PATCH", f"/segments/{segment}", json={"chained": chained})

    async def archive(self, thing: Thing, id: int) -> None:
        await self._ask("POST", f"/{thing}s/{id}/archive")

    async def restore(self, thing: Thing, id: int) -> None:
        await self._ask("POST", f"/{thing}s/{id}/restore")

    async def upload(
        self,
        kind: Kind,
        name: str,
        content: str,
        *,
        filename: str,
        wrapping: str = "",
        derived_from: Sequence[Source] = (),
        activate: bool = True,
    ) -> Uploaded:
        matches = (await self._ask("GET", "/assets", params={"kind": kind.value, "q": name}))["items"]
        asset: int = next((item["id"] for item in matches if item["name"] == name), 0)
        if not asset:
            asset = (await self._ask("POST", "/assets", json={"kind": kind.value, "name": name}))["id"]
        form = [
            ("activate", (None, json.dumps(activate))),
            *(("derived_from", (None, f"{source}@{number}")) for source, number in derived_from),
            ("file", (filename, file_of(kind, content, wrapping))),
        ]
        answer = await self._ask("POST", f"/assets/{asset}/versions", files=form)
        return Uploaded(answer["outcome"], asset, answer["version"]["number"])

    async def generate(
        self, kind: Kind, name: str, content: str, *, filename: str, made_from: Sequence[Source]
    ) -> Uploaded:
        # The rules do not depend on whether an engine or a user made it; plans do, and have their own tests.
        return await self.upload(kind, name, content, filename=filename, derived_from=made_from)

    async def activate(self, asset: int, version: int) -> None:
        await self._ask("POST", f"/assets/{asset}/activate", json={"version": version})

    async def pin(self, asset: int, version: int, *, project: int | None = None, scene: int | None = None) -> None:
        body = {"version": version, "reason": "as it was"}
        await self._ask("PUT", f"{_where(project, scene)}/pins/{asset}", json=body)

    async def unpin(self, asset: int, *, project: int | None = None, scene: int | None = None) -> None:
        await self._ask("DELETE", f"{_where(project, scene)}/pins/{asset}")

    async def waive(self, segment: int, asset: int | None) -> tuple[int, ...]:
        body = {"segment_ids": [segment], "asset_id": CHAIN if asset is None else asset, "reason": "good enough"}
        return tuple(waiver["id"] for waiver in (await self._ask("POST", "/waivers", json=body))["items"])

    async def withdraw(self, waiver: int) -> None:
        await self._ask("DELETE", f"/waivers/{waiver}")

    async def record(
        self,
        segment: int,
        uses: Sequence[Use],
        *,
        last_frame: str,
        continues: int | None = None,
        frames_of: Sequence[int] = (),
        seed: str | None = "1",
        evidence: str = "recorded",
        select: bool = True,
    ) -> int:
        inputs: list[dict[str, Any]] = [await self._claimed(use) for use in uses]
        frames = frames_of if continues is None else (continues, *frames_of)
        inputs += [{"role": "seed_frame", "take": take} for take in frames]
        self._videos += 1
        claim = {
            "inputs": inputs,
            "engine": {"name": "other", "version": "1"},
            "parameters": {"prompt": "rain", "cfg": 4.0} | ({} if seed is None else {"seed": seed}),
            "evidence": evidence,
            "note": f"take {self._videos}",
        }
        form = [
            ("claim", (None, json.dumps(claim))),
            ("video", ("take.mp4", video(f"video {self._videos}"))),
            ("last_frame", ("last.png", picture(f"frame {last_frame}"))),
        ]
        params = {"select": json.dumps(select)}
        take = (await self._ask("POST", f"/segments/{segment}/takes", params=params, files=form))["take"]
        self._numbers[take["id"]] = take["number"]
        return take["id"]

    async def _claimed(self, use: Use) -> dict[str, Any]:
        line: dict[str, Any] = {"role": use.role, "asset": use.asset}
        if use.strength is not None:
            line["strength_model"] = use.strength
        if use.version is not None:
            return line | {"version": use.version}
        return line | {"digest": digest_of(file_of(Kind(use.role), use.content or ""))}

    async def select(self, segment: int, take: int) -> None:
        await self._ask("POST", f"/segments/{segment}/select", json={"take": self._numbers[take]})

    async def _segment(self, segment: int) -> dict[str, Any]:
        return await self._ask("GET", f"/segments/{segment}")

    async def selected(self, segment: int) -> int | None:
        take = (await self._segment(segment))["selected_take"]
        return take and take["id"]

    async def takes(self, segment: int) -> tuple[int, ...]:
        return tuple(sorted(take["id"] for take in (await self._segment(segment))["takes"]))

    async def state(self, segment: int) -> str:
        return (await self._segment(segment))["state"]

    async def causes(self, segment: int) -> frozenset[SeenCause]:
        causes = (await self._ask("GET", f"/segments/{segment}/provenance"))["causes"]
        assert causes == (await self._segment(segment))["causes"]
        return frozenset(seen_cause(Cause.model_validate(cause)) for cause in causes)

    async def report(self, project: int) -> SeenReport:
        report = Report.model_validate(await self._ask("GET", f"/projects/{project}/staleness-report"))
        assert report.total == len(report.groups)
        return seen_report(report.totals, report.groups)

    async def impact(self, asset: int, version: int) -> SeenImpact:
        impact = Impact.model_validate(await self._ask("GET", f"/assets/{asset}/impact", params={"version": version}))
        reports = {project.project_id: seen_report(project.totals, project.groups) for project in impact.projects}
        return SeenImpact(impact.segments.becomes_stale, impact.segments.becomes_fresh, reports)

    async def usage(self, asset: int, version: int, *, selected: bool = True) -> frozenset[SeenUsage]:
        params: dict[str, str | int] = {"version": version, "takes": "selected" if selected else "all"}
        page = await self._ask("GET", f"/assets/{asset}/usage", params=params)
        assert page["total"] == len(page["items"])
        return frozenset(SeenUsage(item["take_id"], len(item["uses"]), item["archived"]) for item in page["items"])


def _where(project: int | None, scene: int | None) -> str:
    return f"/projects/{project}" if scene is None else f"/scenes/{scene}"
