"""One frame on the clock, and what it takes to do it again and again from the same state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.backend.energy import EnergyMeter
from bench.backend.protocol import Backend, KernelTimes, RegionClock, Stamp
from bench.pipeline.frame import (
    RESOLVE,
    Between,
    Frame,
    KeptState,
    Makers,
    Picture,
    RendererLike,
    SimulationLike,
    make_frame,
)
from bench.pipeline.scene.build import Scene
from bench.shot.load import Shot


@dataclass(frozen=True)
class TimedFrame:
    """One frame as it was done, before anything of it is looked at: its stamps may still be to come."""

    made: Frame
    stamps: tuple[Stamp, ...]  # at the start, and after each of STAGES
    fetched: Stamp  # when the picture was on the host, between the last two stages
    kernel_times: KernelTimes
    joules: float | None


@dataclass(frozen=True)
class PreparedShot:
    """A case that stands before its measured frame: all that it takes to do that frame again and again."""

    backend: Backend
    frame: int
    scene: Scene
    simulation: SimulationLike
    renderer: RendererLike
    saved: KeptState  # before the measured frame
    write_picture: Callable[[Picture], None]
    sm_clock: RegionClock | None = None
    energy: EnergyMeter | None = None

    def restore(self) -> None:
        """Put back the state before the measured frame."""
        self.simulation.restore(self.saved)
        self.backend.synchronize()

    def run_frame(self, observed: bool, between: Between | None = None) -> TimedFrame:
        """The measured frame on the clock, with a stamp after each stage; ``observed``: each launch is timed too.

        ``between`` is told how far a picture is; what it raises ends the frame.
        """
        backend, clock, sm_clock, energy = self.backend, self.backend.clock, self.sm_clock, self.energy
        times = KernelTimes()
        stamps: list[Stamp] = []

        def lap(stage: str) -> None:
            stamps.append(clock())
            if stage == RESOLVE and sm_clock is not None:
                sm_clock.end()

        def encode(picture: Picture) -> None:
            stamps.append(clock())
            self.write_picture(picture)
            backend.synchronize()

        backend.observer = times if observed else None
        if sm_clock is not None:
            sm_clock.reset()
        before = energy.joules() if energy is not None else None
        # The clock's own launches stand outside of the stamps, so that no stage has them
        if sm_clock is not None:
            sm_clock.begin()
        # A stamp follows what was queued before it: nothing has to wait between the stages
        stamps.append(clock())
        try:
            made = make_frame(self.simulation, self.renderer, self.frame, encode=encode, lap=lap, between=between)
        finally:
            backend.observer = None
        *laps, fetched, end = stamps
        joules = energy.since(before, float(end - laps[0])) if energy is not None else None
        return TimedFrame(made, (*laps, end), fetched, times, joules)


class Stopwatch(Protocol):
    """Of Numba: adds up the time of events."""

    @property
    def done(self) -> bool: ...
    @property
    def duration(self) -> float: ...


class NumbaEvents(Protocol):
    """What is called of ``numba.core.event``."""

    def TimingListener(self) -> Stopwatch: ...
    def register(self, kind: str, listener: Stopwatch) -> None: ...
    def unregister(self, kind: str, listener: Stopwatch) -> None: ...


class CompileClock:
    """Seconds that Numba's compiler runs inside the ``with`` block."""

    KIND = "numba:compile"

    def __init__(self) -> None:
        self._events = _numba_events()
        self._listener = self._events.TimingListener() if self._events is not None else None

    @property
    def seconds(self) -> float | None:
        """None when this Numba cannot tell."""
        if self._listener is None:
            return None
        return float(self._listener.duration) if self._listener.done else 0.0

    def __enter__(self) -> CompileClock:
        if self._events is not None and self._listener is not None:
            self._events.register(self.KIND, self._listener)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._events is not None and self._listener is not None:
            self._events.unregister(self.KIND, self._listener)


def _numba_events() -> NumbaEvents | None:
    try:
        from numba.core import event
    except ImportError:
        return None
    return event if hasattr(event, "TimingListener") else None


def frames_energy(
    meter: EnergyMeter, makers: Makers, backend: Backend, shot: Shot, size: str, least_s: float
) -> dict[str, str | float | None]:
    """Joules of a shot's frame: one after another, with nothing between them, until the energy counter has moved."""
    scene = makers.build_scene(shot, size, threads=backend.threads)
    simulation, renderer = makers.simulation(scene, backend), makers.renderer(scene, backend)
    frames, start, before = 0, time.monotonic(), meter.joules()
    while frames == 0 or (time.monotonic() - start < least_s and simulation.frame < shot.frames):
        make_frame(simulation, renderer, simulation.frame + 1)
        frames += 1
    backend.synchronize()
    after, seconds = meter.joules(), time.monotonic() - start
    joules = None if before is None or after is None else (after - before) / frames
    return {"shot": shot.name, "frames": frames, "seconds": seconds, "joules_per_frame": joules}
