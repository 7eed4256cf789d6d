"""A measured shot as the rows of a record: one place where rounds become rows, whatever wrote the record.

A row has pytest-benchmark's own keys, so that its ``compare`` and ``list`` read it; its ``stats`` come from
pytest-benchmark's own class, over the raw seconds of the rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.measure.meter import ShotMeter, work_digest
from bench.record.schema import STAGES, Rejected, Row
from bench.record.statistics import median

SUITE = Path(__file__).with_name("suite.py")
CHECKOUT = SUITE.parents[2]
LAPS = (*STAGES, "kernels", "resident")  # parts of the frame, in the order of a record's rows
LAP_TIMER = "_replay_clock"  # how records name the timer of a lap: it is a difference of the frame's own stamps


def rows_of(meter: ShotMeter, options: Mapping[str, object]) -> tuple[Row, ...]:
    """The frame and its laps, of the rounds so far; ``options`` are pytest-benchmark's, of the frame."""
    return tuple(_row(meter, stage, options) for stage in ("frame", *LAPS))


def rejected_of(meter: ShotMeter) -> tuple[Rejected, ...]:
    """The same for a shot that did not verify: no seconds go with it."""
    result, case = meter.result, meter.case
    first = result.first
    return tuple(
        Rejected(
            shot=case.shot_name,
            size=case.size,
            backend=meter.backend.name,
            threads=meter.backend.threads,
            stage=stage,
            frame=case.frame,
            reason=result.rejected or "not verified",
            state_sha256=first.state_sha256 if first else None,
            picture_sha256=first.picture_sha256 if first else None,
            expected=case.expected,
            unavailable=result.unavailable,
        )
        for stage in ("frame", *LAPS)
    )


def _row(meter: ShotMeter, stage: str, options: Mapping[str, object]) -> Row:
    result, case, first = meter.result, meter.case, meter.result.first
    assert first is not None
    rounds, is_frame = result.good_rounds, stage == "frame"
    samples_s = tuple(result.samples_s(stage))
    return Row(
        shot=case.shot_name,
        size=case.size,
        backend=meter.backend.name,
        threads=meter.backend.threads,
        stage=stage,
        frame=case.frame,
        samples_s=samples_s,
        verified=result.verified,
        state_sha256=first.state_sha256,
        picture_sha256=first.picture_sha256,
        work=dict(first.work),
        work_sha256=work_digest(first.work),
        cold_s=result.cold_s.get(stage),
        compile_s=result.compile_s if is_frame else None,
        kernels_s=result.kernels_s() if stage == "kernels" else None,
        device=meter.backend.device_name,
        device_uuid=meter.backend.device_uuid,
        before_s=result.before_s() if is_frame else None,
        warnings=result.warnings or None if is_frame else None,
        cache="warm",  # as the frame before left it
        transfer_s=median([done.transfer_s for done in rounds]) if stage == "encode" else None,
        sm_clock_hz=tuple(done.sm_clock_hz for done in rounds) if is_frame else None,
        sm_clock_share=_clock_share(meter) if is_frame else None,
        joules=tuple(done.joules for done in rounds) if is_frame else None,
        states_compared=sum(done.compared for done in rounds) or None if is_frame else None,
        throttled_s=tuple(done.seconds[stage] for done in result.rounds if done not in rounds),
        benchmark=_benchmark(meter, stage, samples_s, options),
    )


def _clock_share(meter: ShotMeter) -> float | None:
    """What a card sustains of its highest clock: a note, not a judgement."""
    found_hz = median([done.sm_clock_hz for done in meter.result.good_rounds if done.sm_clock_hz is not None])
    highest_hz = meter.backend.clock_max_hz
    return found_hz / highest_hz if found_hz and highest_hz else None


def _benchmark(
    meter: ShotMeter, stage: str, samples_s: tuple[float, ...], options: Mapping[str, object]
) -> dict[str, object]:
    """What pytest-benchmark writes beside ``extra_info``."""
    from pytest_benchmark.stats import Stats

    is_frame = stage == "frame"
    parameter = meter.identity if is_frame else f"{meter.identity}-{stage}"
    name = f"{'frame' if is_frame else 'stage'}[{parameter}]"
    stats = Stats()
    for sample in samples_s:
        stats.update(sample)
    return {
        "group": group_of(meter),
        "name": name,
        "fullname": f"{SUITE.relative_to(CHECKOUT).as_posix()}::{name}",
        "params": {"shot": meter.identity, "stage": stage},
        "param": parameter,
        "options": options if is_frame else {**options, "timer": LAP_TIMER},
        "stats": {**stats.as_dict(), "data": samples_s, "iterations": 1},
    }


def group_of(meter: ShotMeter) -> str:
    """What pytest-benchmark groups the rows of a shot by."""
    return f"{meter.case.shot_name}-{meter.case.size}"
