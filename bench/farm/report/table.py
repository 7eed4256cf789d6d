"""A farm run's report for a reader: a table for the terminal, Markdown for README, a JSON document for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from bench.base import units
from bench.base.console import new_table, plain
from bench.farm.report.compare import WORDS, Line, Report

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("projected", "P10 – P90", "actual", "error", "in the interval")
SHARES = ("utilisation",)


def show(found: Report) -> Iterator[str | Table]:
    """Text and a table, in order."""
    yield f"[bold]Projected against actual[/bold]: {plain(_heading(found))}"
    table = new_table(("of the run",), COLUMNS)
    for line in found.lines:
        table.add_row(*_cells(line))
    yield table
    for text in _below(found):
        yield plain(text)


def markdown(found: Report) -> str:
    """The table for README."""
    rows = [f"| {_heading(found)} | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS)]
    rows += [f"| {' | '.join(_cells(line))} |" for line in found.lines]
    return "\n".join([*rows, "", *_below(found)])


def _heading(found: Report) -> str:
    it = found.foretold
    frames = f"{len(it.frames)} frame{'s' * (len(it.frames) != 1)}"
    workers = f"{it.workers} worker{'s' * (it.workers != 1)} of {it.threads} thread{'s' * (it.threads != 1)}"
    return f"{it.shot} {it.size}, {frames} on {it.site}: {workers}, {it.cores} core{'s' * (it.cores != 1)}"


def _cells(line: Line) -> tuple[str, ...]:
    def text(value: float | None) -> str:
        if value is None:
            return units.UNKNOWN
        return units.share(value) if line.name in SHARES else units.seconds(value)

    low, high = line.projected.p10, line.projected.p90
    error = "" if line.error is None else f"{100.0 * line.error:+.1f} %"
    held = "" if line.held is None else "yes" if line.held else "no"
    return WORDS[line.name], text(line.projected.p50), f"{text(low)} – {text(high)}", text(line.actual), error, held


def _below(found: Report) -> list[str]:
    lines = []
    slowest = found.slowest
    if slowest is not None:
        beside = "" if slowest.foretold_s is None else f", foretold {units.seconds(slowest.foretold_s)}"
        where = f"on {slowest.node}/{slowest.worker}"
        lines.append(f"slowest task: {slowest.task} {where}, {units.seconds(slowest.took_s)}{beside}: {slowest.why}")
    lines += found.notes
    stands_on = ", ".join(found.foretold.stands_on) or "nothing measured"
    assumed = ", ".join(found.foretold.assumed) or "nothing"
    lines.append(f"the projection stood on {stands_on}; assumed: {assumed}")
    return lines


def as_document(found: Report) -> dict[str, object]:
    """What --json prints."""
    it, actual = found.foretold, found.actual
    return {
        "kind": "farm report",
        "site": it.site,
        "shot": it.shot,
        "size": it.size,
        "samples": it.samples,
        "frames": len(it.frames),
        "workers": it.workers,
        "workers_seen": actual.workers,
        "cores": it.cores,
        "threads": it.threads,
        "outcome": actual.outcome,
        "sessions": len(actual.clock.sessions),
        "sessions_before": actual.sessions_before,
        "figures": {
            line.name: {
                "projected": line.projected.model_dump(),
                "actual": line.actual,
                "error": line.error,
                "in_interval": line.held,
            }
            for line in found.lines
        },
        "slowest": asdict(found.slowest) if found.slowest else None,
        "faults": actual.faults,
        "retried": actual.retried,
        "stands_on": list(it.stands_on),
        "assumed": list(it.assumed),
        "notes": list(found.notes),
    }
