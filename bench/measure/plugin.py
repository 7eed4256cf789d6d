"""The pytest plugin that makes pytest-benchmark Shotmark's engine, and closes three holes of it.

* A row whose output did not verify is moved to ``rejected``: pytest-benchmark keeps the timing of a test that fails
  after timing, unmarked.
* The record is written after every round, atomically, not once at the end.
* The timer belongs to the back-end: its stamps subtract to seconds.

``measure`` runs the whole thing: cases and back-ends in, the written record's path out.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.backend.protocol import Backend
from bench.base import units
from bench.base.errors import BudgetSpent, CheckFailed, ShotmarkError, Unavailable, UserError
from bench.base.progress import Progress, Silent
from bench.measure.engine import ORDER, run_pytest
from bench.measure.meter import ShotCase, ShotMeter
from bench.measure.rows import group_of, rejected_of, rows_of
from bench.pipeline.frame import Makers
from bench.record import machine
from bench.record.store import Slot, claim
from bench.record.write import Draft

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

GIVE_UP = (UserError, OSError, MemoryError)  # of the whole run, not of one shot


class Plugin:
    """Fixtures, order and timers of one run; what it measures goes into the record's draft."""

    def __init__(
        self, meters: Sequence[ShotMeter], draft: Draft, progress: Progress, deadline: float | None = None
    ) -> None:
        self.meters = {meter.identity: meter for meter in meters}
        self.draft = draft
        self.progress = progress
        self.deadline = deadline  # of time.monotonic(): what is not done by then is left out
        # Set in a hook: pytest takes exceptions to itself, and what ended the run has to outlive it
        self.failure: BaseException | None = None
        self.now: ShotMeter | None = None  # what is measured
        for meter in meters if deadline is not None else ():
            meter.between = self._go_on

    @property
    def left_out(self) -> list[str]:
        """Identities of what there was no time for."""
        return [identity for identity, meter in self.meters.items() if meter.result.left_out]

    @property
    def complete(self) -> bool:
        """Whether every shot came to its end, good or bad."""
        results = [meter.result for meter in self.meters.values()]
        return self.failure is None and all(r.verified or r.rejected or r.left_out for r in results)

    # --- collection: what is run, in which order, on which clock ---------------------------------
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "meter" in metafunc.fixturenames:
            names = list(self.meters)
            metafunc.parametrize("meter", names, ids=names, indirect=True)

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        place = {identity: index for index, identity in enumerate(self.meters)}
        items.sort(key=lambda item: (place[self._meter_of(item).identity], ORDER.index(item.originalname)))
        for item in items:
            meter = self._meter_of(item)
            if item.originalname == "frame":
                item.add_marker(pytest.mark.benchmark(group=group_of(meter), timer=_clock_of(meter.backend)))

    def _meter_of(self, item: pytest.Function) -> ShotMeter:
        return self.meters[str(item.callspec.params["meter"])]

    @pytest.fixture
    def meter(self, request: pytest.FixtureRequest) -> ShotMeter:
        return self.meters[request.param]

    @pytest.fixture
    def shotmark(self) -> Plugin:
        return self

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Ctrl-C, or a signal that means the same: pytest would forget which."""
        ours = isinstance(excinfo.value, pytest.Session.Interrupted)  # after ``shouldstop``
        if self.failure is None and isinstance(excinfo.value, KeyboardInterrupt) and not ours:
            self.failure = excinfo.value

    # --- while it runs ---------------------------------------------------------------------------
    def pytest_runtest_setup(self, item: pytest.Function) -> None:
        self.now = meter = self._meter_of(item)
        if item.originalname == "verify":
            self.progress.begin(meter.identity, meter.case.frame + 3 + (meter.case.rounds or 6))

    def progress_of(self, meter: ShotMeter) -> Callable[[str], None]:
        return self._listener(meter, self.progress.step)

    def within_of(self, meter: ShotMeter) -> Callable[[str], None]:
        """What hears how far a long step has come."""
        return self._listener(meter, self.progress.within)

    def _listener(self, meter: ShotMeter, say: Callable[[str, str], None]) -> Callable[[str], None]:
        """Says a text of a shot's; ends the shot where no time is left."""

        def listen(text: str) -> None:
            self._go_on()
            say(meter.identity, text)

        return listen

    def _go_on(self, share: float = 0.0) -> None:
        """Raise BudgetSpent after the deadline; ``share`` of a picture is traced."""
        if self._left_s() <= 0.0:
            raise BudgetSpent(f"{units.share(share)} of a picture" if share else "no time left")

    def _left_s(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def plan_rounds(self, meter: ShotMeter, rounds: int) -> int:
        """Rounds that there is still time for, at least one; each may be done twice, and is proved."""
        if self.deadline is not None and meter.last_frame_s > 0.0:
            rounds = max(1, min(rounds, int(self._left_s() / (3.0 * meter.last_frame_s))))
        self.progress.replan(meter.identity, rounds)
        return rounds

    def keeper_of(self, meter: ShotMeter, warm_up_rounds: int, benchmark: BenchmarkFixture) -> Callable[[], None]:
        """What follows each round, outside the clock: prove it, keep it, save it. A killed run loses the round in
        progress.
        """
        left = warm_up_rounds

        def keep() -> None:
            nonlocal left
            if left > 0:
                left -= 1
                meter.prove()
                return
            meter.keep()
            self.progress.step(meter.identity, f"round {len(meter.result.rounds)}")
            assert benchmark.stats is not None  # pedantic has made them
            self.draft.rows[meter.identity] = rows_of(meter, benchmark.stats.as_dict(stats=False)["options"])
            self.draft.save()

        return keep

    def pytest_runtest_makereport(self, item: pytest.Function, call: pytest.CallInfo[None]) -> None:
        """Note what became of a test; the report itself is pytest's."""
        if call.when == "teardown":
            return
        meter = self._meter_of(item)
        if call.excinfo is not None:
            self._note_failure(meter, item, call.excinfo.value)
        elif call.when == "call" and item.originalname == "frame":
            self.progress.end(meter.identity, meter.result.verified or "not verified")
            meter.release()

    def _note_failure(self, meter: ShotMeter, item: pytest.Function, error: BaseException) -> None:
        """A failed check rejects the shot's rows; anything that is not about this shot ends the run."""
        result = meter.result
        if isinstance(error, GIVE_UP) or not isinstance(error, Exception):
            self.failure = error
            item.session.shouldstop = "the run cannot go on"
            return
        if isinstance(error, BudgetSpent):
            result.left_out = True
            self.progress.end(meter.identity, "no time left")
            meter.release()
            return
        if result.left_out or result.rejected is not None:
            return  # of a test that found no proof
        if not isinstance(error, ShotmarkError):
            self.failure = self.failure or error  # a defect of ours: the traceback is wanted
        self._reject(meter, _one_line(error), isinstance(error, Unavailable))
        self.progress.end(meter.identity, _one_line(error))
        meter.release()
        with contextlib.suppress(Unavailable):  # a device that has gone holds nothing
            meter.backend.release()
        self.draft.save()

    def _reject(self, meter: ShotMeter, reason: str, unavailable: bool) -> None:
        meter.result.rejected, meter.result.verified, meter.result.unavailable = reason, None, unavailable
        self.draft.reject(meter.identity, rejected_of(meter))

    def last_words(self, reason: str) -> None:
        """Save what is known, from another thread: this one never comes back from the GPU's driver."""
        if self.now is not None:
            self._reject(self.now, reason, unavailable=True)
            self.draft.save()


def _identity(case: ShotCase, backend: Backend, backends: Sequence[Backend]) -> str:
    """Name of a shot on a back-end; with the threads where the run has the same one with others."""
    alike = [other for other in backends if other.name == backend.name]
    threads = f"-{backend.threads}t" if alike[0] is not backend else ""
    return f"{case.identity(backend)}{threads}"


def _clock_of(backend: Backend) -> Callable[[], object]:
    """The back-end's clock under the name that a row shows as its timer."""

    def clock() -> object:
        return backend.clock()

    clock.__name__ = clock.__qualname__ = f"{backend.name}_clock"
    return clock


def _one_line(error: BaseException) -> str:
    text = str(error) if isinstance(error, ShotmarkError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:300]


def measure(
    cases: Sequence[ShotCase],
    backends: Sequence[Backend],
    makers: Makers,
    results: Path,
    run: Mapping[str, object],
    progress: Progress | None = None,
    instead: Callable[[Sequence[str]], Backend] | None = None,
) -> Draft:
    """Verify and time every case on every back-end, interleaved by shot; returns the record, which is on disk.

    What a back-end could not do, or did wrong, is measured once more on the one that ``instead`` makes, which is told
    the shots; what happened stays in the record's ``rejected``.

    Raises what ended the run early (KeyboardInterrupt, OSError, UserError) after saving what was finished, and
    CheckFailed when nothing at all could be recorded. A shot that did not verify is in the record's ``rejected``.
    """
    draft = Draft(new_slot(results), run)
    meters = meters_of(cases, backends, makers, draft.slot.pictures)
    complete = measure_into(draft, meters, results, progress).complete
    failed = [meter.case for meter in meters if meter.result.rejected is not None]
    if instead is not None and failed:
        others = meters_of(failed, [instead([case.shot_name for case in failed])], makers, draft.slot.pictures)
        complete = measure_into(draft, others, results, progress).complete and complete
    _finish(draft, complete)
    return draft


def meters_of(
    cases: Sequence[ShotCase], backends: Sequence[Backend], makers: Makers, pictures: Path
) -> list[ShotMeter]:
    """A meter for every case on every back-end."""
    return [
        ShotMeter(case, backend, makers, pictures, _identity(case, backend, backends))
        for case in cases
        for backend in backends
    ]


def new_slot(results: Path) -> Slot:
    """A place for a record of this machine and commit."""
    tag = f"{(machine.commit()['id'] or 'unversioned')[:40]}_{datetime.now(UTC).strftime('%Y%m%d_%H%M%S')}"
    return claim(results / machine.describe()["id"], tag)


def record_meters(meters: Sequence[ShotMeter], draft: Draft, results: Path, progress: Progress | None = None) -> None:
    """Measure everything that a record is to hold, and finish the record."""
    _finish(draft, measure_into(draft, meters, results, progress).complete)


def _finish(draft: Draft, complete: bool) -> None:
    if not (draft.rows or draft.rejected):
        raise CheckFailed("nothing was recorded")
    draft.complete = complete
    draft.save()


def measure_into(
    draft: Draft,
    meters: Sequence[ShotMeter],
    results: Path,
    progress: Progress | None = None,
    deadline: float | None = None,
) -> Plugin:
    """Measure into a record that goes on afterwards; what its draft holds already stays."""
    plugin = Plugin(meters, draft, progress or Silent(), deadline)
    for meter in meters:
        if meter.backend.is_gpu:
            meter.backend.last_words = plugin.last_words
    try:
        if not run_pytest(plugin, results) and plugin.failure is None:
            raise KeyboardInterrupt
    finally:
        draft.slot.release()
    if plugin.failure is not None:
        if isinstance(plugin.failure, KeyboardInterrupt):
            kept = f"{draft.path} holds what was finished" if draft.rows or draft.rejected else "nothing was finished"
            plugin.failure.add_note(kept)
        raise plugin.failure
    return plugin
