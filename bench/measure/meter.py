"""Verify, then time one shot on one back-end: the order of a measurement, and no statistics.

A shot is advanced to its measured frame once (*cold*: compiling, loading and first touch are timed apart), and the
state before that frame is kept. Every later round restores that state outside the clock and does the same frame again,
so each round does the same work and has to give the same bits. A round whose hashes differ ends the measurement. The
first frame and its repeat are proved by SHA-256. On a GPU with the memory for it the state of a later one is compared
there, word for word, with the one that was hashed; where a word differs, its SHA-256 says what became of it.

One round gives all three times: laps of the stages follow each other on one clock, ``resident`` is simulate to resolve,
``frame`` goes on to the encoded file (what crosses from the device belongs to ``encode``), and ``kernels`` is the sum
of the launches inside. Where timing each launch would change how they are made, that sum comes from the frame again.
Data are as warm as the frame before left them: nothing is flushed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from bench.backend.cuda.sm_clock import throttled, usual
from bench.backend.energy import EnergyMeter
from bench.backend.protocol import Backend, RegionClock
from bench.base import units
from bench.base.errors import CheckFailed
from bench.base.progress import told_when_slow
from bench.measure.timed_frame import CompileClock, PreparedShot, TimedFrame
from bench.pipeline.frame import (
    STAGES,
    Between,
    Frame,
    FrameWork,
    KeptState,
    Makers,
    RendererLike,
    SimulationLike,
    make_picture,
    proved_digest,
    require_hashes,
    warnings_of,
)
from bench.pipeline.scene.build import Scene
from bench.record.schema import TOTALS
from bench.record.statistics import median
from bench.shot.load import Shot

ROUNDS_MIN, ROUNDS_MAX = 3, 12
BUDGET_S = 10.0  # of timed rounds a shot, unless --rounds says how many
GOLDEN, REPEAT = "golden", "repeat"
PICTURE_STAGES = STAGES[1:-1]  # surface, trace, resolve

Tell = Callable[[str], None]  # what happens now
Work = dict[str, int | str | None]  # a manifest of what was asked for and done


@dataclass(frozen=True)
class ShotCase:
    """What to measure: one shot, at one size, on each back-end of a run."""

    shot: Shot
    shot_name: str
    size: str
    frame: int  # frame that is rendered and timed, from 1; those before it are simulated only
    rounds: int | None = None  # None: as many as the time budget holds
    expected: dict[str, str] | None = None  # golden SHA-256 {"state": ..., "picture": ...} of that frame, if any
    definition_sha256: str | None = None  # of everything the shot's file says
    earlier: Mapping[int, Mapping[str, str]] = field(default_factory=dict)  # golden SHA-256 of frames before, by number

    def identity(self, backend: Backend) -> str:
        return f"{self.shot_name}-{self.size}-{backend.name}"


@dataclass(frozen=True)
class Round:
    """One frame as it was done: its laps and its proof."""

    seconds: dict[str, float]  # by STAGES and TOTALS
    kernels_s: dict[str, float]
    state_sha256: str
    picture_sha256: str
    work: Work
    transfer_s: float = 0.0  # of encode: the picture on its way to the host
    sm_clock_hz: float | None = None  # of a GPU, inside the frame
    joules: float | None = None  # of the whole board, informative; None where it is not known
    compared: bool = False  # whether the state has its SHA-256 by comparison with one that was hashed


@dataclass
class ShotResult:
    """Everything known so far about one case on one back-end; grows while it runs."""

    verified: str | None = None  # GOLDEN or REPEAT once the proof stands
    rejected: str | None = None  # why it did not verify
    left_out: bool = False  # for want of time; nothing was found wrong
    unavailable: bool = False  # whether that is for want of memory or of the device, not of the right bits
    cold_s: dict[str, float] = field(default_factory=dict)  # first call of each stage
    compile_s: float | None = None
    scene_compile_s: float | None = None  # of it, while the scene was built
    first: Round | None = None
    rounds: list[Round] = field(default_factory=list)
    warnings: tuple[str, ...] = ()  # what its frames went beyond of what the shot is made for
    planned: int | None = None  # rounds that were asked for; those that make up for throttled ones come after them

    @property
    def usual_clock_hz(self) -> float | None:
        """What the planned rounds usually ran at. Rounds that make up for others do not change it."""
        return usual(done.sm_clock_hz for done in self.rounds[: self.planned])

    @property
    def good_rounds(self) -> list[Round]:
        """Rounds at the usual clock or near it; half of the planned ones are, or no clock is known."""
        usual_hz = self.usual_clock_hz
        return [done for done in self.rounds if not throttled(done.sm_clock_hz, usual_hz)]

    def before_s(self) -> dict[str, float | None]:
        """Seconds before the first frame, compiling left out: scene, upload, and what first calls took over later ones.

        None where it is not known.
        """
        cold, warm = self.cold_s, {stage: median(self.samples_s(stage)) or 0.0 for stage in STAGES}
        scene, compiled = cold.get("scene"), self.scene_compile_s
        over = [max(0.0, cold[stage] - warm[stage]) for stage in STAGES if stage in cold]
        in_stages = None if self.compile_s is None or compiled is None else max(0.0, self.compile_s - compiled)
        return {
            "scene": None if scene is None or compiled is None else max(0.0, scene - compiled),
            "upload": cold.get("upload"),
            "first_touch": None if in_stages is None or not over else max(0.0, sum(over) - in_stages),
        }

    def samples_s(self, stage: str) -> list[float]:
        return [done.seconds[stage] for done in self.good_rounds]

    def kernels_s(self) -> dict[str, float]:
        """Median seconds of each kernel over the rounds, the dearest first."""
        names = {name for done in self.good_rounds for name in done.kernels_s}
        middle = {name: median([done.kernels_s.get(name, 0.0) for done in self.good_rounds]) or 0.0 for name in names}
        return dict(sorted(middle.items(), key=lambda item: (-item[1], item[0])))


def work_digest(work: Work) -> str:
    """SHA-256 of a work manifest: equal on two back-ends when both were asked for, and did, the same."""
    return hashlib.sha256(json.dumps(work, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


class ShotMeter:
    """Runs one case on one back-end, step by step; the caller decides when, and may save in between.

    The suite's steps are calls that hand nothing on: what lies between them is the shot, prepared, and the last frame.
    """

    def __init__(
        self, case: ShotCase, backend: Backend, makers: Makers, pictures: Path, identity: str | None = None
    ) -> None:
        self.case = case
        self.backend = backend
        self.makers = makers
        self.result = ShotResult()
        self.identity = identity or case.identity(backend)
        self.picture_stem = pictures / f"{self.identity}.{case.frame:04d}"
        self._prepared: PreparedShot | None = None  # from the cold pass until it is let go of
        self._timed: TimedFrame | None = None
        self._proved: KeptState | None = None  # after the measured frame, on a GPU with the memory for it
        self._last_frame_s = 0.0
        self._seen: list[FrameWork] = []  # frames before the measured one
        self.between: Between | None = None  # told how far a picture is that a GPU traces; may raise to end it

    # --- verify ------------------------------------------------------------------------------
    def verify(self, progress: Tell = lambda text: None, within: Tell = lambda text: None) -> None:
        """Cold pass, proof, and one warm repeat. Raises CheckFailed when the output is not what it has to be.

        ``progress`` is told of every step, ``within`` how far a long one has come.
        """
        first = self._cold_pass(progress, within)
        require_hashes(_hashes(first), self.case.expected, "the golden one")
        progress("repeat")
        self.restore()
        self.run_frame()
        self.prove()
        if self.backend.is_gpu:
            self._proved = self.prepared.simulation.keep(to_compare=True)
        self.result.verified = GOLDEN if self.case.expected else REPEAT

    def _cold_pass(self, progress: Tell, within: Tell) -> Round:
        """Build the scene, simulate up to the frame before the measured one, keep that state, do the frame."""
        backend, clock, cold_s = self.backend, self.backend.clock, self.result.cold_s
        with CompileClock() as compiling:
            sm_clock, energy = backend.sm_clock(), backend.energy_meter()
            progress("scene")
            start = clock()
            with CompileClock() as compiling_scene:
                scene = self._build_scene(within)
            built = clock()
            simulation = self.makers.simulation(scene, backend)
            renderer = self.makers.renderer(scene, backend)
            backend.synchronize()
            cold_s["scene"] = float(built - start)
            cold_s["upload"] = float(clock() - built)
            for frame in range(1, self.case.frame):
                progress(f"simulate {frame}/{self.case.frame}")
                before = clock()
                self._seen.append(simulation.advance_frame())
                backend.synchronize()
                cold_s.setdefault("simulate", float(clock() - before))
                self._prove_earlier(simulation, renderer, frame)
            self._prepare(scene, simulation, renderer, sm_clock, energy)
            progress("first frame")
            self.run_frame()
        self.result.compile_s, self.result.scene_compile_s = compiling.seconds, compiling_scene.seconds
        self.result.first = first = self._round()
        assert self._timed is not None
        self.result.warnings = warnings_of([*self._seen, self._timed.made.simulated])
        for stage in STAGES:
            cold_s.setdefault(stage, first.seconds[stage])
        return first

    def _prove_earlier(self, simulation: SimulationLike, renderer: RendererLike, frame: int) -> None:
        """Hold a frame before the measured one against its golden hashes, where there are any.

        Raises CheckFailed. What its picture took is the first call of each stage.
        """
        golden = self.case.earlier.get(frame)
        if golden is None:
            return
        stamps = [self.backend.clock()]
        lap = lambda stage: stamps.append(self.backend.clock())  # noqa: E731
        made = make_picture(simulation, renderer, frame, lap=lap, between=self._between)
        for stage, (before, after) in zip(PICTURE_STAGES, pairwise(stamps), strict=True):
            self.result.cold_s.setdefault(stage, float(after - before))
        found = {"state": simulation.state_digest(), "picture": proved_digest(made.picture, frame)}
        require_hashes(found, golden, "the golden one", f"frame {frame}: ")

    def _build_scene(self, within: Tell) -> Scene:
        """With as many threads as the back-end has."""
        tell = told_when_slow("scene", within)
        return self.makers.build_scene(self.case.shot, self.case.size, threads=self.backend.threads, tell=tell)

    def _prepare(
        self,
        scene: Scene,
        simulation: SimulationLike,
        renderer: RendererLike,
        sm_clock: RegionClock | None = None,
        energy: EnergyMeter | None = None,
    ) -> PreparedShot:
        """Keep the state before the measured frame, and what it takes to do that frame."""
        case, write, stem = self.case, self.makers.write_picture, self.picture_stem
        self._prepared = PreparedShot(
            backend=self.backend,
            frame=case.frame,
            scene=scene,
            simulation=simulation,
            renderer=renderer,
            saved=simulation.keep(),
            write_picture=lambda picture: write(picture, scene, case.frame, stem),
            sm_clock=sm_clock,
            energy=energy,
        )
        return self._prepared

    # --- time --------------------------------------------------------------------------------
    def round_count(self) -> int:
        """Rounds that the case asks for, or else that the time budget holds."""
        if self.case.rounds is not None:
            return self.case.rounds
        frame_s = self.last_frame_s
        return ROUNDS_MAX if frame_s <= 0.0 else max(ROUNDS_MIN, min(ROUNDS_MAX, int(BUDGET_S / frame_s)))

    @property
    def prepared(self) -> PreparedShot:
        """The shot before its measured frame, once ``verify`` has got there."""
        assert self._prepared is not None, "nothing is prepared before verify, nor after release"
        return self._prepared

    @property
    def _between(self) -> Between | None:
        """On a CPU pictures stay whole: what cuts them would be in their time."""
        return self.between if self.backend.is_gpu else None

    def restore(self) -> None:
        """Put back the state before the measured frame; never inside a timed region."""
        self.prepared.restore()

    def run_frame(self) -> None:
        """Simulate, surface, trace, resolve, encode: one frame on the clock, with a stamp after each stage."""
        self._timed = self.prepared.run_frame(not self.backend.observed_apart, self._between)

    def prove(self) -> Round:
        """Prove the frame just done, outside the clock; keeps it nowhere. Raises CheckFailed on other bits."""
        done, first = self._round(), self.result.first
        assert first is not None
        require_hashes(_hashes(done), _hashes(first), "the first round's")
        if done.work != first.work:
            raise CheckFailed("the work differs between rounds of one frame")
        self._last_frame_s = done.seconds["frame"]
        return done

    def keep(self) -> None:
        """Prove the frame just done and count it as a timed round."""
        done = self.prove()
        if self.backend.observed_apart:
            self.restore()
            self._timed = self.prepared.run_frame(True, self._between)
            seen = self.prove()
            self._last_frame_s = done.seconds["frame"]
            seconds = {**done.seconds, "kernels": seen.seconds["kernels"]}
            done = replace(done, seconds=seconds, kernels_s=seen.kernels_s)
        self.result.rounds.append(done)

    def wants_another(self, planned: int) -> bool:
        """Whether throttled rounds are to be made up for: as many again at the most as were planned."""
        self.result.planned = planned
        good, done = len(self.result.good_rounds), len(self.result.rounds)
        return good < done and good < planned and done < 2 * planned

    # --- proof -------------------------------------------------------------------------------
    def _round(self) -> Round:
        """What the frame just done took, and its hashes."""
        prepared, timed = self.prepared, self._timed
        assert timed is not None
        stamps = timed.stamps
        laps = zip(STAGES, pairwise(stamps), strict=True)
        seconds = {stage: float(after - before) for stage, (before, after) in laps}
        kernels_s = timed.kernel_times.seconds()
        seconds["kernels"] = sum(kernels_s.values())
        seconds["resident"] = float(stamps[4] - stamps[0])
        seconds["frame"] = float(stamps[5] - stamps[0])
        assert set(seconds) == {*STAGES, *TOTALS}
        hertz = prepared.sm_clock.hertz() if prepared.sm_clock is not None else None
        state_sha256, compared = self._state_sha256()
        return Round(
            seconds=seconds,
            kernels_s=kernels_s,
            state_sha256=state_sha256,
            picture_sha256=proved_digest(timed.made.picture, self.case.frame),
            work=self._work(timed.made),
            transfer_s=float(timed.fetched - stamps[4]),
            sm_clock_hz=hertz,
            joules=timed.joules,
            compared=compared,
        )

    def _state_sha256(self) -> tuple[str, bool]:
        """The state's SHA-256, and whether it is known by comparison."""
        simulation, first = self.prepared.simulation, self.result.first
        if first is not None and self._proved is not None and simulation.same_as(self._proved):
            return first.state_sha256, True
        return simulation.state_digest(), False

    def _work(self, made: Frame) -> Work:
        """What was asked for and done: whole numbers that have to be equal wherever the frame is made."""
        done, picture = made.simulated, made.picture
        height, width = picture.rgb.shape[:2]
        return {
            "definition": self.case.definition_sha256,
            "size": self.case.size,
            "frame": self.case.frame,
            "substeps": int(done.substeps),
            "particle_count": int(done.particle_count),
            "particle_substeps": int(done.particle_substeps),
            "sound_steps": int(done.sound_steps),
            "particle_sound_steps": int(done.particle_sound_steps),
            "active_blocks": int(done.active_blocks),
            "effect_count": int(done.effect_count),
            "width": int(width),
            "height": int(height),
            "samples_per_pixel": int(picture.samples),
            "samples": int(width) * int(height) * int(picture.samples),
            **self.prepared.renderer.work(made.rendering),
        }

    @property
    def last_frame_s(self) -> float:
        """Seconds of the last frame that was proved warm; 0 before there is one."""
        return self._last_frame_s

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
        self._prepared = self._timed = self._proved = None


def _hashes(done: Round) -> dict[str, str]:
    return {"state": done.state_sha256, "picture": done.picture_sha256}
