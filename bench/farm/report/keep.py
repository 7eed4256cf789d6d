"""A farm run as ``results/farm/`` keeps it: what was foretold before it began, beside what it took."""

from __future__ import annotations

from datetime import UTC, datetime

from bench import __version__
from bench.base.errors import UserError
from bench.farm.report.actual import FIGURES
from bench.farm.report.compare import Report
from bench.project.backtest.farm_runs import FarmFigures, FarmProjected, FarmRun, Faults, Interval
from bench.shot.sizes import SIZE_NAMES


def kept(found: Report) -> FarmRun:
    """Raises UserError where the run did not come to its end, or its projection was not written before its tasks."""
    it, actual = found.foretold, found.actual
    if actual.outcome != "done":
        raise UserError(f"--keep: expected a run that came to its end, this one is {actual.outcome}")
    begun = [task.begun_s or task.at_s for task in actual.tasks] + [one.begun_s for one in actual.made]
    first_s = min(begun, default=actual.began_s)
    if it.at_s > first_s:
        late = f"this one was written {it.at_s - first_s:.0f} s later"
        raise UserError(f"--keep: expected a projection from before the first task, {late}")
    if it.size not in SIZE_NAMES:
        raise UserError(f"--keep: expected one of the sizes {', '.join(SIZE_NAMES)}, got {it.size!r}")
    if not it.linear_s or not it.farm_formula_s or not actual.figures["makespan_s"]:
        raise UserError("--keep: expected a projection with linear_s and farm_formula_s, and a run that took some time")
    spans = {name: Interval(**getattr(it, name).model_dump()) for name in FIGURES}
    return FarmRun(
        began=datetime.fromtimestamp(actual.began_s, UTC).isoformat(timespec="seconds"),
        version=__version__,
        site=it.site,
        shot=it.shot,
        size=it.size,  # type: ignore[arg-type]  # one of SIZE_NAMES
        samples=it.samples,
        frames=len(it.frames),
        pieces=it.pieces,
        workers=it.workers,
        cores=it.cores,
        threads=it.threads,
        sessions=len(actual.clock.sessions),
        faults=Faults(**actual.faults),
        retried=actual.retried,
        stands_on=tuple(line[:300] for line in it.stands_on),
        assumed=tuple(line[:300] for line in it.assumed),
        projected=FarmProjected(**spans),
        actual=FarmFigures(**actual.figures),  # type: ignore[arg-type]  # the makespan is known
        learned=it.learned,
        linear_s=it.linear_s,
        farm_formula_s=it.farm_formula_s,
    )
