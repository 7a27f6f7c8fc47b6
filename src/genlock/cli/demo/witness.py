"""Reads responses of the server, prints them, and checks them against the story's expected values."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from genlock.cli.demo.cast import CLOTHED, Cast, Part
from genlock.cli.demo.figures import Figures
from genlock.cli.demo.stage import Film
from genlock.cli.demo.telling import Teller
from genlock.client import Genlock
from genlock.model import Model
from genlock.regeneration.model import Step
from genlock.staleness.model import Group, Impact, Provenance
from genlock.takes.receipt import Input

T = TypeVar("T")


class Time(Model):
    """How long a response took, measured by the client."""

    what: str
    milliseconds: float


class Witness:
    """Reads and checks one film; durations are added to ``times``."""

    def __init__(
        self, gl: Genlock, cast: Cast, film: Film, teller: Teller, figures: Figures, times: list[Time]
    ) -> None:
        self._gl, self._cast, self._film = gl, cast, film
        self._teller, self._figures, self._times = teller, figures, times

    @property
    def report_call(self) -> str:
        """The call that returns the report."""
        return f"GET /projects/{self._film.project_id}/staleness-report"

    def sentence(self, *, used: int, active: int) -> str:
        """Return the expected sentence of the report."""
        cast = self._cast
        return f"{cast.affected} segments across {cast.starring} scenes used clothed_v{used}.png — you are on v{active}"

    def expect_counts(self, *, fresh: int, stale: int = 0) -> None:
        """Check how many of the project's segments are stale and how many fresh."""
        project = self._gl.project(self._film.project_id)
        counts = project.counts
        assert counts is not None  # noqa: S101 - a single project always has its counts
        call = f"GET /projects/{project.id}"
        self._figures.check("stale", counts.stale, stale, call)
        self._figures.check("fresh", counts.fresh, fresh, call)

    def expect_no_groups(self) -> None:
        """Check that nothing is out of date."""
        groups = len(self._gl.report(self._film.project_id).groups)
        self._figures.check("groups in the report until then", groups, 0, self.report_call)

    def only_group(self, sentence: str) -> Group:
        """Check that the report has one group, print it, and return it."""
        groups = self._gl.report(self._film.project_id).groups
        self._figures.check("groups in the report", len(groups), 1, self.report_call)
        self._teller.sentence(groups[0].sentence)
        self._figures.check("the sentence of the report", groups[0].sentence, sentence, self.report_call, shown=True)
        return groups[0]

    def read_impact(self, foreseen: Impact, call: str) -> None:
        """Print and check what a version would make stale."""
        groups = [group for project in foreseen.projects for group in project.groups]
        sentences = [group.sentence for group in groups]
        self._teller.say("The report would be:", "italic")
        for sentence in sentences:
            self._teller.sentence(sentence)
        self._figures.check("the sentences", sentences, [self.sentence(used=1, active=2)], call, shown=True)
        self._figures.check(
            "segments that would become stale", foreseen.segments.becomes_stale, self._cast.affected, call
        )
        self._figures.check("segments that would become fresh", foreseen.segments.becomes_fresh, 0, call)
        self._figures.check("in scenes", groups[0].scenes, self._cast.starring, call)
        estimate = groups[0].estimate
        if estimate is None:
            self._teller.say("No estimate yet: they are computed in the background.", "dim")
            return
        self._teller.say(f"Rendering them again is estimated at {estimate.gpu_seconds:.1f} s.")
        self._figures.check("renders behind the estimate", estimate.samples, self._cast.total, call)

    def read_receipt(self, answer: Provenance, part: Part, call: str) -> None:
        """Print a receipt line by line, and check its content."""
        receipt = answer.receipt
        assert receipt is not None  # noqa: S101 - the segment was rendered
        inputs = [Input.model_validate(line) for line in receipt.document["inputs"]]
        self._teller.table(("role", "made with", "effective digest", "strength", "via"), map(_row, inputs))
        parameters = receipt.document["parameters"]
        self._teller.say(
            f"“{parameters['prompt']}”, cfg {parameters['cfg']}, {parameters['steps']} steps, "
            f"{parameters['resolution_tier']}"
        )
        variants = [f"{line.name} v{line.version}" for line in inputs if line.role == "variant"]
        self._figures.check("its variant", variants, [f"{CLOTHED} v2"], call)
        strengths = {line.name: line.strength_model for line in inputs if line.role == "lora"}
        self._figures.check("its LoRAs and strengths", strengths, part.loras, call)
        self._figures.check("its seed, to the last digit", parameters["seed"], part.seed, call)
        self._figures.check("missing in its receipt", list(receipt.missing), [], call)

    def provenance(self) -> Mapping[int, Provenance]:
        """Return the provenance of each segment of the film."""
        return {segment: self._gl.provenance(segment) for segment in sorted(self._film.everything)}

    def is_kept(self, before: Provenance) -> bool:
        """Return whether an earlier take has its receipt and bytes; both are verified."""
        assert before.take is not None and before.receipt is not None  # noqa: S101 - it was rendered
        with tempfile.TemporaryDirectory() as folder:
            self._gl.download(before.take.outputs["video"], Path(folder) / "video.mp4")
        self._gl.document(before.receipt)
        return self._gl.receipt(before.receipt.id) == before.receipt

    def timed(self, what: str, call: Callable[[], T]) -> T:
        """Return a response, and print how long it took."""
        began = time.perf_counter()
        answer = call()
        took = Time(what=what, milliseconds=round(1000 * (time.perf_counter() - began), 1))
        self._times.append(took)
        self._teller.say(f"answered in {took.milliseconds} ms", "cyan")
        return answer


def links(chains: Sequence[Sequence[Step]]) -> int:
    """Return the number of steps that are ordered after the step they continue and depend on it."""
    pairs = [pair for chain in chains for pair in pairwise(chain)]
    return sum(before.id in after.after and before.position < after.position for before, after in pairs)


def waits(chains: Sequence[Sequence[Step]]) -> int:
    """Return the number of steps that began after the step they continue had ended."""
    return sum(_ended_before(before, after) for chain in chains for before, after in pairwise(chain))


def _ended_before(step: Step, after: Step) -> bool:
    return step.finished_at is not None and after.started_at is not None and step.finished_at <= after.started_at


def _row(line: Input) -> tuple[str, ...]:
    name = f"{line.name} v{line.version}" if line.version else f"{line.part or ''} of take {line.take}"
    digest = (line.effective_digest or line.digest or "")[:19]
    strength = "" if line.strength_model is None else f"{line.strength_model:g}"
    return line.role.value, name, f"{digest}…", strength, line.via or ""
