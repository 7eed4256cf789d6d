"""The pytest plugin that makes pytest-benchmark Shotmark's engine, and closes three holes of it.

* A row whose output did not verify is moved to ``rejected``: pytest-benchmark keeps the timing of a test that fails
  after timing, unmarked.
* The record is written after every round, atomically, not once at the end.
* The timer belongs to the back-end: its stamps subtract to seconds.

``measure`` runs the whole thing: cases and back-ends in, the written record's path out.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench import __version__
from bench.backend.protocol import Backend
from bench.base.errors import BudgetSpent, CheckFailed, ShotmarkError, Unavailable, UserError
from bench.base.files import dump
from bench.base.progress import Progress, Silent
from bench.measure.engine import ORDER, Replay, run_pytest
from bench.measure.meter import ShotCase, ShotMeter, work_digest
from bench.pipeline.frame import Makers
from bench.record import machine
from bench.record.schema import SCHEMA, STAGES
from bench.record.statistics import median
from bench.record.store import Slot, claim

LAPS = (*STAGES, "kernels", "resident")  # rows that are read back from the frame's rounds
GIVE_UP = (UserError, OSError, MemoryError)  # of the whole run, not of one shot


class Plugin:
    """Fixtures, order, timers and records of one run."""

    def __init__(self, meters: Sequence[ShotMeter], slot: Slot, run: dict[str, Any], progress: Progress) -> None:
        self.meters = {meter.identity: meter for meter in meters}
        self.slot = slot
        self.run = run
        self.progress = progress
        self.failure: BaseException | None = None
        self.complete = False
        self._replay = Replay()
        self._rows: dict[str, dict[str, Any]] = {}  # by name, as pytest-benchmark writes them
        self._rejected: dict[str, dict[str, Any]] = {}
        self.deadline: float | None = None  # of time.monotonic(): what is not done by then is left out
        self.left_out: list[str] = []  # identities
        self.more: dict[str, Any] = {}  # beside Shotmark's own fields in the record
        self._config: Any = None
        self._begun = datetime.now(UTC).isoformat()

    # --- collection: what is run, in which order, on which clock ---------------------------------
    def pytest_configure(self, config: Any) -> None:
        self._config = config

    def pytest_generate_tests(self, metafunc: Any) -> None:
        if "meter" in metafunc.fixturenames:
            names = list(self.meters)
            metafunc.parametrize("meter", names, ids=names, indirect=True)
        if "stage" in metafunc.fixturenames:
            metafunc.parametrize("stage", LAPS)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        place = {identity: index for index, identity in enumerate(self.meters)}
        items.sort(key=lambda item: (place[item.callspec.params["meter"]], ORDER.index(item.originalname)))
        for item in items:
            meter = self.meters[item.callspec.params["meter"]]
            group = f"{meter.case.shot_name}-{meter.case.size}"
            if item.originalname == "frame":
                item.add_marker(pytest.mark.benchmark(group=group, timer=_clock_of(meter.backend)))
            elif item.originalname == "stage":
                item.add_marker(pytest.mark.benchmark(group=group, timer=self._replay_clock))

    @pytest.fixture
    def meter(self, request: Any) -> ShotMeter:
        return self.meters[request.param]

    @pytest.fixture
    def shotmark(self) -> Plugin:
        return self

    @pytest.fixture
    def replay(self) -> Replay:
        return self._replay

    def _replay_clock(self) -> float:
        """Name that a row's ``options.timer`` shows: its seconds are laps of the frame's rounds."""
        return self._replay.read()

    # --- while it runs ---------------------------------------------------------------------------
    def pytest_runtest_setup(self, item: Any) -> None:
        meter = self.meters[item.callspec.params["meter"]]
        if item.originalname == "verify":
            self.progress.begin(meter.identity, meter.case.frame + 3 + (meter.case.rounds or 6))

    def progress_of(self, meter: ShotMeter) -> Callable[[str], None]:
        def step(text: str) -> None:
            if self._left_s() <= 0.0:
                raise BudgetSpent(meter.identity)
            self.progress.step(meter.identity, text)

        return step

    def _left_s(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def plan_rounds(self, meter: ShotMeter, rounds: int) -> int:
        """Rounds that there is still time for, at least one; each may be done twice, and is proved."""
        if self.deadline is not None and meter.last_frame_s > 0.0:
            rounds = max(1, min(rounds, int(self._left_s() / (3.0 * meter.last_frame_s))))
        self.progress.replan(meter.identity, rounds)
        return rounds

    def keeper_of(self, meter: ShotMeter, warm_up_rounds: int) -> Callable[[], None]:
        """What follows each round, outside the clock: prove it, keep it, save it."""
        left = warm_up_rounds

        def keep() -> None:
            nonlocal left
            if left > 0:
                left -= 1
                meter.prove()
                return
            meter.keep()
            self.progress.step(meter.identity, f"round {len(meter.result.rounds)}")
            self._save_partial(meter)

        return keep

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        """Note what became of a test; the report itself is pytest's."""
        if call.when == "teardown":
            return
        meter = self.meters[item.callspec.params["meter"]]
        name = item.originalname
        if call.excinfo is not None:
            self._note_failure(meter, item, call.excinfo.value)
        elif call.when == "call" and name in ("frame", "stage"):
            self._keep(meter, item.funcargs["benchmark"].stats, item.callspec.params.get("stage", "frame"))
            if item.callspec.params.get("stage") == LAPS[-1]:
                self.progress.end(meter.identity, meter.result.verified or "not verified")
                meter.release()

    def _note_failure(self, meter: ShotMeter, item: Any, error: BaseException) -> None:
        """A failed check rejects the shot's rows; anything that is not about this shot ends the run."""
        if isinstance(error, GIVE_UP) or not isinstance(error, Exception):
            self.failure = error
            item.session.shouldstop = "the run cannot go on"
            if not isinstance(error, OSError):
                self.save()
            return
        if isinstance(error, BudgetSpent):
            self.left_out.append(meter.identity)
            meter.result.left_out = True
            self.progress.end(meter.identity, "no time left")
            meter.release()
            return
        if meter.result.left_out:
            return
        first = meter.result.rejected is None
        meter.result.rejected = meter.result.rejected or _one_line(error)
        meter.result.verified = None
        meter.result.unavailable = meter.result.unavailable or isinstance(error, Unavailable)
        if not isinstance(error, ShotmarkError):
            self.failure = self.failure or error  # a defect of ours: the traceback is wanted
        stage = item.callspec.params.get("stage", item.originalname)
        self._reject(meter, "frame" if stage == "verify" else stage)
        if first:
            self.progress.end(meter.identity, meter.result.rejected)
            meter.release()
            with contextlib.suppress(Unavailable):  # a device that has gone holds nothing
                meter.backend.release()
            self.save()

    def keep_earlier(self, rows: Sequence[dict[str, Any]], rejected: Sequence[dict[str, Any]]) -> None:
        """Rows of a record that is gone on with."""
        self._rows = {row["name"]: row for row in rows}
        self._rejected = {str(index): entry for index, entry in enumerate(rejected)}

    # --- rows ------------------------------------------------------------------------------------
    def _extra(self, meter: ShotMeter, stage: str) -> dict[str, Any]:
        result, first = meter.result, meter.result.first
        return {
            "shot": meter.case.shot_name,
            "size": meter.case.size,
            "backend": meter.backend.name,
            "threads": meter.backend.threads,
            "stage": stage,
            "frame": meter.case.frame,
            "verified": result.verified,
            "state_sha256": first.state_sha256 if first else None,
            "picture_sha256": first.picture_sha256 if first else None,
            "work": first.work if first else {},
            "work_sha256": work_digest(first.work) if first else None,
            "cold_s": result.cold_s.get(stage),
            "compile_s": result.compile_s if stage == "frame" else None,
            "kernels_s": result.kernels_s() if stage == "kernels" else None,
            "device": meter.backend.device_name,
            "cache": "warm",  # as the frame before left it
            "transfer_s": median([done.transfer_s for done in result.good_rounds]) if stage == "encode" else None,
            "sm_clock_hz": [done.sm_clock_hz for done in result.good_rounds] if stage == "frame" else None,
            "joules": [done.joules for done in result.good_rounds] if stage == "frame" else None,
            # Seconds of rounds far below full clock: they are in no figure
            "throttled_s": [done.seconds[stage] for done in result.rounds if done not in result.good_rounds],
        }

    def _keep(self, meter: ShotMeter, metadata: Any, stage: str) -> None:
        """Take one row over from pytest-benchmark."""
        if meter.result.verified is None:
            self._reject(meter, stage)
            return
        row = metadata.as_dict(include_data=True)
        if any(done.throttled for done in meter.result.rounds):
            row["stats"] = _stats(meter.result.samples_s(stage))
        row["params"] = {"shot": meter.identity, "stage": stage}
        row["extra_info"] = self._extra(meter, stage)
        self._rows[row["name"]] = row
        self.save()

    def _save_partial(self, meter: ShotMeter) -> None:
        """Write the rounds so far of a frame that is still being timed: a killed run loses the round in progress."""
        rows = {}
        for stage in (*LAPS, "frame"):
            name = f"frame[{meter.identity}]" if stage == "frame" else f"stage[{meter.identity}-{stage}]"
            rows[name] = {
                "group": f"{meter.case.shot_name}-{meter.case.size}",
                "name": name,
                "fullname": f"bench/measure/suite.py::{name}",
                "params": {"shot": meter.identity, "stage": stage},
                "param": meter.identity,
                "extra_info": self._extra(meter, stage),
                "options": {},
                "stats": _stats(meter.result.samples_s(stage)),
            }
        kept = {name: row for name, row in self._rows.items() if name not in rows}
        self.save({**kept, **rows})

    def _reject(self, meter: ShotMeter, stage: str) -> None:
        """Note a row that did not verify; no seconds go with it."""
        first = meter.result.first
        for name in [name for name, row in self._rows.items() if row["params"]["shot"] == meter.identity]:
            del self._rows[name]
        self._rejected[f"{meter.identity}-{stage}"] = {
            "shot": meter.case.shot_name,
            "size": meter.case.size,
            "backend": meter.backend.name,
            "threads": meter.backend.threads,
            "stage": stage,
            "frame": meter.case.frame,
            "reason": meter.result.rejected or "not verified",
            "state_sha256": first.state_sha256 if first else None,
            "picture_sha256": first.picture_sha256 if first else None,
            "expected": meter.case.expected,
            "unavailable": meter.result.unavailable,
        }

    def document(self, rows: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
        """The record as it stands, made by pytest-benchmark's own hook."""
        document: dict[str, Any] = self._config.hook.pytest_benchmark_generate_json(
            config=self._config,
            benchmarks=[],
            include_data=True,
            machine_info=machine.pytest_benchmark_view(machine.describe()),
            commit_info=machine.pytest_benchmark_commit(machine.commit()),
        )
        document["benchmarks"] = list((self._rows if rows is None else rows).values())
        document["shotmark"] = {
            "schema": SCHEMA,
            "version": __version__,
            "complete": self.complete,
            "begun": self._begun,
            "run": self.run,
            "peak_memory_bytes": machine.peak_memory_bytes(),
            "rejected": list(self._rejected.values()),
            **self.more,
        }
        return document

    def save(self, rows: dict[str, dict[str, Any]] | None = None) -> None:
        """Write the record as it stands, once there is something to tell."""
        document = self.document(rows)
        if document["benchmarks"] or self._rejected:
            self.slot.write(dump(document))

    def pytest_sessionfinish(self) -> None:
        if isinstance(self.failure, OSError):
            return  # what could be written is there; a full disk does not get fuller
        self.complete = self.failure is None and all(
            meter.result.verified or meter.result.rejected or meter.result.left_out for meter in self.meters.values()
        )
        self.save()


def _identity(case: ShotCase, backend: Backend, backends: Sequence[Backend]) -> str:
    """Name of a shot on a back-end; with the threads where the run has the same one with others."""
    alike = [other for other in backends if other.name == backend.name]
    threads = f"-{backend.threads}t" if alike[0] is not backend else ""
    return f"{case.identity(backend)}{threads}"


def _clock_of(backend: Backend) -> Callable[[], Any]:
    """The back-end's clock under the name that a row shows as its timer."""

    def clock() -> Any:
        return backend.clock()

    clock.__name__ = clock.__qualname__ = f"{backend.name}_clock"
    return clock


def _stats(samples_s: list[float]) -> dict[str, Any]:
    """A row's ``stats``, by pytest-benchmark's own class."""
    from pytest_benchmark.stats import Stats

    stats = Stats()
    for sample in samples_s:
        stats.update(sample)
    return {**copy.copy(stats.as_dict()), "data": list(samples_s), "iterations": 1}


def _one_line(error: BaseException) -> str:
    text = str(error) if isinstance(error, ShotmarkError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:300]


def measure(
    cases: Sequence[ShotCase],
    backends: Sequence[Backend],
    makers: Makers,
    results: Path,
    run: dict[str, Any],
    progress: Progress | None = None,
) -> Slot:
    """Verify and time every case on every back-end, interleaved by shot; returns where the record lies.

    Raises what ended the run early (KeyboardInterrupt, OSError, UserError) after saving what was finished, and
    CheckFailed when nothing at all could be recorded. A shot that did not verify is in the record's ``rejected``.
    """
    slot = new_slot(results)
    plugin = measure_into(slot, cases, backends, makers, results, run, progress)
    if not slot.path.exists():
        raise CheckFailed("nothing was recorded")
    assert plugin.failure is None
    return slot


def new_slot(results: Path) -> Slot:
    """A place for a record of this machine and commit."""
    tag = f"{(machine.commit()['id'] or 'unversioned')[:40]}_{datetime.now(UTC).strftime('%Y%m%d_%H%M%S')}"
    return claim(results / machine.describe()["id"], tag)


def measure_into(
    slot: Slot,
    cases: Sequence[ShotCase],
    backends: Sequence[Backend],
    makers: Makers,
    results: Path,
    run: dict[str, Any],
    progress: Progress | None = None,
    deadline: float | None = None,
    more: dict[str, Any] | None = None,
    kept: tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]] = ((), ()),
) -> Plugin:
    """The same into a record that may have been begun: ``kept`` are its rows and its rejected ones, which stay."""
    meters = [
        ShotMeter(case, backend, makers, slot.pictures, _identity(case, backend, backends))
        for case in cases
        for backend in backends
    ]
    plugin = Plugin(meters, slot, run, progress or Silent())
    plugin.deadline, plugin.more = deadline, more or {}
    plugin.keep_earlier(*kept)
    try:
        run_pytest(plugin, results)
    finally:
        slot.release()
    if plugin.failure is not None:
        raise plugin.failure
    return plugin
