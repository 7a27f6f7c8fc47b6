"""The story: an asset changes, twelve of sixty segments are rendered again, and all others stay unchanged.

set the stage ▶ render ▶ what-if ▶ activate ▶ plan ▶ redo ▶ compare ▶ query provenance ▶ relabel ▶ revert

Each part uses the server through the SDK only, and every figure is read from a response and checked.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from genlock.cli.demo import stage
from genlock.cli.demo.cast import CLOTHED, CLOTHED_AGAIN, RAIN, RAIN_RELABELLED, Cast
from genlock.cli.demo.figures import Figures
from genlock.cli.demo.stage import Film
from genlock.cli.demo.telling import Teller
from genlock.cli.demo.witness import Time, Witness, links, waits
from genlock.client import Genlock
from genlock.library.model import Outcome
from genlock.regeneration.model import Plan, Step
from genlock.staleness.model import Group, Impact, Provenance


class Story:
    """The parts of the story; ``play`` runs them in order."""

    film: Film
    witness: Witness
    _before: Mapping[int, Provenance]
    _foreseen: Impact

    def __init__(self, gl: Genlock, cast: Cast, samples: Path, teller: Teller) -> None:
        self.gl, self.cast, self.samples, self.teller = gl, cast, samples, teller
        self.figures = Figures(teller.figure)
        self.stars = tuple(part for part in cast.parts if part.variant == CLOTHED)
        self.times: list[Time] = []
        self.slug: str | None = None

    def play(self) -> None:
        """Run the whole story."""
        self.set_stage()
        self.render()
        self.what_if()
        group = self.activate()
        plan = self.plan(group)
        self.redo(plan)
        self.compare()
        self.query_provenance()
        self.relabel()
        self.revert()

    @property
    def affected(self) -> frozenset[int]:
        """The segments that depend on the variant that changes."""
        return self.film.of(self.stars)

    def set_stage(self) -> None:
        """Create a project with its files, scenes and segments, and render its variants."""
        cast = self.cast
        self.teller.act(f"A film of {cast.scenes} scenes, each a chain of {cast.segments} segments, from real files")
        film = stage.set_stage(self.gl, cast, self.samples, self.teller, self.figures)
        self.slug = film.slug
        self.film = stage.render_variants(self.gl, film, self.teller, self.figures)
        self.witness = Witness(self.gl, cast, self.film, self.teller, self.figures, self.times)

    def render(self) -> None:
        """Render the first take of every segment."""
        self.teller.act("Render everything once, with the built-in engine")
        stage.render_everything(self.gl, self.film, self.cast, self.teller)
        self.witness.expect_counts(fresh=self.cast.total)
        self.teller.say(f"These scenes start from clothed_v1.png: {', '.join(part.name for part in self.stars)}.")
        used = self.gl.usage(self._clothed, 1).total
        self._check("segments made with clothed_v1.png", used, self.cast.affected, self._call("usage?version=1"))
        self._before = self.witness.provenance()

    def what_if(self) -> None:
        """Upload a new version without activating it, and read what it would make stale."""
        self.teller.act(f"{CLOTHED_AGAIN} is uploaded. What would it make stale? (This changes nothing.)")
        added = self.gl.add_version(
            self._clothed,
            self.samples / CLOTHED_AGAIN,
            activate=False,
            derived_from=["source_image:portrait@1"],
            project=self.film.project_id,
            note="another coat",
        )
        call = self._call("versions", "POST")
        self._check("the upload", added.outcome.value, Outcome.CREATED.value, call)
        self._check("its number", added.version.number, 2, call)
        self._foreseen = self.gl.impact(self._clothed, 2)
        self.witness.read_impact(self._foreseen, self._call("impact?version=2"))
        self.witness.expect_no_groups()

    def activate(self) -> Group:
        """Activate it, check that the report matches the what-if, and return the report's group."""
        self.teller.act("Make it the active version, and read the report")
        cast, call = self.cast, self.witness.report_call
        last_event = max((event.id for event in self.gl.events(project=self.film.project_id)), default=0)
        activated = self.gl.activate(self._clothed, 2, note="the director prefers it")
        same = activated.report == self._foreseen
        self._check("the activation had the predicted impact", same, True, self._call("activate", "POST"))
        group = self.witness.only_group(self.witness.sentence(used=1, active=2))
        self._check("segments", group.segments, cast.affected, call)
        self._check("scenes", group.scenes, cast.starring, call)
        self._check("direct: made from the file", group.direct, cast.starring, call)
        self._check("derived: continue those", group.derived, cast.affected - cast.starring, call)
        self.witness.expect_counts(stale=cast.affected, fresh=cast.untouched)
        stale = frozenset(segment.id for segment in self.gl.segments(self.film.project_id, state="stale"))
        self._check("exactly the segments of those scenes are stale", stale == self.affected, True, self._listed)
        events = self.gl.events(after=last_event, project=self.film.project_id)
        reported = [event.data["segments"] for event in events if event.verb == "staleness.detected"]
        self._check("events about it, with their segments", reported, [cast.affected], "GET /events")
        return group

    def plan(self, group: Group) -> Plan:
        """Show what would be rendered again, before anything runs."""
        self.teller.act("Plan exactly these, in chain order")
        plan = self.gl.plan(self.film.project_id, groups=[group])
        call = f"GET /plans/{plan.id}"
        self._check("renders", plan.totals.render, self.cast.affected, call)
        self._check("restores", plan.totals.restore, 0, call)
        self._check("blocked", plan.totals.blocked, 0, call)
        self._check("stale downstream afterwards", plan.downstream_stale, 0, call)
        steps = list(self.gl.steps(plan))
        planned = frozenset(step.segment_id for step in steps)
        self._check("exactly the stale segments are planned", planned == self.affected, True, f"{call}/steps")
        replaced = {
            f"{substitute.asset.name} v{substitute.from_} → v{substitute.to}"
            for step in steps
            for substitute in step.substitutes
        }
        self._check("their substitutions", sorted(replaced), [f"{CLOTHED} v1 → v2"], f"{call}/steps")
        self._check("steps after the one they continue", links(self._chains(steps)), self._links, call)
        return plan

    def redo(self, plan: Plan) -> None:
        """Run the plan."""
        self.teller.act(f"Render those {self.cast.affected} again")
        running = self.gl.start_plan(plan)
        stage.follow(self.gl, [running], self.teller, "rendering again", self.cast.affected)
        call = f"GET /plans/{plan.id}"
        self._check("rendered", self.gl.get_plan(plan).totals.rendered, self.cast.affected, call)
        waited = waits(self._chains(list(self.gl.steps(plan))))
        self._check("steps that started after the one they continue had ended", waited, self._links, f"{call}/steps")
        self.witness.expect_counts(fresh=self.cast.total)

    def compare(self) -> None:
        """Check that the others are unchanged, and that every old take still exists."""
        self.teller.act(f"The other {self.cast.untouched} are untouched, and the old takes still exist")
        now, before = self.witness.provenance(), self._before
        call = "GET /segments/{id}/provenance"
        same = sum(now[segment] == before[segment] for segment in self.film.everything - self.affected)
        self._check("segments with the same takes, receipts and digests", same, self.cast.untouched, call)
        numbers = {number for segment in self.affected for number in sorted(take.number for take in now[segment].takes)}
        self._check("takes of each segment that was rendered again", sorted(numbers), [1, 2], call)
        intact = sum(self.witness.is_kept(before[segment]) for segment in sorted(self.affected))
        self._check("old takes with a verified receipt and video", intact, self.cast.affected, "GET /blobs/{digest}")

    def query_provenance(self) -> None:
        """Query both kinds of provenance, and measure the response times."""
        self.teller.act("Ask both ways")
        part, position = self.stars[0], min(2, self.cast.segments)
        segment = self.film.segments[part.name][position - 1]
        self.teller.say(f"What was used to make {self.film.slug}/{part.name}/{position}?", "italic")
        answer = self.witness.timed("what was used to make a segment", lambda: self.gl.provenance(segment))
        self.witness.read_receipt(answer, part, f"GET /segments/{segment}/provenance")
        self.teller.say("Which takes used exactly clothed_v1.png?", "italic")
        used = self.gl.usage(self._clothed, 1, all_takes=True)
        first = self.witness.timed("which takes used exactly this version", lambda: used.first)
        call = self._call("usage?takes=all&version=1")
        self._check("takes", first.total, self.cast.affected, call)
        takes = {(use.segment_id, use.take) for use in used}
        expected = {(segment_id, 1) for segment_id in self.affected}
        self._check("exactly the first takes of those scenes", takes == expected, True, call)
        new = self.gl.usage(self._clothed, 2, all_takes=True).total
        self._check("takes that used clothed_v2.png", new, self.cast.affected, self._call("usage?takes=all&version=2"))
        cut = self.gl.usage(self._clothed, 1).total
        self._check("selected takes that still use version 1", cut, 0, self._call("usage?version=1"))

    def relabel(self) -> None:
        """Upload a LoRA with only its metadata changed: a new version, and nothing becomes stale."""
        self.teller.act("Upload a LoRA with another description in its header and the same weights")
        rain = self.film.assets[RAIN].id
        added = self.gl.add_version(rain, self.samples / RAIN_RELABELLED, note="a better description")
        call = f"POST /assets/{rain}/versions"
        self._check("the upload", added.outcome.value, Outcome.EQUIVALENT.value, call)
        self._check("segments it makes stale", added.report.segments.becomes_stale, 0, call)
        takes = self.cast.total + self.cast.affected
        used = {
            version.number: version.total for version in self.gl.usage(rain, all_takes=True).versions if version.total
        }
        self._check(
            "takes by version",
            {f"v{number}": total for number, total in used.items()},
            {"v1": takes},
            f"GET /assets/{rain}/usage?takes=all",
        )
        self.witness.expect_counts(fresh=self.cast.total)

    def revert(self) -> None:
        """Revert the variant: earlier takes match, so nothing is rendered."""
        self.teller.act("The director changes her mind: back to clothed_v1.png, without rendering")
        self.gl.activate(self._clothed, 1, note="the old coat after all")
        group = self.witness.only_group(self.witness.sentence(used=2, active=1))
        self._check(
            "of those, restorable from an earlier take", group.restorable, self.cast.affected, self.witness.report_call
        )
        plan = self.gl.plan(self.film.project_id)
        call = f"GET /plans/{plan.id}"
        self._check("renders", plan.totals.render, 0, call)
        self._check("restores", plan.totals.restore, self.cast.affected, call)
        running = self.gl.start_plan(plan)
        label, total = "restoring", self.cast.affected
        stage.follow(self.gl, [running], self.teller, label, total, lambda plan: plan.totals.restored)
        totals = self.gl.get_plan(plan).totals
        self._check("restored", totals.restored, self.cast.affected, call)
        self._check("rendered", totals.rendered, 0, call)
        self.witness.expect_counts(fresh=self.cast.total)
        now = self.witness.provenance()
        call = "GET /segments/{id}/provenance"
        same = sum(now[segment_id].receipt == self._before[segment_id].receipt for segment_id in self.film.everything)
        self._check("segments with their first take selected", same, self.cast.total, call)
        takes = sum(len(provenance.takes) for provenance in now.values())
        self._check("takes in total", takes, self.cast.total + self.cast.affected, call)

    @property
    def _clothed(self) -> int:
        return self.film.assets[CLOTHED].id

    @property
    def _links(self) -> int:
        """Number of affected segments that continue another one."""
        return self.cast.starring * (self.cast.segments - 1)

    @property
    def _listed(self) -> str:
        return f"GET /projects/{self.film.project_id}/segments?state=stale"

    def _chains(self, steps: Sequence[Step]) -> list[list[Step]]:
        """Return the steps of each affected scene, in the order of its segments."""
        of = {step.segment_id: step for step in steps}
        return [[of[segment] for segment in self.film.segments[part.name]] for part in self.stars]

    def _call(self, what: str, method: str = "GET") -> str:
        return f"{method} /assets/{self._clothed}/{what}"

    def _check(self, what: str, actual: object, expected: object, call: str) -> None:
        self.figures.check(what, actual, expected, call)
