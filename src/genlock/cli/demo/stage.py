"""The start of the demo: a project with its files and scenes, and every segment rendered once."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from genlock.cli.demo.cast import DRESS, RENDERED, TINY, UPLOADS, WALK, Cast, Part
from genlock.cli.demo.figures import Figures
from genlock.cli.demo.telling import Teller
from genlock.client import Genlock
from genlock.errors import Conflict
from genlock.library.model import Asset
from genlock.model import Model
from genlock.regeneration.model import Plan, PlanState, RenderInput
from genlock.sdk.regeneration import ENDED

ENGINE = "sketch"
SLUG = "film"
_PAUSE_S = 0.3


class Film(Model):
    """The demo's project, its assets by name, and the ids of each scene's segments in order."""

    project_id: int
    slug: str
    assets: dict[str, Asset]
    scenes: dict[str, int]
    segments: dict[str, tuple[int, ...]]

    @property
    def everything(self) -> frozenset[int]:
        """The ids of all segments."""
        return frozenset(segment for ids in self.segments.values() for segment in ids)

    def of(self, parts: Sequence[Part]) -> frozenset[int]:
        """Return the ids of the segments of some scenes."""
        return frozenset(segment for part in parts for segment in self.segments[part.name])


def free_slug(taken: frozenset[str]) -> str:
    """Return ``film``, or the first of ``film-2``, ``film-3`` … that is not taken."""
    number = 1
    while (slug := SLUG if number == 1 else f"{SLUG}-{number}") in taken:
        number += 1
    return slug


def set_stage(gl: Genlock, cast: Cast, samples: Path, teller: Teller, figures: Figures) -> Film:
    """Create a project with its own assets from the sample files, and with scenes and segments without takes."""
    taken = frozenset(project.slug for archived in (False, True) for project in gl.projects(archived=archived))
    project = gl.create_project(free_slug(taken), "A film of the demo")
    assets: dict[str, Asset] = {}
    rows: list[tuple[str, ...]] = []
    for upload in UPLOADS:
        asset = gl.create_asset(upload.kind, upload.name, project=project)
        sources = [upload.made_from] if upload.made_from else []
        added = gl.add_version(asset, samples / upload.filename, derived_from=sources)
        assets[upload.name] = asset
        version = added.version
        rows.append((upload.reference, version.filename, f"v{version.number}", version.digest[:19] + "…"))
    teller.table(("asset", "file", "version", "digest"), rows)
    scenes: dict[str, int] = {}
    segments: dict[str, tuple[int, ...]] = {}
    for part in cast.parts:
        scene = gl.create_scene(project, part.name)
        scenes[part.name] = scene.id
        segments[part.name] = tuple(segment.id for segment in gl.create_segments(scene, cast.segments))
    film = Film(project_id=project.id, slug=project.slug, assets=assets, scenes=scenes, segments=segments)
    counts = gl.project(project.id).counts
    assert counts is not None  # noqa: S101 - a single project always has its counts
    call = f"GET /projects/{project.id}"
    figures.check("scenes", sum(1 for _ in gl.scenes(project.id)), cast.scenes, f"{call}/scenes")
    figures.check("segments", counts.segments, cast.total, call)
    figures.check("segments without a take", counts.empty, cast.total, call)
    return film


def render_variants(gl: Genlock, film: Film, teller: Teller, figures: Figures) -> Film:
    """Render variants from source images, and return the film with them."""
    assets = dict(film.assets)
    plans: list[Plan] = []
    for name, source in RENDERED.items():
        assets[name] = gl.create_asset("variant", name, project=film.project_id)
        inputs = [_use(assets, "workflow", DRESS), _use(assets, "model", TINY), _use(assets, "source_image", source)]
        parameters = {"prompt": f"the {source} at {name}", "negative_prompt": "", "seed": str(2**63 + len(plans))}
        plans.append(gl.render_asset(assets[name], engine=ENGINE, inputs=inputs, parameters=_sized(parameters, 256)))
    follow(gl, plans, teller, "variants from source images", len(plans))
    for name, source in RENDERED.items():
        version = gl.version(assets[name], 1)
        sources = [(ref.asset_id, ref.number) for derivation in version.derivations for ref in derivation.sources]
        call = f"GET /assets/{assets[name].id}/versions/1"
        figures.check(
            f"variant:{name} was made from source_image:{source}@1", (assets[source].id, 1) in sources, True, call
        )
    return film.model_copy(update={"assets": assets})


def render_everything(gl: Genlock, film: Film, cast: Cast, teller: Teller) -> None:
    """Render the first take of every segment, with a plan for each scene."""
    plans = [
        gl.render(
            f"{film.slug}/{part.name}",
            engine=ENGINE,
            inputs=inputs_of(film, part),
            parameters=_sized({"prompt": part.prompt, "negative_prompt": "blur", "seed": part.seed, "frames": 16}, 192),
        )
        for part in cast.parts
    ]
    follow(gl, plans, teller, "rendering every segment", cast.total)


def inputs_of(film: Film, part: Part) -> list[RenderInput]:
    """Return the inputs of a scene."""
    return [
        _use(film.assets, "workflow", WALK),
        _use(film.assets, "model", TINY),
        *(_use(film.assets, "lora", name, strength) for name, strength in part.loras.items()),
        _use(film.assets, "variant", part.variant),
    ]


def follow(
    gl: Genlock,
    plans: Sequence[Plan],
    teller: Teller,
    label: str,
    total: int,
    done: Callable[[Plan], int] = lambda plan: plan.totals.rendered,
) -> None:
    """Wait for plans with a progress bar. Raise ``Conflict`` with the errors of its steps if a plan fails."""
    latest = {plan.id: plan for plan in plans}
    with teller.bar(label, total) as bar:
        while running := [plan for plan in latest.values() if plan.state not in ENDED]:
            time.sleep(_PAUSE_S)
            latest.update((plan.id, gl.get_plan(plan.id)) for plan in running)
            bar.reach(sum(map(done, latest.values())))
    for plan in latest.values():
        if plan.state is not PlanState.SUCCEEDED:
            errors = [step.error.message for step in gl.steps(plan) if step.error is not None]
            raise Conflict(
                f"Plan {plan.id} ended {plan.state}: {' '.join(errors) or 'no step errors why'}",
                hint="Details are in the server's log, `server.log` in the data folder.",
                code="plan_failed",
            )


def _use(assets: dict[str, Asset], role: str, name: str, strength: float | None = None) -> RenderInput:
    fields = {"role": role, "asset_id": assets[name].id, "strength_model": strength}
    return RenderInput.model_validate({key: value for key, value in fields.items() if value is not None})


def _sized(parameters: Mapping[str, object], side: int) -> dict[str, object]:
    return {"cfg": 4.0, "steps": 4, "sampler": "euler", "width": side, "height": side, **parameters}
