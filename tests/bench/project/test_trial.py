"""Real sleeping workers beside the event simulation: the same order of tasks, and nothing left running."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.base.errors import Unavailable
from bench.project.backtest import dispatch_trial
from bench.project.backtest.dispatch_trial import (
    SLEEPERS,
    Scheduler,
    calibrate,
    chain_priority,
    measure_s,
    predict_s,
    trials,
)
from bench.project.inputs.cluster import ClusterSample
from bench.project.model.events import simulate
from bench.project.model.graph import RENDER, make_tasks
from tests.bench.project.test_events import chain, independent


@pytest.mark.needs("os.fork")
def test_workers_sleep_side_by_side_and_a_chain_waits() -> None:
    side_s, chain_s = measure_s([independent([0.1] * 6), chain([0.02] * 10)], 6)
    assert side_s >= 0.1 and chain_s >= 0.2


def test_what_goes_first_is_what_the_event_simulation_takes_first() -> None:
    assert chain_priority(chain([3.0, 1.0, 2.0])).tolist() == [6.0, 3.0, 2.0]
    # Three tasks and a chain of three on two workers: only the chain first gives 3
    tasks = make_tasks(duration_s=[1.0] * 6, kind=[RENDER] * 6, edges=([3, 4], [4, 5]))
    for priority in (None, chain_priority(tasks)):
        assert simulate(tasks, ClusterSample(gpu_count=2), priority=priority).makespan_s == 3.0


def test_costs_of_the_scheduler_are_in_what_is_foretold() -> None:
    scheduler = Scheduler(dispatch_s=0.5, latency_s=0.25)
    assert predict_s(chain([1.0, 1.0]), 3, scheduler) == 3.5
    assert predict_s(independent([0.0] * 10), 100, scheduler) == 5.25


@pytest.mark.needs("os.fork")
def test_a_short_trial() -> None:
    scheduler = calibrate(4)
    assert scheduler.dispatch_s > 0.0 and scheduler.latency_s >= 0.0
    found = trials([1.0, 2.0, 1.5, 0.5], scheduler, case_s=0.2)
    assert [(trial.case, trial.workers) for trial in found] == [case[:2] for case in dispatch_trial.CASES]
    for trial in found:
        assert trial.measured_s >= max(trial.linear_s, trial.longest_s) * 0.999
        assert trial.predicted_s >= max(trial.linear_s, trial.longest_s) * 0.999
        assert len(trial.blind_s) == dispatch_trial.REPLICATES


@pytest.mark.needs("os.fork")
def test_no_worker_outlives_its_scheduler() -> None:
    sleepers = subprocess.Popen(
        [sys.executable, "-I", "-S", str(SLEEPERS), "3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert sleepers.stdin is not None and sleepers.stdout is not None
    sleepers.stdin.write(b'{"first": [0, 1], "edges": [[]], "needs": [0], "priority": [0.0], "duration_s": [0.0]}\n')
    sleepers.stdin.flush()
    assert float(sleepers.stdout.readline()) > 0.0
    children = Path(f"/proc/{sleepers.pid}/task/{sleepers.pid}/children")
    workers = [int(word) for word in children.read_text().split()] if children.exists() else None
    sleepers.kill()
    sleepers.communicate()
    if workers is None:
        pytest.skip("this system does not list a process's children")
    assert len(workers) == 3
    for worker in workers:
        for _ in range(500):
            if not _runs(worker):
                break
            time.sleep(0.01)
        assert not _runs(worker)


def _runs(process: int) -> bool:
    """Neither gone nor waiting for its parent to take note."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_workers_that_cannot_start_are_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dispatch_trial, "SLEEPERS", tmp_path / "nothing.py")
    with pytest.raises(Unavailable, match="could not run 2 workers"):
        measure_s([independent([0.0])], 2)
