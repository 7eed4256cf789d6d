"""The backtest: one row a way of predicting, its errors on cases that it had not seen, and the bar that it has to meet.

Rows: (a) size, (b) frames, (c) workers, (d) dispatch, (e) a published series, (f) GPU, (g) farm. Everything is computed
from what lies in ``results/series/`` and ``results/farm/``, so that a reader gets the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.base.units import share
from bench.project.backtest.dispatch_file import newest_trial, read_trial, trials_held_out
from bench.project.backtest.farm_runs import farm_held_out, kept_runs
from bench.project.backtest.held_out import (
    WHOLE_FRAME,
    HeldOut,
    frames_held_out,
    processors_held_out,
    sizes_held_out,
    workers_held_out,
)
from bench.project.inputs.evidence import merged, points_of, series_folder, series_records
from bench.record.read import list_records
from bench.record.schema import STAGES, Record
from bench.record.statistics import median

MEDIAN_MOST, WORST_MOST = 0.10, 0.20  # the bar: errors
COVERAGE = (0.70, 0.90)  # and share of cases whose 80 % interval holds the truth
COVERAGE_CASES = 10  # with fewer cases a share says nothing


@dataclass(frozen=True)
class BacktestRow:
    """One way of predicting, with what it was tested on."""

    letter: str  # empty for all rows together
    what: str  # is predicted from what
    cases: tuple[HeldOut, ...]
    why_none: str = ""  # why there is no case

    @property
    def median_error(self) -> float | None:
        return median([abs(case.error) for case in self.cases])

    @property
    def worst(self) -> HeldOut | None:
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


def backtest(results: Path) -> list[BacktestRow]:
    """All rows; a row without data says why."""
    records, _ = list_records(series_folder(results))
    return [
        *_size_rows(records),
        BacktestRow("b", "frames: the shot from 3 to 15 pilot frames", *_cases(records, "frames", _frames)),
        BacktestRow("c", "workers: two processes from one", *_cases(records, "workers", _workers)),
        BacktestRow("d", "dispatch: sleeping workers from the event simulation", *_dispatch(results)),
        BacktestRow(
            "e", "a published ray-tracing series: 20 to 64 from up to 16 processors", tuple(processors_held_out())
        ),
        BacktestRow("f", "GPU: a large size from small ones and roofs", (), "no GPU record yet"),
        BacktestRow("g", "farm: a run foretold before it began", *_farm(results)),
    ]


def _cases(
    records: Sequence[Record], kind: str, make: Callable[[list[Record]], list[HeldOut]]
) -> tuple[tuple[HeldOut, ...], str]:
    chosen = series_records(records, kind)
    if not chosen:
        return (), f"no record: shotmark backtest --measure {kind}"
    cases = tuple(make(chosen))
    return cases, "" if cases else f"too few records: shotmark backtest --measure {kind}"


def _dispatch(results: Path) -> tuple[tuple[HeldOut, ...], str]:
    path = newest_trial(results)
    if path is None:
        return (), "no trial: shotmark backtest --measure dispatch"
    return tuple(trials_held_out(read_trial(path))), ""


def _farm(results: Path) -> tuple[tuple[HeldOut, ...], str]:
    cases = tuple(farm_held_out(kept_runs(results)))
    return cases, "" if cases else "no run: shotmark farm report OUT --keep"


def _size_rows(records: Sequence[Record]) -> list[BacktestRow]:
    """Whole frames and each stage by itself: a stage that takes a thousandth of a frame is timed that much worse."""
    cases, why = _cases(records, "sizes", lambda found: sizes_held_out(merged(points_of(found))))
    if not cases:
        return [BacktestRow("a", "size: the largest from the smaller ones", (), why)]
    names = {WHOLE_FRAME: f"{WHOLE_FRAME}: the largest from the smaller ones"}
    names |= {name: name for name in (f"size, {stage}" for stage in STAGES)}
    return [BacktestRow("a", text, tuple(case for case in cases if case.row == row)) for row, text in names.items()]


def _frames(records: list[Record]) -> list[HeldOut]:
    return frames_held_out(merged(points_of(records, (*STAGES, "frame"))))


def _workers(records: list[Record]) -> list[HeldOut]:
    alone = [record for record in records if record.run.get("workers") == 1]
    beside = [record for record in records if record.run.get("workers") == 2]
    if not alone or len(beside) < 2:
        return []
    stages = (*STAGES, "frame")
    return workers_held_out(points_of(alone[-1:], stages), [points_of([record], stages) for record in beside[-2:]])


def overall(found: Sequence[BacktestRow]) -> BacktestRow:
    """All cases of all rows as one."""
    return BacktestRow("", "all", tuple(case for result in found for case in result.cases))
