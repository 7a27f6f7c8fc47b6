"""Shows the report of a project, and the impact of an activation."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from genlock.cli.formatting import many, seconds_word
from genlock.staleness.model import Group, Impact, Report


def report_lines(slug: str, report: Report, unknown: int = 0) -> list[RenderableType]:
    """Return a project's report: a sentence for each group, and the cost of rendering it.

    The receipts of ``unknown`` segments are incomplete: whether they are out of date cannot be decided.
    """
    totals = report.totals
    doubt: list[RenderableType] = []
    if unknown:
        note = f"  Unknown for {many(unknown, 'segment')}: genlock segment list {slug} --state unknown"
        doubt.append(Text(note, style="magenta"))
    if not totals.segments:
        waived = f" {many(totals.waived, 'segment')} waived." if totals.waived else ""
        verdict = "nothing is known to be out of date" if unknown else "nothing is out of date"
        return [Text.assemble(("· ", "green"), f"{slug}: {verdict}.{waived}"), *doubt]
    stale = f"{many(totals.segments, 'segment')} in {many(totals.scenes, 'scene')} out of date"
    lines: list[RenderableType] = [Text(f"▲ {slug}: {stale}", style="bold dark_orange")]
    lines += group_lines(report.groups)
    if totals.waived:
        lines.append(Text(f"  {many(totals.waived, 'segment')} waived.", style="cyan"))
    lines += doubt
    lines.append(Text(f"  To render exactly these again: genlock plan {slug}", style="dim"))
    return lines


def group_lines(groups: Iterable[Group]) -> list[RenderableType]:
    """Return each group's sentence, and a line with its figures."""
    lines: list[RenderableType] = []
    for group in groups:
        figures = [f"{group.direct} direct, {group.derived} derived"]
        if group.estimate is not None:
            cost = seconds_word(group.estimate.gpu_seconds)
            figures.append(f"about {cost} of rendering (from {many(group.estimate.samples, 'sample')})")
        if group.restorable:
            figures.append(f"{group.restorable} can be restored without rendering")
        lines += [Text(f"  {group.sentence}"), Text(f"    {' · '.join(figures)} · {group.id}", style="dim")]
    return lines


def impact_lines(impact: Impact, slugs: dict[int, str], *, would: bool) -> list[RenderableType]:
    """Return what becomes, or would become, stale and fresh by an activation, by project."""
    changes = impact.segments
    if not (changes.becomes_stale or changes.becomes_fresh):
        return [Text("No segment becomes stale or fresh.", style="dim")]
    verb = "would become" if would else "became"
    lines: list[RenderableType] = []
    if changes.becomes_stale:
        lines.append(Text(f"▲ {many(changes.becomes_stale, 'segment')} {verb} stale", style="dark_orange"))
    if changes.becomes_fresh:
        lines.append(Text(f"· {many(changes.becomes_fresh, 'segment')} {verb} fresh again", style="green"))
    for project in impact.projects:
        lines.append(Text(slugs.get(project.project_id, f"project {project.project_id}"), style="bold"))
        lines += group_lines(project.groups) or [Text("  nothing is out of date", style="dim")]
    return lines
