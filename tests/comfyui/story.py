"""The story of `make demo-comfyui`: a LoRA is overwritten, and exactly the takes that used it are rendered again.

connect ▶ set the stage ▶ render ▶ overwrite ▶ report ▶ render again ▶ prove ▶ reproduce

A scene of four segments, each continuing the previous one; the second and the third use the LoRA that changes.
Each act uses Genlock's server through the SDK, and every figure comes from an answer and is checked.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from tests.comfyui import models, workflows
from tests.comfyui.proof import rendered_frames
from tests.comfyui.server import ComfyServer

from genlock.cli.demo.figures import Figures
from genlock.cli.demo.stage import follow
from genlock.cli.demo.telling import Teller
from genlock.client import Genlock
from genlock.engines.pictures import png_of
from genlock.regeneration.model import WorkerView
from genlock.regeneration.reproduction.model import Verdict
from genlock.staleness.model import Provenance
from genlock.takes.model import Receipt

T = TypeVar("T")
SLUG, SCENE = "rain", "walk"
PLACE = f"{SLUG}/{SCENE}"
LORAS = ("mist", "mara", "mara", "mist")
"""Of each segment."""
CHANGED = "mara"
STALE = (2, 3, 4)
"""Two were made with it, and the last continues those."""
SIDE, FRAMES = 64, 9
PATIENCE_S = 120
ASSETS = (
    "workflow:walk", "model:tiny", "vae:wan", "text_encoder:clip_l", "lora:mara", "lora:mist", "variant:clothed",
)  # fmt: skip
_MODELS = {
    "diffusion_models/tiny": models.diffusion_model(1),
    "vae/wan": models.vae(2),
    "text_encoders/clip_l": models.text_encoder(3),
    "loras/mara": models.lora(21),
    "loras/mist": models.lora(23),
}
_OTHER_WEIGHTS = models.lora(22)


@dataclass
class Story:
    """The acts, run in order by ``play``.

    ``library`` is the folder of models that Genlock watches: that of ComfyUI's files, if they are on this machine.
    ``truth`` starts another server of the same version, whose base folder is empty; a text says why there is none.
    """

    gl: Genlock
    url: str
    folder: Path
    library: Path
    truth: AbstractContextManager[ComfyServer] | str
    teller: Teller
    segments: tuple[int, ...] = ()
    before: Mapping[int, Provenance] = field(default_factory=dict[int, Provenance])

    def __post_init__(self) -> None:
        self.figures = Figures(self.teller.figure)

    def play(self) -> None:
        """Run the whole story."""
        self.connect()
        self.set_stage()
        self.render()
        self.overwrite()
        self.report()
        self.render_again()
        self.prove()
        self.reproduce()

    def connect(self) -> None:
        """Wait until a worker of Genlock reaches ComfyUI."""
        self.teller.act(f"Genlock, with a worker for the ComfyUI at {self.url}")
        reached = _once(self._workers)
        self._check("workers that render with ComfyUI", len(reached), 1, "GET /workers")

    def set_stage(self) -> None:
        """Write the model files, upload the workflow and show its bindings; create a scene of four segments."""
        self.teller.act(f"Model files lie in {self.library}, which Genlock watches; the workflow is uploaded")
        self.folder.mkdir(parents=True, exist_ok=True)
        for place, weights in _MODELS.items():
            models.write(self.library / f"{place}.safetensors", weights)
        for reference, path in self._uploads().items():
            kind, _, name = reference.partition(":")
            self.gl.add_version(self.gl.create_asset(kind, name), path)
        listings = _once(lambda: [assets for assets in [list(self.gl.assets())] if len(assets) == len(_MODELS) + 2])
        assets = {f"{asset.kind.value}:{asset.name}" for asset in (listings[0] if listings else ())}
        self._check("assets", sorted(assets), sorted(ASSETS), "GET /assets")
        versions = [(reference, self.gl.version(reference)) for reference in ASSETS]
        rows = [
            (reference, version.filename, f"v{version.number}", version.digest[:19] + "…")
            for reference, version in versions
        ]
        self.teller.table(("asset", "file", "version", "digest"), rows)
        shown = self.gl.bindings("workflow:walk")
        call = "GET /assets/{id}/versions/1/bindings"
        self.teller.say("Where things go in its graph:", "italic")
        self.teller.table(
            ("what", "node", "class", "input"),
            [(place.word, place.node, place.class_type, place.input) for place in shown.places],
        )
        self._check("what it makes", shown.produces, "video", call)
        self._check("what could not be found in it", sorted(shown.unknown), [], call)
        project = self.gl.create_project(SLUG, "Rain")
        scene = self.gl.create_scene(project, SCENE)
        self.segments = tuple(segment.id for segment in self.gl.create_segments(scene, len(LORAS)))
        self._expect(empty=len(LORAS))

    def render(self) -> None:
        """Render the first take of every segment with ComfyUI."""
        self.teller.act(f"Render a scene of {len(LORAS)} chained segments in ComfyUI")
        for number, lora in enumerate(LORAS, start=1):
            plan = self.gl.render(
                f"{PLACE}/{number}",
                engine="comfyui",
                inputs=[
                    *map(self.gl.render_input, ASSETS[:4]),
                    self.gl.render_input(f"lora:{lora}", strength_model=0.8),
                    self.gl.render_input("variant:clothed"),
                ],
                parameters={
                    "prompt": f"{lora} walks through the rain, part {number}",
                    "negative_prompt": "blurry",
                    "seed": str(2**53 + number),
                    "steps": 3,
                    "width": SIDE,
                    "height": SIDE,
                    "frames": FRAMES,
                },
            )
            follow(self.gl, [plan], self.teller, f"segment {number}, with {lora}", 1)
        self._expect(fresh=len(LORAS))
        self.before = self._provenance()
        call = "GET /segments/{id}/provenance"
        receipts = [_receipt(provenance) for provenance in self.before.values()]
        self._check("what their receipts lack", [word for receipt in receipts for word in receipt.missing], [], call)
        self._check("their evidence", sorted({receipt.evidence.value for receipt in receipts}), ["recorded"], call)
        chained = ["seed_frame" in {line["role"] for line in receipt.document["inputs"]} for receipt in receipts]
        self._check("continuing the one before", chained, [False, True, True, True], call)
        first = receipts[0].document
        environment = first["engine"]["environment"]
        self.teller.table(
            ("recorded of the engine", ""), [(name, text or "none") for name, text in environment.items()]
        )
        timed = {
            name
            for receipt in receipts
            for name, seconds in receipt.document["observed"]["per_node_s"].items()
            if seconds
        }
        sampled = "10" in timed
        self._check("seconds are recorded for the sampler's node", sampled, True, call)

    def overwrite(self) -> None:
        """Overwrite the LoRA's file under the same name; Genlock notices it without a request."""
        path = self.library / "loras" / f"{CHANGED}.safetensors"
        self.teller.act(f"Somebody overwrites {path.name}: the same name, size and time of change, other weights")
        before = path.stat()
        models.write(path, _OTHER_WEIGHTS)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size
        began_s = time.monotonic()
        reference = f"lora:{CHANGED}"
        noticed = _once(lambda: [asset for asset in [self.gl.asset(reference)] if asset.active_version != 1])
        self.teller.say(f"noticed after {time.monotonic() - began_s:.1f} s", "cyan")
        self._check("its active version", [asset.active_version for asset in noticed], [2], "GET /assets/{id}")

    def report(self) -> None:
        """Check which segments are stale, and why."""
        self.teller.act("What is out of date?")
        call = f"GET /projects/{SLUG}/staleness-report"
        groups = self.gl.report(SLUG).groups
        self._check("groups in the report", len(groups), 1, call)
        (group,) = groups
        self.teller.sentence(group.sentence)
        self._check("direct: made with it", group.direct, LORAS.count(CHANGED), call)
        self._check("derived: it continues those", group.derived, len(STALE) - LORAS.count(CHANGED), call)
        stale = tuple(segment.position for segment in self.gl.segments(SLUG, state="stale"))
        self._check("stale segments", stale, STALE, f"GET /projects/{SLUG}/segments?state=stale")
        self._expect(fresh=len(LORAS) - len(STALE), stale=len(STALE))

    def render_again(self) -> None:
        """Render exactly those segments again, with the new weights."""
        self.teller.act("Make exactly those again, with the new weights")
        plan = self.gl.plan(SLUG)
        call = f"GET /plans/{plan.id}"
        self._check("renders", plan.totals.render, len(STALE), call)
        replaced = {
            f"{substitute.asset.name} v{substitute.from_} → v{substitute.to}"
            for step in self.gl.steps(plan)
            for substitute in step.substitutes
        }
        self._check("what they substitute", sorted(replaced), [f"{CHANGED} v1 → v2"], f"{call}/steps")
        follow(self.gl, [self.gl.start_plan(plan)], self.teller, "rendering again", len(STALE))
        self._check("rendered", self.gl.get_plan(plan).totals.rendered, len(STALE), call)
        self._expect(fresh=len(LORAS))
        now = self._provenance()
        call = "GET /segments/{id}/provenance"
        takes = [len(now[number].takes) for number in now]
        self._check("takes of each segment", takes, [2 if number in STALE else 1 for number in now], call)
        unchanged = [number for number in now if now[number].receipt == self.before[number].receipt]
        self._check("segments with the receipt they had", unchanged, [n for n in now if n not in STALE], call)
        frames = {number: (_frames(self.before[number]), _frames(now[number])) for number in STALE}
        changed = [number for number, (old, new) in frames.items() if old != new]
        self._check("segments whose frames are others now", changed, list(STALE), call)

    def prove(self) -> None:
        """Render the same frames in another process that has only the files which the receipts name."""
        if isinstance(self.truth, str):
            self.teller.act("The proof in another process is left out")
            self.teller.say(self.truth, "yellow")
            return
        self.teller.act("Prove it in another process: --cache-none, an empty base folder, the graphs as they were sent")
        now = self._provenance()
        with self.truth as server:
            self.teller.say(f"{server.url}, in {server.base}", "dim")
            for number in STALE:
                new, old = _receipt(now[number]), _receipt(self.before[number])
                folder = self.folder / "proof" / str(number)
                folder.mkdir(parents=True)
                rendered = rendered_frames(self.gl, new, server, folder)
                call = "GET /receipts/{id}, GET /blobs/{digest}"
                self._check(
                    f"segment {number}: the new take has its frames", _frames(now[number]) == rendered, True, call
                )
                self._check(
                    f"segment {number}: the old take has others", _frames(self.before[number]) != rendered, True, call
                )
                again = rendered_frames(self.gl, old, server, folder)
                self._check(
                    f"segment {number}: the old receipt gives the old frames",
                    again,
                    old.document["outputs"]["frames"]["digest"],
                    call,
                )

    def reproduce(self) -> None:
        """Let Genlock run a receipt of the old weights again: the old version's bytes were stored."""
        self.teller.act("Reproduce the first take of segment 2, made with weights that ComfyUI's folder has no more")
        reproduction = self.gl.wait_for_reproduction(self.gl.reproduce(_receipt(self.before[2])))
        call = f"GET /reproductions/{reproduction.id}"
        if reproduction.result is not None:
            self.teller.say(reproduction.result.comparison.why)
        verdict = (
            reproduction.verdict.value if reproduction.verdict else reproduction.error and reproduction.error.message
        )
        alike = reproduction.verdict in (Verdict.IDENTICAL, Verdict.SAME_FRAMES)
        self._check("the verdict", verdict, verdict if alike else f"{Verdict.IDENTICAL} or {Verdict.SAME_FRAMES}", call)
        self._expect(fresh=len(LORAS))

    def _workers(self) -> list[WorkerView]:
        return [worker for worker in self.gl.workers() if worker.alive and "comfyui" in worker.engines]

    def _uploads(self) -> Mapping[str, Path]:
        graph = self.folder / "walk.json"
        graph.write_bytes(workflows.as_file(workflows.image_to_video()))
        picture = self.folder / "clothed.png"
        coarse = np.random.default_rng(5).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture.write_bytes(png_of(np.kron(coarse, np.ones((8, 8, 1), dtype=np.uint8)).astype(np.uint8)))
        return {"workflow:walk": graph, "variant:clothed": picture}

    def _provenance(self) -> Mapping[int, Provenance]:
        return {number: self.gl.provenance(id) for number, id in enumerate(self.segments, start=1)}

    def _expect(self, *, fresh: int = 0, stale: int = 0, empty: int = 0) -> None:
        counts = self.gl.project(SLUG).counts
        assert counts is not None
        actual = {"fresh": counts.fresh, "stale": counts.stale, "empty": counts.empty}
        self._check("segments", actual, {"fresh": fresh, "stale": stale, "empty": empty}, f"GET /projects/{SLUG}")

    def _check(self, what: str, actual: object, expected: object, call: str) -> None:
        self.figures.check(what, actual, expected, call)


def _once(query: Callable[[], list[T]]) -> list[T]:
    """Return the result of ``query`` once it has one; an empty one if that takes too long."""
    until_s = time.monotonic() + PATIENCE_S
    while not (result := query()) and time.monotonic() < until_s:
        time.sleep(0.2)
    return result


def _receipt(provenance: Provenance) -> Receipt:
    assert provenance.receipt is not None
    return provenance.receipt


def _frames(provenance: Provenance) -> str:
    return str(_receipt(provenance).document["outputs"]["frames"]["digest"])
