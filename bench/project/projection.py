"""A first projection: what a film shot, and a film, would take on many GPUs. Never a measurement, and labelled so.

``project`` gives a plain document whose ``kind`` is "projected": it names the record that it stands on, its
assumptions, and for every time three values, all assumptions short, likely and long. That is a range, not a
confidence interval. A record's reader refuses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from bench.errors import UserError
from bench.project.assumptions import CASES, assumptions, claims
from bench.project.cost import (
    FrameCost,
    Measured,
    Work,
    check_size,
    cpu_cost,
    gpu_cost,
    grow,
    matching_gpu,
    measured_shots,
    target_work,
)
from bench.project.schedule import film_bounds_s, shot_makespan_s, split_for
from bench.record import Record

FRAME_RATE = 24.0
FILM_SIZE = "XL"
SHOT_S, FILM_SHOTS, GPUS = 2.5, 1900, 1000
GPUS_MAX, SHOTS_MAX, SECONDS_MAX = 1_000_000, 1_000_000, 3600.0
NEAR = 1.05  # a shot has stopped getting faster when it is this near to its best
KEYS = {"fast": "low", "likely": "likely", "slow": "high"}


def project(
    record: Record,
    *,
    gpus: int = GPUS,
    size: str | None = None,
    seconds: float = SHOT_S,
    film_shots: int = FILM_SHOTS,
    only: Sequence[str] = (),
    others: Sequence[Record] = (),
) -> dict[str, Any]:
    """Project the record's verified shots. ``others`` may hold GPU records.

    Raises UserError where an argument cannot be used or the record has no shot to project.
    """
    check_size(size)
    _check("--gpus", gpus, 1, GPUS_MAX)
    _check("--shots", film_shots, 1, SHOTS_MAX)
    _check("--seconds", seconds, 1.0 / FRAME_RATE, SECONDS_MAX)
    measured = [shot for shot in measured_shots(record, "numba") if not only or shot.shot in only]
    if not measured:
        wanted = f" {', '.join(only)}" if only else ""
        raise UserError(
            f"{record.path}: expected verified CPU rows of every stage of a shot{wanted}; shotmark run makes them"
        )
    frames = max(1, round(seconds * FRAME_RATE))
    fastest = max(shot.particle_substeps_per_s for shot in measured)
    shots = [_shot(shot, size, frames, gpus, fastest, others) for shot in measured]
    return {
        "kind": "projected",
        "record": {
            "path": str(record.path),
            "time": record.time,
            "machine": record.machine_id,
            "commit": record.commit,
        },
        "gpus": gpus,
        "frames": frames,
        "shot_length_s": seconds,
        "threads": measured[0].threads,
        "shots": shots,
        "film": _film(shots, film_shots, gpus),
        "claims": _claims(shots),
        "assumptions": [
            {"name": a.name, "text": a.text, "unit": a.unit, "low": a.fast, "likely": a.likely, "high": a.slow}
            | {"source": a.source}
            for a in assumptions().values()
        ],
    }


def summary(record: Record, gpus: int = GPUS) -> dict[str, Any] | None:
    """The projection that ends a run: film size where the shot has it; None where no shot has all its stages."""
    if not measured_shots(record, "numba"):
        return None
    return project(record, gpus=gpus)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{name}: expected a number from {low:g} to {high:g}, got {value:g}")


def _target(shot: Measured, size: str | None) -> tuple[str, Work]:
    """The size to project to. Unless it was asked for, a shot that does not have film size stays as measured."""
    try:
        return size or FILM_SIZE, target_work(shot, size or FILM_SIZE)
    except UserError:
        if size is not None:
            raise
        return shot.size, shot.work


def _shot(
    shot: Measured, size: str | None, frames: int, gpus: int, fastest: float, others: Sequence[Record]
) -> dict[str, Any]:
    name, there = _target(shot, size)
    found = matching_gpu(others, shot)
    split = split_for(frames, gpus)
    cpu_s, gpu_1_s, frame_a_gpu_s, gpus_s, chain_s, work_s = {}, {}, {}, {}, {}, {}
    for case in CASES:
        grown = grow(cpu_cost(shot, case), shot.work, there, case)
        gpu = gpu_cost(grown, shot, there, case, fastest, found[0] if found else None)
        key = KEYS[case]
        cpu_s[key] = frames * grown.total_s
        gpu_1_s[key] = makespan_s(gpu, case, frames, 1, 1)
        frame_a_gpu_s[key] = makespan_s(gpu, case, frames, 1, frames)
        gpus_s[key] = makespan_s(gpu, case, frames, split, gpus)
        chain_s[key] = frames * gpu.simulate_s
        work_s[key] = gpu_1_s[key]
        if case == "likely":
            enough, why = _enough(gpu, frames)
            stages = {
                stage: {"cpu_s": getattr(grown, f"{stage}_s"), "gpu_s": getattr(gpu, f"{stage}_s")} for stage in _STAGES
            }
    return {
        "shot": shot.shot,
        "measured_size": shot.size,
        "size": name,
        "particles": there.particles,
        "samples_per_frame": there.samples,
        "particle_substeps_growth_ratio": there.particle_substeps / shot.work.particle_substeps,
        "samples_growth_ratio": there.samples / shot.work.samples,
        "gpu_basis": f"measured: {found[1].path}" if found else "assumption",
        "frame": stages,
        "cpu_s": cpu_s,
        "one_gpu_s": gpu_1_s,
        "one_frame_a_gpu_s": frame_a_gpu_s,
        "gpus_s": gpus_s,
        "tasks_per_frame": split,
        "chain_s": chain_s,
        "work_s": work_s,
        "enough_gpus": enough,
        "bound_by": why,
        "cpu_to_gpu_ratio": {key: cpu_s[key] / gpu_1_s[key] for key in cpu_s},
    }


_STAGES = ("simulate", "surface", "trace", "resolve", "encode")


def makespan_s(gpu: FrameCost, case: str, frames: int, split: int, gpus: int) -> float:
    """A shot on GPUs. Every task of a frame builds the surface for itself; its CPU encodes beside the next task."""
    task_s = assumptions()["dispatch"].at(case) + gpu.surface_s + (gpu.trace_s + gpu.resolve_s) / split
    return shot_makespan_s(gpu.simulate_s, task_s, frames, split, gpus) + gpu.encode_s


def _enough(gpu: FrameCost, frames: int) -> tuple[int, str]:
    """GPUs beyond which the shot gets no faster, and what holds it."""
    counts = [2**n for n in range(15)]
    times = [makespan_s(gpu, "likely", frames, split_for(frames, n), n) for n in counts]
    best = min(times)
    enough = next(n for n, t in zip(counts, times) if t <= NEAR * best)
    chain = frames * gpu.simulate_s
    return (
        enough,
        "the simulation: frame follows frame"
        if chain > 0.5 * best
        else "the surface, which every task builds for itself",
    )


def _film(shots: Sequence[dict[str, Any]], film_shots: int, gpus: int) -> dict[str, Any]:
    """A film of ``film_shots`` shots like the measured ones, in equal parts: once, and with every frame made again."""
    known = assumptions()
    once_s: dict[str, float] = {}
    passes_s: dict[str, float] = {}
    hours, price = {}, {}
    for case in CASES:
        key = KEYS[case]
        mean = math.fsum(shot["work_s"][key] for shot in shots) / len(shots)
        longest = max(shot["one_frame_a_gpu_s"][key] for shot in shots)
        passes = known["passes"].at(case)
        for target, times in ((once_s, 1.0), (passes_s, passes)):
            least, most = film_bounds_s([mean * film_shots * times], longest, gpus)
            target[key] = (least if case == "fast" else most) / known["utilisation"].at(case)
        hours[key] = mean * film_shots * passes / 3600.0
        price[key] = hours[key] * known["price"].at(case)
    return {
        "shots": film_shots,
        "once_s": once_s,
        "with_passes_s": passes_s,
        "passes": {KEYS[case]: known["passes"].at(case) for case in CASES},
        "gpu_hours": hours,
        "price_usd": price,
    }


def _claims(shots: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The two claims about one shot: does the projected range meet the claimed one, on one machine and on many?"""
    rows = []
    for name, key in (("shot_ordinary", "cpu_s"), ("shot_centre", "one_frame_a_gpu_s"), ("shot_centre", "gpus_s")):
        claim = claims()[name]
        low, high = min(s[key]["low"] for s in shots), max(s[key]["high"] for s in shots)
        if high < claim["low"]:
            verdict = "shorter than claimed"
        elif low > claim["high"]:
            verdict = "longer than claimed"
        else:
            verdict = "consistent"
        rows.append(
            {"claim": name, "text": claim["text"], "source": claim["source"], "what": key}
            | {"claimed_s": {"low": claim["low"], "high": claim["high"]}, "projected_s": {"low": low, "high": high}}
            | {"verdict": verdict}
        )
    return rows


def show(document: dict[str, Any], say: Callable[..., None]) -> None:
    """The projection as tables, through a console's print."""
    from bench.project.table import lines

    for line in lines(document):
        say(line)
