"""How the report, and what a move makes stale, are told."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from genlock.cli.formatting import many, seconds_word
from genlock.staleness.model import Group, Impact, Report


def report_lines(slug: str, report: Report, unknown: int = 0) -> list[RenderableType]:
    """A project's report: a sentence for each group, and what fixing it would take.

    ``unknown`` segments have receipts that do not say enough: nobody can tell whether they are out of date.
    """
    totals = report.totals
    doubt: list[RenderableType] = []
    if unknown:
        told = f"  Of {many(unknown, 'segment')} that is not known: genlock segment list {slug} --state unknown"
        doubt.append(Text(told, style="magenta"))
    if not totals.segments:
        waived = f" {many(totals.waived, 'segment')} waived." if totals.waived else ""
        said = "nothing is known to be out of date" if unknown else "nothing is out of date"
        return [Text.assemble(("· ", "green"), f"{slug}: {said}.{waived}"), *doubt]
    stale = f"{many(totals.segments, 'segment')} in {many(totals.scenes, 'scene')} out of date"
    lines: list[RenderableType] = [Text(f"▲ {slug}: {stale}", style="bold dark_orange")]
    lines += group_lines(report.groups)
    if totals.waived:
        lines.append(Text(f"  {many(totals.waived, 'segment')} waived.", style="cyan"))
    lines += doubt
    lines.append(Text(f"  To make exactly those again: genlock plan {slug}", style="dim"))
    return lines


def group_lines(groups: Iterable[Group]) -> list[RenderableType]:
    """Each group's sentence, and a line with its figures."""
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
    """What a move makes, or would make, stale and fresh, project by project."""
    changes = impact.segments
    if not (changes.becomes_stale or changes.becomes_fresh):
        return [Text("No segment becomes stale or fresh by it.", style="dim")]
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
