"""Reports of the measurements: a table for each scale, a table of growth, and the same as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clock import Row

REPORT = Path("bench-report.json")


def as_json(rows: Sequence[Row], floors: Mapping[str, Row]) -> list[dict[str, Any]]:
    """Return the rows with their ratios, floors first."""
    return [_as_object(row, floors) for row in (*floors.values(), *rows)]


def _as_object(row: Row, floors: Mapping[str, Row]) -> dict[str, Any]:
    floor = floors.get(row.floor)
    ratio = None
    if floor is not None and row.p50 and floor.p50 and row.unit in ("ms", "/s"):
        rated = 1000 / row.p50 if row.unit == "/s" and floor.unit == "ms" else row.p50
        ratio = round(rated / floor.p50, 3)
    fields = {
        "what": row.name,
        "unit": row.unit,
        "p50": row.p50 and round(row.p50, 3),
        "p99": row.p99 and round(row.p99, 3),
        "first": row.first_ms and round(row.first_ms, 3),
        "tries": len(row.times_ms) or None,
        "limit": row.limit,
        "limit_p99": row.limit_p99,
        "met": row.met,
        "floor": row.floor or None,
        "ratio": ratio,
        "note": row.note or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def store(scale: int, measured: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the figures of a scale into the report, next to those of other scales; return the report."""
    report: dict[str, Any] = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    report[str(scale)] = measured
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    return report


def show(scale: int, measured: list[dict[str, Any]]) -> str:
    """Return the figures of a scale as a Markdown table."""
    lines = [
        f"{scale:,} receipts",
        "",
        "| what | p50 | p99 | cold | limit | | ratio to floor |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for figures in measured:
        limit = figures.get("limit")
        note = f" ({figures['note']})" if "note" in figures else ""
        lines.append(
            f"| {figures['what']}{note} | {_figure(figures.get('p50'), figures['unit'])}"
            f" | {_figure(figures.get('p99'), 'ms')} | {_figure(figures.get('first'), 'ms')}"
            f" | {_figure(limit, figures['unit'])} | {_MET[figures.get('met')]}"
            f" | {str(figures['ratio']) + ' × ' + figures['floor'] if 'ratio' in figures else ''} |"
        )
    return "\n".join(lines)


def growth(report: Mapping[str, Any]) -> str:
    """Return a Markdown table of each p50 by scale."""
    scales = sorted(report, key=int)
    names = list(dict.fromkeys(figures["what"] for scale in scales for figures in report[scale]))
    lines = [
        f"| p50 | {' | '.join(f'{int(scale):,}' for scale in scales)} |",
        f"| --- |{' ---: |' * len(scales)}",
    ]
    for name in names:
        each = [next((figures for figures in report[scale] if figures["what"] == name), None) for scale in scales]
        cells = [_figure(figures.get("p50"), figures["unit"]) if figures else "" for figures in each]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


_MET = {True: "met", False: "missed", None: ""}
