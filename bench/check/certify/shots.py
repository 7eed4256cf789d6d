"""Parts of a certificate that make frames: shots at every size, and what a frame takes of the board's energy."""

from __future__ import annotations

import dataclasses
import time

from bench.base.errors import ShotmarkError
from bench.check.certify.session import Session
from bench.measure.meter import ROUNDS_MIN
from bench.measure.plugin import measure_into, meters_of
from bench.record.certificate import FAILED, LEFT_OUT, NOTED, PASSED, Finding


def shots(session: Session, size: str) -> Finding:
    """Shots at one size: golden or repeated bits, then all three times; the CPU beside a GPU where it is small.

    Frames before the measured one are held against their golden hashes too, where there are any.
    """
    from bench.check.cases import make_cases
    from bench.pipeline.makers import MAKERS, require_memory

    limits, forecast = session.limits, session.forecast
    beside = session.on_gpu and size in limits.cpu_sizes
    if beside or not session.on_gpu:
        session.await_compiled()
    else:
        session.await_modules()
    done, unfit = 0, 0
    lines: list[str] = []
    wrong: list[str] = []
    asked = session.shots()
    for shot in asked:
        backends = [session.cpu, session.backend] if beside else [session.backend]
        try:
            require_memory(shot, size, session.backend)
        except ShotmarkError as error:
            lines.append(str(error))
            unfit += 1
            continue
        frame = min(limits.frame, shot.frames)
        frames = frame + 2  # the measured one, its repeat, and a round
        backends = [one for one in backends if forecast.seconds(shot, size, one, frames) < session.left_s]
        if not backends:
            lines.append(f"{shot.name} {size}: it would take longer than the time left")
            unfit += 1
            continue
        start = time.monotonic()
        draft = session.certificate.draft
        cases = make_cases([shot], size, frame, _rounds(session, size), earlier=True)
        makers = dataclasses.replace(MAKERS, build_scene=forecast.timed(MAKERS.build_scene))
        meters = meters_of(cases, backends, makers, draft.slot.pictures)
        plugin = measure_into(draft, meters, session.results, session.progress, session.deadline)
        forecast.spent_s[shot.name, size] = time.monotonic() - start
        for meter in meters:
            if meter.backend.is_gpu and meter.last_frame_s > 0.0:
                forecast.frame_s.setdefault(shot.name, {})[size] = meter.last_frame_s
        results = {identity: meter.result for identity, meter in plugin.meters.items()}
        unfit += bool(plugin.left_out)
        lines += [f"{identity}: no time left" for identity in plugin.left_out]
        lines += [meter.in_words() for meter in plugin.meters.values() if meter.result.verified and meter.result.rounds]
        wrong += [f"{identity}: {result.rejected}" for identity, result in results.items() if result.rejected]
        if len({result.first.state_sha256 for result in results.values() if result.first}) > 1:
            wrong.append(f"{shot.name}: the states of {' and '.join(results)} differ")
        done += not plugin.left_out
    if wrong:
        return Finding(FAILED, "; ".join(wrong)[:300], {"lines": [*lines, *wrong]})
    verdict = PASSED if done and not unfit else LEFT_OUT
    return Finding(verdict, f"{done} of {len(asked)} shots proved and timed", {"lines": lines})


def _rounds(session: Session, size: str) -> int:
    """Fewer where a round is long."""
    limits = session.limits
    return limits.rounds if size == limits.sizes[0] else min(limits.rounds, ROUNDS_MIN)


def energy(session: Session) -> Finding:
    """Joules of a frame, by the board's own counter: informative."""
    from bench.measure.timed_frame import frames_energy
    from bench.pipeline.makers import MAKERS

    if not session.on_gpu:
        return Finding(LEFT_OUT, "only a GPU's counter is read")
    meter = session.gpu.energy_meter()
    if meter is None or meter.joules() is None:
        return Finding(LEFT_OUT, "the driver shows no energy counter of this GPU alone")
    size, least_s = session.limits.sizes[0], session.limits.energy_s
    data = [
        frames_energy(meter, MAKERS, session.backend, shot, size, least_s)
        for shot in session.shots()
        if not session.late
    ]
    if not data:
        return Finding(LEFT_OUT, "no time left")
    known = [f"{row['shot']} {row['joules_per_frame']:.3g} J" for row in data if row["joules_per_frame"]]
    return Finding(NOTED, f"a frame at {size}: {', '.join(known) or 'unknown'} (informative)", data)
