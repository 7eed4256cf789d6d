"""A backtest for a reader: a table for the terminal, Markdown for README, a JSON document for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from bench.base.console import new_table
from bench.base.units import share
from bench.project.backtest.bar import COVERAGE, MEDIAN_MOST, WORST_MOST, BacktestRow, overall
from bench.project.backtest.held_out import HeldOut

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("cases", "median error", "worst", "80 % interval holds", "linear scaling", "farm formula")  # of numbers


def tables(found: Sequence[BacktestRow]) -> list[str | Table]:
    """The table, and beneath it what does not meet the bar."""
    table = new_table(("predicted",), COLUMNS, ("bar",))
    for cells in cells_of(found):
        table.add_row(*cells)
    lines: list[str | Table] = [table, ""]
    for row in found:
        for case in sorted(row.cases, key=lambda case: -abs(case.error)):
            if abs(case.error) > WORST_MOST:
                lines.append(f"({row.letter}) {case.label}: off by {_signed(case.error)}")
    lines.append("linear scaling: in proportion to the work. farm formula: (pending x mean + slowest) / running.")
    return lines


def cells_of(found: Sequence[BacktestRow]) -> list[tuple[str, ...]]:
    """The table's text, for the terminal and for Markdown."""
    return [_cells(row) for row in (*found, overall(found))]


def _cells(row: BacktestRow) -> tuple[str, ...]:
    name = f"({row.letter}) {row.what}" if row.letter else row.what
    if row.worst is None:
        return name, "0", "", "", "", "", "", row.why_none
    return (
        name,
        str(len(row.cases)),
        share(row.median_error),
        _signed(row.worst.error),
        share(row.coverage),
        share(row.linear_error),
        share(row.farm_error) if row.farm_error is not None else "",
        "; ".join(row.misses) or "met",
    )


def _signed(value: float) -> str:
    return f"{100.0 * value:+.1f} %"


def markdown(found: Sequence[BacktestRow]) -> str:
    """The table for README."""
    rows = [f"| predicted | {' | '.join(COLUMNS)} | bar |", "|---|" + "---:|" * len(COLUMNS) + "---|"]
    return "\n".join([*rows, *(f"| {' | '.join(cells)} |" for cells in cells_of(found))])


def as_document(found: Sequence[BacktestRow]) -> dict[str, object]:
    """What --json prints."""
    return {
        "kind": "backtest",
        "bar": {"median_error": MEDIAN_MOST, "worst_error": WORST_MOST, "coverage": list(COVERAGE)},
        "rows": [_row_document(row) for row in (*found, overall(found))],
    }


def _row_document(row: BacktestRow) -> dict[str, object]:
    worst = row.worst
    return {
        "row": row.letter or None,
        "what": row.what,
        "cases": [_case_document(case) for case in (row.cases if row.letter else ())],
        "n": len(row.cases),
        "median_error": row.median_error,
        "worst_error": worst.error if worst else None,
        "worst": worst.label if worst else None,
        "coverage": row.coverage,
        "linear_median_error": row.linear_error,
        "farm_median_error": row.farm_error,
        "misses": row.misses,
        "why_none": row.why_none or None,
    }


def _case_document(case: HeldOut) -> dict[str, object]:
    return {**asdict(case), "error": case.error, "linear_error": case.linear_error, "covered": case.covered}
