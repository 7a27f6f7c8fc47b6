"""Says what was measured: a table for each scale, one of growth, and the same as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clock import Row

REPORT = Path("bench-report.json")


def as_json(rows: Sequence[Row], floors: Mapping[str, Row]) -> list[dict[str, Any]]:
    """The rows with their ratios, floors first."""
    return [_one(row, floors) for row in (*floors.values(), *rows)]


def _one(row: Row, floors: Mapping[str, Row]) -> dict[str, Any]:
    floor = floors.get(row.floor)
    ratio = None
    if floor is not None and row.p50 and floor.p50 and row.unit in ("ms", "/s"):
        rated = 1000 / row.p50 if row.unit == "/s" and floor.unit == "ms" else row.p50
        ratio = round(rated / floor.p50, 3)
    found = {
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
    return {name: value for name, value in found.items() if value is not None}


def keep(scale: int, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Write what one scale gave into the report, beside what others gave before; the whole report."""
    report: dict[str, Any] = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    report[str(scale)] = found
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    return report


def show(scale: int, found: list[dict[str, Any]]) -> str:
    """One scale as a Markdown table."""
    lines = [
        f"{scale:,} receipts",
        "",
        "| what | p50 | p99 | cold | limit | | ratio to floor |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for one in found:
        limit = one.get("limit")
        note = f" ({one['note']})" if "note" in one else ""
        lines.append(
            f"| {one['what']}{note} | {_figure(one.get('p50'), one['unit'])}"
            f" | {_figure(one.get('p99'), 'ms')} | {_figure(one.get('first'), 'ms')}"
            f" | {_figure(limit, one['unit'])} | {_MET[one.get('met')]}"
            f" | {str(one['ratio']) + ' × ' + one['floor'] if 'ratio' in one else ''} |"
        )
    return "\n".join(lines)


def growth(report: Mapping[str, Any]) -> str:
    """How each p50 grows with the history."""
    scales = sorted(report, key=int)
    names = list(dict.fromkeys(one["what"] for scale in scales for one in report[scale]))
    lines = [
        f"| p50 | {' | '.join(f'{int(scale):,}' for scale in scales)} |",
        f"| --- |{' ---: |' * len(scales)}",
    ]
    for name in names:
        each = [next((one for one in report[scale] if one["what"] == name), None) for scale in scales]
        cells = [_figure(one.get("p50"), one["unit"]) if one else "" for one in each]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


_MET = {True: "met", False: "missed", None: ""}
