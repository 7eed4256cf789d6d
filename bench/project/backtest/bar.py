"""The backtest: one row a way of predicting, its errors on cases that it had not seen, and the bar that it has to meet.

Rows: (a) size, (b) frames, (c) workers, (d) dispatch, (e) a published series, (f) GPU. Everything is computed
from what lies in ``results/series/``, so that a reader gets the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.base.console import new_table
from bench.base.units import share
from bench.project.backtest.cases import WHOLE_FRAME, Case, frame_cases, raytracer_cases, size_cases, worker_cases
from bench.project.backtest.dispatch_file import dispatch_cases, newest_trial, read_trial
from bench.project.backtest.series import folder_of
from bench.project.inputs.evidence import merged, points_of, series_records
from bench.record.read import list_records
from bench.record.schema import STAGES, Record
from bench.record.statistics import median

MEDIAN_MOST, WORST_MOST = 0.10, 0.20  # the bar: errors
COVERAGE = (0.70, 0.90)  # and share of cases whose 80 % interval holds the truth
COVERAGE_CASES = 10  # with fewer cases a share says nothing
COLUMNS = ("cases", "median error", "worst", "80 % interval holds", "linear scaling", "farm formula")  # of numbers


@dataclass(frozen=True)
class Result:
    """One row of the table."""

    letter: str
    what: str
    cases: tuple[Case, ...]
    why_none: str = ""  # why there is no case

    @property
    def median_error(self) -> float | None:
        return median([abs(case.error) for case in self.cases])

    @property
    def worst(self) -> Case | None:
        return max(self.cases, key=lambda case: abs(case.error), default=None)

    @property
    def coverage(self) -> float | None:
        return sum(self.held) / len(self.held) if self.held else None

    @property
    def held(self) -> list[bool]:
        """Of each case with an interval, whether the truth lay in it."""
        return [case.covered for case in self.cases if case.covered is not None]

    @property
    def linear_error(self) -> float | None:
        return median([abs(case.linear_error) for case in self.cases])

    @property
    def farm_error(self) -> float | None:
        return median([abs(case.farm_error) for case in self.cases if case.farm_error is not None])

    @property
    def misses(self) -> list[str]:
        """Which parts of the bar this row does not meet."""
        found = []
        middle, worst, coverage = self.median_error, self.worst, self.coverage
        if middle is not None and middle > MEDIAN_MOST:
            found.append(f"median {share(middle)}")
        if worst is not None and abs(worst.error) > WORST_MOST:
            over = sum(abs(case.error) > WORST_MOST for case in self.cases)
            found.append(f"{over} of {len(self.cases)} over 20 %")
        enough = len(self.held) >= COVERAGE_CASES
        if coverage is not None and enough and not COVERAGE[0] <= coverage <= COVERAGE[1]:
            found.append(f"interval holds {share(coverage)}")
        return found


def backtest(results: Path) -> list[Result]:
    """All rows; a row without data says why."""
    records, _ = list_records(folder_of(results))
    return [
        *_size_rows(records),
        Result("b", "frames: the shot from 3 to 15 pilot frames", *_cases(records, "frames", _frames)),
        Result("c", "workers: two processes from one", *_cases(records, "workers", _workers)),
        Result("d", "dispatch: sleeping workers from the event simulation", *_dispatch(results)),
        Result("e", "a published ray-tracing series: 20 to 64 from up to 16 processors", tuple(raytracer_cases())),
        Result("f", "GPU: a large size from small ones and roofs", (), "no GPU record yet"),
    ]


def _cases(
    records: Sequence[Record], kind: str, make: Callable[[list[Record]], list[Case]]
) -> tuple[tuple[Case, ...], str]:
    chosen = series_records(records, kind)
    if not chosen:
        return (), f"no record: shotmark backtest --measure {kind}"
    cases = tuple(make(chosen))
    return cases, "" if cases else f"too few records: shotmark backtest --measure {kind}"


def _dispatch(results: Path) -> tuple[tuple[Case, ...], str]:
    path = newest_trial(results)
    if path is None:
        return (), "no trial: shotmark backtest --measure dispatch"
    return tuple(dispatch_cases(read_trial(path))), ""


def _size_rows(records: Sequence[Record]) -> list[Result]:
    """Whole frames and each stage by itself: a stage that takes a thousandth of a frame is timed that much worse."""
    cases, why = _cases(records, "sizes", lambda found: size_cases(merged(points_of(found))))
    if not cases:
        return [Result("a", "size: the largest from the smaller ones", (), why)]
    names = {WHOLE_FRAME: f"{WHOLE_FRAME}: the largest from the smaller ones"}
    names |= {name: name for name in (f"size, {stage}" for stage in STAGES)}
    return [Result("a", text, tuple(case for case in cases if case.row == row)) for row, text in names.items()]


def _frames(records: list[Record]) -> list[Case]:
    return frame_cases(merged(points_of(records, (*STAGES, "frame"))))


def _workers(records: list[Record]) -> list[Case]:
    alone = [record for record in records if record.run.get("workers") == 1]
    beside = [record for record in records if record.run.get("workers") == 2]
    if not alone or len(beside) < 2:
        return []
    stages = (*STAGES, "frame")
    return worker_cases(points_of(alone[-1:], stages), [points_of([record], stages) for record in beside[-2:]])


def overall(found: Sequence[Result]) -> Result:
    """All cases of all rows as one."""
    return Result("", "all", tuple(case for result in found for case in result.cases))


def document(found: Sequence[Result]) -> dict[str, Any]:
    """What --json prints."""
    return {
        "kind": "backtest",
        "bar": {"median_error": MEDIAN_MOST, "worst_error": WORST_MOST, "coverage": list(COVERAGE)},
        "rows": [_row(result) for result in (*found, overall(found))],
    }


def _row(result: Result) -> dict[str, Any]:
    worst = result.worst
    return {
        "row": result.letter or None,
        "what": result.what,
        "cases": [
            {**vars(case), "error": case.error, "linear_error": case.linear_error, "covered": case.covered}
            for case in (result.cases if result.letter else ())
        ],
        "n": len(result.cases),
        "median_error": result.median_error,
        "worst_error": worst.error if worst else None,
        "worst": worst.label if worst else None,
        "coverage": result.coverage,
        "linear_median_error": result.linear_error,
        "farm_median_error": result.farm_error,
        "misses": result.misses,
        "why_none": result.why_none or None,
    }


def tables(found: Sequence[Result]) -> list[Any]:
    """The table, and beneath it what does not meet the bar."""
    table = new_table(("predicted",), COLUMNS, ("bar",))
    for cells in cells_of(found):
        table.add_row(*cells)
    lines: list[Any] = [table, ""]
    for result in found:
        for case in sorted(result.cases, key=lambda case: -abs(case.error)):
            if abs(case.error) > WORST_MOST:
                lines.append(f"({result.letter}) {case.label}: off by {_signed(case.error)}")
    lines.append("linear scaling: in proportion to the work. farm formula: (pending x mean + slowest) / running.")
    return lines


def cells_of(found: Sequence[Result]) -> list[tuple[str, ...]]:
    """The table's text, for the terminal and for Markdown."""
    rows: list[tuple[str, ...]] = []
    for result in (*found, overall(found)):
        name = f"({result.letter}) {result.what}" if result.letter else result.what
        if not result.cases:
            rows.append((name, "0", "", "", "", "", "", result.why_none))
            continue
        worst = result.worst
        rows.append(
            (
                name,
                str(len(result.cases)),
                share(result.median_error),
                _signed(worst.error) if worst else "",
                share(result.coverage),
                share(result.linear_error),
                share(result.farm_error) if result.farm_error is not None else "",
                "; ".join(result.misses) or "met",
            )
        )
    return rows


def _signed(value: float) -> str:
    return f"{100.0 * value:+.1f} %"
