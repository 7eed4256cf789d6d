"""Farm runs that were foretold before they began: a small file each in ``results/farm/``, by ``farm report --keep``.

A run's projection was written before its first task; the file holds it beside what the run took. Runs with faults are
runs: nobody had told the projection of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.base.errors import UserError
from bench.base.files import dump, load_json, make_folder, write_atomically
from bench.project.backtest.held_out import HeldOut
from bench.shot.load import shown
from bench.shot.problem import Got, Problem
from bench.shot.quantities import FROM_LIST
from bench.shot.table import UNIT, Table, validate

SCHEMA = 1
KIND = "farm run"
FOLDER = "farm"  # below the results
FILE_BYTES_MAX = 2**20
NAME = "text of 1 to 120 printable characters"
PLAIN = r"^[^\p{C}\p{Zl}\p{Zp}]*$"

Name = Annotated[str, Field(min_length=1, max_length=120, pattern=PLAIN, description=NAME)]
Line = Annotated[str, Field(max_length=300, pattern=PLAIN, description="text of at most 300 printable characters")]
Lines = Annotated[tuple[Line, ...], Field(max_length=1000), FROM_LIST]
Seconds = Annotated[float, Field(ge=0.0, le=1e9, json_schema_extra={UNIT: "s"})]
Positive = Annotated[float, Field(ge=1e-3, le=1e9, json_schema_extra={UNIT: "s"})]
Count = Annotated[int, Field(ge=1, le=100_000_000)]
Often = Annotated[int, Field(ge=0, le=100_000_000)]


class Interval(Table):
    """A figure over all draws; null where some of them never end."""

    p10: Seconds | None = Field(description="a tenth of the draws lies below it")
    p50: Seconds | None = Field(description="half of them")
    p90: Seconds | None = Field(description="all but a tenth")


class FarmFigures(Table):
    """What a run took; null is not known. Sums are worker-seconds over all tasks."""

    makespan_s: Positive = Field(description="from the begin to the manifest")
    chain_s: Seconds | None = Field(description="the simulation, first frame to last")
    wait_s: Seconds | None = Field(description="of all frames, from the state until the picture was begun")
    dispatch_s: Seconds | None = Field(description="handing out and taking back")
    start_s: Seconds | None = Field(description="start-up of workers, scenes")
    load_s: Seconds | None = Field(description="loading states")
    render_s: Seconds | None = Field(description="surface and trace")
    write_s: Seconds | None = Field(description="encoding and writing")
    utilisation: Annotated[float, Field(ge=0.0, le=100.0)] | None = Field(description="share of the workers' time")


class FarmProjected(Table):
    """The same figures as they were foretold."""

    makespan_s: Interval
    chain_s: Interval
    wait_s: Interval
    dispatch_s: Interval
    start_s: Interval
    load_s: Interval
    render_s: Interval
    write_s: Interval
    utilisation: Interval


class Faults(Table):
    """Tasks that did not come back well, by what became of them."""

    failed: Often = Field(default=0, description="an error was said")
    lost: Often = Field(default=0, description="its worker was gone")
    hung: Often = Field(default=0, description="it took longer than its limit")
    elsewhere: Often = Field(default=0, description="handed on to another worker")


class FarmRun(Table):
    """One kept run."""

    began: Name = Field(description="a time with its zone, such as 2026-11-30T15:00:00+00:00")
    version: Name = Field(description=f"{NAME}: version of Shotmark")
    site: Name
    shot: Name
    size: Literal["S", "M", "L", "XL"] = Field(description="of the shot")
    samples: Count | None = Field(description="of a pixel")
    frames: Count = Field(description="that were rendered")
    pieces: Count | None = Field(description="of every frame, where it was asked for")
    workers: Count = Field(description="of the site")
    cores: Count = Field(description="of the site, of each machine once")
    threads: Count = Field(description="of a worker")
    sessions: Count = Field(description="1, and one more each time it was taken up again")
    faults: Faults
    retried: Often = Field(description="tasks that were made again and came back well")
    stands_on: Lines = Field(description="what the projection stood on")
    assumed: Lines = Field(description="what it assumed")
    projected: FarmProjected
    actual: FarmFigures
    learned: Annotated[float, Field(ge=0.01, le=100.0)] = Field(
        default=1.0, description="factor on the projection from what is in no model, earlier runs among it"
    )
    linear_s: Positive = Field(description="the work over the workers")
    farm_formula_s: Positive = Field(description="(pending x mean + slowest) / running")

    @property
    def fault_count(self) -> int:
        return sum(vars(self.faults).values())

    @property
    def label(self) -> str:
        of = f"{self.shot} {self.size}, {self.frames} frame{'s' * (self.frames != 1)}"
        cut = f" in {self.pieces} parts" if self.pieces and self.pieces > 1 else ""
        wrong = self.fault_count
        faults = f", {wrong} fault{'s' * (wrong != 1)}" if wrong else ""
        return f"{of}{cut} on {self.site}, {self.workers} workers{faults}"

    def document(self) -> dict[str, object]:
        """What its file holds."""
        return {"kind": KIND, "schema": SCHEMA, **self.model_dump(mode="json")}

    def validate_together(self) -> None:
        try:
            zone = datetime.fromisoformat(self.began).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            raise Problem("began", "a time with its zone, such as 2026-11-30T15:00:00+00:00", self.began)


def farm_folder(results: Path) -> Path:
    """Where the kept runs of a results folder lie."""
    return results / FOLDER


def keep_run(run: FarmRun, results: Path) -> Path:
    """Write a run, named by when it began, and return its path. Raises UserError where another has the name.

    A name that begins with a number would be a record's.
    """
    began = datetime.fromisoformat(run.began).strftime("%Y%m%d_%H%M%S")
    folder = farm_folder(results)
    make_folder(folder)
    path = folder / f"run_{began}_{_word(run.site)}_{_word(run.shot)}-{run.size}.json"
    content = dump(run.document())
    if path.exists() and path.read_bytes() != content:
        raise UserError(f"{shown(str(path))}: expected no such file or the same run, found another")
    write_atomically(path, content)
    return path


def _word(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in text)[:40] or "-"


def read_run(path: Path) -> FarmRun:
    """Read a kept run from a file that may be anything; raises UserError: file, key, what was expected."""
    found, name = load_json(path, FILE_BYTES_MAX), shown(str(path))
    try:
        if not isinstance(found, dict) or found.get("kind") != KIND:
            raise Problem("kind", f'"{KIND}"', found.get("kind", Got("nothing")) if isinstance(found, dict) else found)
        if found.get("schema") != SCHEMA or isinstance(found.get("schema"), bool):
            raise Problem("schema", str(SCHEMA), found.get("schema", Got("nothing")))
        return validate(FarmRun, {key: value for key, value in found.items() if key not in ("kind", "schema")})
    except Problem as problem:
        raise UserError(f"{name}: {problem}") from None


def kept_runs(results: Path) -> list[FarmRun]:
    """All kept runs, the oldest first; raises UserError where one cannot be read."""
    return [read_run(path) for path in sorted(farm_folder(results).glob("*.json"))]


def farm_held_out(runs: Sequence[FarmRun]) -> list[HeldOut]:
    """Of each run that was foretold to end: its makespan."""
    cases = []
    for run in runs:
        foretold = run.projected.makespan_s
        if foretold.p50 is not None:
            simpler = run.linear_s, run.farm_formula_s
            span = foretold.p10, foretold.p90
            cases.append(HeldOut("farm", run.label, foretold.p50, *span, run.actual.makespan_s, *simpler))
    return cases
