"""Verify, then time one shot on one back-end: the order of a measurement, and no statistics.

A shot is advanced to its measured frame once (*cold*: compiling, loading and first touch are timed apart), and the
state before that frame is kept. Every later round restores that state outside the clock and does the same frame again,
so each round does the same work and has to give the same bits. A round whose hashes differ ends the measurement.

One round gives all three times: laps of the stages follow each other on one clock, ``resident`` is simulate to resolve,
``frame`` goes on to the encoded file (what crosses from the device belongs to ``encode``), and ``kernels`` is the sum
of the launches inside. Where timing each launch would change how they are made, that sum comes from the frame again.
Data are as warm as the frame before left them: nothing is flushed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.backend.protocol import Backend, KernelTimes
from bench.backend.sm_clock import throttled
from bench.base import units
from bench.base.errors import CheckFailed
from bench.pipeline.makers import Makers
from bench.record.schema import STAGES, TOTALS
from bench.record.statistics import median

ROUNDS_MIN, ROUNDS_MAX = 3, 12
BUDGET_S = 10.0  # of timed rounds a shot, unless --rounds says how many
GOLDEN, REPEAT = "golden", "repeat"


@dataclass(frozen=True)
class Case:
    """What to measure: one shot, one size, one back-end."""

    shot: Any  # bench.shot.load.Shot
    shot_name: str
    size: str
    frame: int  # frame that is rendered and timed, from 1; those before it are simulated only
    rounds: int | None = None  # None: as many as the time budget holds
    expected: dict[str, str] | None = None  # golden SHA-256 {"state": ..., "picture": ...} of that frame, if any
    definition_sha256: str | None = None  # of everything the shot's file says

    def identity(self, backend: Backend) -> str:
        return f"{self.shot_name}-{self.size}-{backend.name}"


@dataclass(frozen=True)
class Round:
    """One frame as it was done: its laps and its proof."""

    seconds: dict[str, float]  # by STAGES and TOTALS
    kernels_s: dict[str, float]
    state_sha256: str
    picture_sha256: str
    work: dict[str, Any]
    transfer_s: float = 0.0  # of encode: the picture on its way to the host
    sm_clock_hz: float | None = None  # of a GPU, inside the frame
    joules: float | None = None  # of the whole board, informative; None where it is not known
    throttled: bool | None = None  # whether that is far below its highest


@dataclass
class Measurement:
    """Everything known so far about one case; grows while it runs."""

    verified: str | None = None  # GOLDEN or REPEAT once the proof stands
    rejected: str | None = None  # why it did not verify
    left_out: bool = False  # for want of time; nothing was found wrong
    unavailable: bool = False  # whether that is for want of memory or of the device, not of the right bits
    cold_s: dict[str, float] = field(default_factory=dict)  # first call of each stage
    compile_s: float | None = None
    first: Round | None = None
    rounds: list[Round] = field(default_factory=list)

    @property
    def good_rounds(self) -> list[Round]:
        """Rounds at full clock; all of them where none was."""
        return [done for done in self.rounds if not done.throttled] or self.rounds

    def samples_s(self, stage: str) -> list[float]:
        return [done.seconds[stage] for done in self.good_rounds]

    def kernels_s(self) -> dict[str, float]:
        """Median seconds of each kernel over the rounds, the dearest first."""
        names = {name for done in self.good_rounds for name in done.kernels_s}
        middle = {name: median([done.kernels_s.get(name, 0.0) for done in self.good_rounds]) or 0.0 for name in names}
        return dict(sorted(middle.items(), key=lambda item: (-item[1], item[0])))


class CompileClock:
    """Seconds that Numba's compiler ran inside the ``with`` block; None when this Numba cannot tell."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._listener: Any = None

    def __enter__(self) -> CompileClock:
        try:
            from numba.core import event

            self._listener = event.TimingListener()
            event.register("numba:compile", self._listener)
        except (ImportError, AttributeError):
            self._listener = None
        return self

    def __exit__(self, *exception: object) -> None:
        if self._listener is None:
            return
        from numba.core import event

        event.unregister("numba:compile", self._listener)
        self.seconds = float(self._listener.duration) if self._listener.done else 0.0


def work_digest(work: dict[str, Any]) -> str:
    """SHA-256 of a work manifest: equal on two back-ends when both were asked for, and did, the same."""
    return hashlib.sha256(json.dumps(work, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


class ShotMeter:
    """Runs one case on one back-end, step by step; the caller decides when, and may save in between."""

    def __init__(
        self, case: Case, backend: Backend, makers: Makers, pictures: Path, identity: str | None = None
    ) -> None:
        self.case = case
        self.backend = backend
        self.makers = makers
        self.result = Measurement()
        self.identity = identity or case.identity(backend)
        self.kernel_times = KernelTimes()
        self.picture_stem = pictures / f"{self.identity}.{case.frame:04d}"
        self._scene: Any = None
        self._simulation: Any = None
        self._renderer: Any = None
        self._saved: Any = None
        self._done: Any = None
        self._picture: Any = None
        self._stamps: list[Any] = []
        self._last: Round | None = None
        self._planned = 0
        self._fetched: Any = None
        self._sm_clock: Any = None
        self._energy: Any = None
        self._joules: float | None = None

    # --- verify ------------------------------------------------------------------------------
    def verify(self, progress: Callable[[str], None] = lambda text: None) -> None:
        """Cold pass, proof, and one warm repeat. Raises CheckFailed when the output is not what it has to be."""
        self._cold_pass(progress)
        assert self.result.first is not None
        self._compare(self.result.first, self.case.expected, "the golden one")
        progress("repeat")
        self.restore()
        self.run_frame()
        self.check()
        self.result.verified = GOLDEN if self.case.expected else REPEAT

    def _cold_pass(self, progress: Callable[[str], None]) -> None:
        """Build the scene, simulate up to the frame before the measured one, keep that state, do the frame."""
        clock = self.backend.clock
        with CompileClock() as compiling:
            make_clock = getattr(self.backend, "sm_clock", None)
            self._sm_clock = make_clock() if make_clock else None
            make_meter = getattr(self.backend, "energy_meter", None)
            self._energy = make_meter() if make_meter else None
            progress("scene")
            start = clock()
            self._scene = self.makers.build_scene(self.case.shot, self.case.size)
            built = clock()
            self._simulation = self.makers.simulation(self._scene, self.backend)
            self._renderer = self.makers.renderer(self._scene, self.backend)
            self.backend.synchronize()
            self.result.cold_s["scene"] = float(built - start)
            self.result.cold_s["upload"] = float(clock() - built)
            for frame in range(1, self.case.frame):
                progress(f"simulate {frame}/{self.case.frame}")
                before = clock()
                self._simulation.advance_frame()
                self.backend.synchronize()
                self.result.cold_s.setdefault("simulate", float(clock() - before))
            self._saved = self.makers.snapshot(self._simulation)
            progress("first frame")
            self.run_frame()
        self.result.compile_s = compiling.seconds
        self.result.first = self._proof()
        for stage in STAGES:
            self.result.cold_s.setdefault(stage, self.result.first.seconds[stage])

    # --- time --------------------------------------------------------------------------------
    def round_count(self) -> int:
        """Rounds that the time budget holds."""
        frame_s = self.last_frame_s
        budget = ROUNDS_MAX if frame_s <= 0.0 else max(ROUNDS_MIN, min(ROUNDS_MAX, int(BUDGET_S / frame_s)))
        self._planned = budget if self.case.rounds is None else self.case.rounds
        return self._planned

    def restore(self) -> None:
        """Put back the state before the measured frame; never inside a timed region."""
        self.makers.restore(self._simulation, self._saved)
        self.backend.synchronize()

    def run_frame(self) -> None:
        """Simulate, surface, trace, resolve, encode: one frame on the clock, with a stamp after each stage."""
        self._run_frame(observed=not self.backend.observed_apart)

    def _run_frame(self, observed: bool) -> None:
        clock, sm_clock = self.backend.clock, self._sm_clock
        self.kernel_times.clear()
        self.backend.observer = self.kernel_times if observed else None
        if sm_clock is not None:
            sm_clock.reset()
        before = self._energy.joules() if self._energy is not None else None
        # A stamp follows what was queued before it: nothing has to wait between the stages
        stamps = [clock()]
        if sm_clock is not None:
            sm_clock.begin()
        self._done = self._simulation.advance_frame()
        stamps.append(clock())
        self._renderer.surface(self._simulation)
        stamps.append(clock())
        self._renderer.trace(self.case.frame)
        stamps.append(clock())
        self._renderer.develop()
        if sm_clock is not None:
            sm_clock.end()
        stamps.append(clock())
        self.backend.observer = None
        self._picture = self._renderer.fetch()
        self._fetched = clock()
        self.makers.write_picture(self._picture, self._scene, self.case.frame, self.picture_stem)
        self.backend.synchronize()
        stamps.append(clock())
        self._stamps = stamps
        if self._energy is not None:
            self._joules = self._energy.since(before, float(stamps[-1] - stamps[0]))

    def check(self) -> Round:
        """Prove the frame just done, outside the clock; keeps it nowhere. Raises CheckFailed on other bits."""
        done = self._proof()
        first = self.result.first
        assert first is not None
        self._compare(done, {"state": first.state_sha256, "picture": first.picture_sha256}, "the first round's")
        if done.work != first.work:
            raise CheckFailed("the work differs between rounds of one frame")
        self._last = done
        return done

    def keep(self) -> None:
        """Check the frame just done and count it as a timed round."""
        done = self.check()
        if self.backend.observed_apart:
            self.restore()
            self._run_frame(observed=True)
            seen = self.check()
            seconds = {**done.seconds, "kernels": seen.seconds["kernels"]}
            done = self._last = replace(done, seconds=seconds, kernels_s=seen.kernels_s)
        self.result.rounds.append(done)

    @property
    def wants_another(self) -> bool:
        """Whether throttled rounds are to be made up for: as many again at the most as there were planned."""
        slow = sum(1 for done in self.result.rounds if done.throttled)
        done = len(self.result.rounds)
        return slow > 0 and done - slow < self._planned and done < 2 * self._planned

    # --- proof -------------------------------------------------------------------------------
    def _proof(self) -> Round:
        stamps = self._stamps
        seconds = {name: float(after - before) for name, before, after in zip(STAGES, stamps, stamps[1:])}
        kernels_s = self.kernel_times.seconds()
        seconds["kernels"] = sum(kernels_s.values())
        seconds["resident"] = float(stamps[4] - stamps[0])
        seconds["frame"] = float(stamps[5] - stamps[0])
        assert set(seconds) == {*STAGES, *TOTALS}
        hertz = self._sm_clock.hertz() if self._sm_clock is not None else None
        highest = float(getattr(self.backend, "clock_max_hz", 0.0))
        return Round(
            seconds=seconds,
            kernels_s=kernels_s,
            state_sha256=self._simulation.state_digest(),
            picture_sha256=self._picture.digest,
            work=self._work(),
            transfer_s=float(self._fetched - stamps[4]),
            sm_clock_hz=hertz,
            joules=self._joules,
            throttled=throttled(hertz, highest),
        )

    def _work(self) -> dict[str, Any]:
        """What was asked for and done: whole numbers that have to be equal wherever the frame is made."""
        done, picture = self._done, self._picture
        height, width = picture.rgb.shape[:2]
        return {
            "definition": self.case.definition_sha256,
            "size": self.case.size,
            "frame": self.case.frame,
            "substeps": int(done.substeps),
            "particle_count": int(done.particle_count),
            "particle_substeps": int(done.particle_substeps),
            "active_blocks": int(done.active_blocks),
            "effect_count": int(done.effect_count),
            "width": int(width),
            "height": int(height),
            "samples_per_pixel": int(picture.samples),
            "samples": int(width) * int(height) * int(picture.samples),
            **{str(name): int(value) for name, value in self._renderer.work().items()},
        }

    def _compare(self, done: Round, expected: dict[str, str] | None, whose: str) -> None:
        for what, found in (("state", done.state_sha256), ("picture", done.picture_sha256)):
            if expected and expected.get(what) and expected[what] != found:
                raise CheckFailed(f"the {what}'s SHA-256 {found[:12]} is not {whose} {expected[what][:12]}")

    @property
    def last_frame_s(self) -> float:
        """Seconds of the last frame that was proved warm; 0 before there is one."""
        return self._last.seconds["frame"] if self._last else 0.0

    def in_words(self) -> str:
        """What was proved, and the three times."""
        result, case, threads = self.result, self.case, self.backend.threads
        times = {stage: units.seconds(median(result.samples_s(stage))) for stage in ("kernels", "resident", "frame")}
        proof = "golden bits" if result.verified == GOLDEN else "the same bits every time"
        many = f" {threads} thread{'s' if threads != 1 else ''}" if threads else ""
        return (
            f"{case.shot_name} {case.size} {self.backend.name}{many}: {proof}; kernels {times['kernels']}, frame on the"
            f" device {times['resident']}, to disk {times['frame']}"
        )

    def release(self) -> None:
        """Let go of scene, state and pictures; the result stays."""
        self._scene = self._simulation = self._renderer = self._saved = self._picture = self._done = None
        self._sm_clock = None
