"""A trial of the scheduler on disk: made by ``shotmark backtest --measure dispatch``, read by ``shotmark backtest``.

It is no record of a shot: real worker processes sleep as long as recorded frames took. One JSON file beside the series.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from bench.base.errors import UserError
from bench.base.files import load_json, make_folder, write_atomically
from bench.project.backtest.dispatch_trial import Trial, calibrate, trials
from bench.project.backtest.held_out import HeldOut
from bench.project.inputs.evidence import points_of, series_folder, series_records
from bench.record import machine
from bench.record.read import list_records
from bench.record.statistics import median

SCHEMA = 1
NAME = "dispatch_*.json"
TRIALS_MAX, BLIND_MAX = 100, 1000


def measure_dispatch(results: Path) -> Path:
    """Run the trial with the durations of the recorded frames and write it. Raises UserError without any."""
    records, _ = list_records(series_folder(results))
    points = points_of(series_records(records, "frames"), ("frame",))
    if len(points) < 8:
        raise UserError(f"{series_folder(results)}: expected a series of frames; shotmark backtest --measure frames")
    scheduler = calibrate()
    found = trials([p.seconds for p in points], scheduler)
    commit = machine.commit()
    now = datetime.now(UTC)
    document = {
        "kind": "dispatch trial",
        "schema": SCHEMA,
        "time": now.isoformat(),
        "machine": machine.describe()["id"],
        "commit": commit["id"],
        "clean": commit["clean"],
        "durations_from": sorted({p.source.rpartition("/")[2] for p in points}),
        "scheduler": vars(scheduler),
        "trials": [vars(trial) for trial in found],
    }
    folder = series_folder(results) / str(document["machine"])
    make_folder(folder)
    path = folder / f"dispatch_{now.strftime('%Y%m%d_%H%M%S')}.json"
    write_atomically(path, json.dumps(document, indent=1, allow_nan=False).encode() + b"\n")
    return path


def newest_trial(results: Path) -> Path | None:
    """The newest trial below a results folder."""
    return max(series_folder(results).glob(f"*/{NAME}"), key=lambda path: path.name, default=None)


def read_trial(path: Path) -> list[Trial]:
    """Read and validate a trial; raises UserError that names file, key and what was expected."""
    found = load_json(path)
    if not isinstance(found, dict) or found.get("kind") != "dispatch trial" or found.get("schema") != SCHEMA:
        raise UserError(f'{path}: kind, schema: expected "dispatch trial" and {SCHEMA}')
    rows = found.get("trials")
    if not isinstance(rows, list) or not 1 <= len(rows) <= TRIALS_MAX:
        raise UserError(f"{path}: trials: expected a list of 1 to {TRIALS_MAX}")
    return [_read(path, index, row) for index, row in enumerate(rows)]


def _read(path: Path, index: int, row: object) -> Trial:
    values: dict[str, object] = {}
    for field in fields(Trial):
        value = row.get(field.name) if isinstance(row, dict) else None
        if field.name == "case":
            good = isinstance(value, str) and 1 <= len(value) <= 40 and value.isprintable()
        elif field.name == "blind_s":
            good = isinstance(value, list) and 1 <= len(value) <= BLIND_MAX and all(map(_positive, value))
            value = tuple(value or ()) if good else value
        else:
            good = _positive(value)
        if not good:
            raise UserError(f"{path}: trials[{index}].{field.name}: expected a positive number, or text of the case")
        values[field.name] = value
    return Trial(**values)  # type: ignore[arg-type]  # each has just been validated


def _positive(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0.0 < value < 1e12


def trials_held_out(found: Sequence[Trial]) -> list[HeldOut]:
    """Each trial twice: foretold with the durations told, and with half of the recorded ones known only."""
    cases = []
    for trial in found:
        farm = ((trial.task_count - 1) * trial.mean_s + trial.longest_s) / trial.workers
        name = f"{trial.case}, {trial.task_count} on {trial.workers} workers"
        told, middle = trial.predicted_s, median(trial.blind_s) or 0.0
        blind = sorted(trial.blind_s)
        low, high = blind[len(blind) // 10], blind[-1 - len(blind) // 10]
        measured, linear = trial.measured_s, trial.linear_s
        cases.append(HeldOut("dispatch", f"{name}, told", told, None, None, measured, linear, farm))
        cases.append(HeldOut("dispatch", f"{name}, not told", middle, low, high, measured, linear, farm))
    return cases
