"""The suite that pytest runs: for every shot ``verify``, then ``frame``.

``frame`` is the measurement: pedantic rounds of one frame, each from the same restored state, each proved outside the
clock. The stages are laps of those same rounds, so that stages and frame belong to the same work and add up; nothing
is run twice. ``plugin`` gives the fixtures, the order and the timers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.base.errors import CheckFailed
from bench.measure.meter import ShotMeter

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from bench.measure.plugin import Plugin

WARM_UP_ROUND_S_MAX = 2.0  # a frame that takes longer was warmed up enough by the proof's repeat


def verify(meter: ShotMeter, shotmark: Plugin) -> None:
    """Compile, prove the output against its golden SHA-256 or against a repeat."""
    meter.verify(shotmark.progress_of(meter), shotmark.within_of(meter))


def frame(meter: ShotMeter, shotmark: Plugin, benchmark: BenchmarkFixture) -> None:
    """Time the whole frame."""
    require_proof(meter)
    planned = meter.round_count()
    warm_up = 1 if meter.last_frame_s < WARM_UP_ROUND_S_MAX else 0
    rounds = shotmark.plan_rounds(meter, planned)
    keep = shotmark.keeper_of(meter, warm_up, benchmark)
    benchmark.pedantic(meter.run_frame, setup=meter.restore, teardown=keep, rounds=rounds, warmup_rounds=warm_up)
    while meter.wants_another(planned):
        meter.restore()
        meter.run_frame()
        keep()


def require_proof(meter: ShotMeter) -> None:
    """Nothing is timed, and no time is kept, of a shot that did not verify."""
    if meter.result.rejected is not None:
        raise CheckFailed(meter.result.rejected)
    if meter.result.verified is None:
        raise CheckFailed("not verified")
