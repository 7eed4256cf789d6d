"""Makes the projection: what a shot, and a film, would take on a cluster. Never a measurement, and labelled so.

A ``Projection`` names the record that it stands on, its assumptions, and for every time P10, P50 and P90, with the part
that comes from measuring alone beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from bench.base.errors import UserError
from bench.base.files import default_results
from bench.project.inputs.cluster import GPUS_MAX, Cluster, load_cluster
from bench.project.inputs.defaults import CLUSTER, FILM_SHOTS, FRAME_RATE, SHOT_S
from bench.project.inputs.evidence import series_folder
from bench.project.model import answers, limits
from bench.project.model.answers import FilmOutcome, Job, film_outcome, in_threads, shot_outcome
from bench.project.model.costs import Evidence, basis, measured_shots
from bench.project.model.scenario import Pair, Scenario, draw, make, pairs_of
from bench.project.model.tornado import film_tornado, shot_tornado
from bench.project.output import explain
from bench.project.output.claims import ClaimInputs, conditions, verdicts
from bench.project.output.result import (
    Claims,
    ClusterBasis,
    DrawCounts,
    FilmAnswer,
    Projection,
    Quantiles,
    RecordBasis,
    ShotAnswer,
    StageSeconds,
    SweepRow,
    Times,
    Tornado,
)
from bench.record.read import in_order, list_records
from bench.record.schema import INCOMPLETE, Record, Row
from bench.shot.sizes import SIZE_NAMES

SHOTS_MAX, SECONDS_MAX, SWEEP_MAX, FILM_FRAMES_MAX = 100_000, 3600.0, 24, 3_000_000
NEVER_ENDS = "in some draws it never ends, tasks are lost faster than they end"
WHOLE_FRAMES, WORLD_FRAMES, SWEEP_FRAMES = 2e5, 4e4, 1e4  # of a simulated film; a larger one is simulated in part


@dataclass(frozen=True)
class Effort:
    """How many worlds are drawn."""

    worlds: int
    measured_worlds: int
    film_worlds: int
    sweep_worlds: int
    tornado: bool


FULL = Effort(worlds=120, measured_worlds=60, film_worlds=16, sweep_worlds=24, tornado=True)
BRIEF = Effort(worlds=60, measured_worlds=40, film_worlds=6, sweep_worlds=0, tornado=False)


def project(
    record: Record,
    *,
    gpus: int | None = None,
    size: str | None = None,
    seconds: float = SHOT_S,
    frames: int | None = None,
    film_shots: int = FILM_SHOTS,
    only: Sequence[str] = (),
    others: Sequence[Record] = (),
    cluster: Cluster | None = None,
    sweep: Sequence[int] = (),
    my_frame_hours: float | None = None,
    simulate_gpus: int = 1,
    effort: Effort = FULL,
) -> Projection:
    """Project the record's verified shots. ``others`` may hold series and GPU records.

    Raises UserError where an argument cannot be used or the record has no shot to project.
    """
    cluster = cluster or load_cluster(CLUSTER)
    gpus = cluster.gpu_count if gpus is None else gpus
    _validate_arguments(gpus, size, seconds, frames, film_shots, sweep, my_frame_hours, simulate_gpus)
    cluster = cluster.with_gpus(gpus) if gpus != cluster.gpu_count else cluster
    count = frames or max(1, round(seconds * FRAME_RATE))
    if film_shots * count > FILM_FRAMES_MAX:
        raise UserError(f"--shots: expected a film of at most {FILM_FRAMES_MAX:,} frames, got {film_shots * count:,}")
    pairs, flags = _pairs(record, size, only, others)
    job = Job(count, simulate_gpus, frame_s=None if my_frame_hours is None else my_frame_hours * 3600.0)

    worlds = draw(pairs, cluster, effort.worlds, assumed=True)
    measured = draw(pairs, cluster, effort.measured_worlds, assumed=False)
    likely = make(pairs, cluster)
    shots = tuple(_shot(pair, index, worlds, measured, likely, job, gpus) for index, pair in enumerate(pairs))
    film = _film(pairs, draw(pairs, cluster, effort.film_worlds, assumed=True), likely, job, film_shots, gpus)
    tornado = None
    if effort.tornado:
        tornado = Tornado(
            shot=shot_tornado(pairs, cluster, job, gpus, measured),
            film=film_tornado(pairs, cluster, job, film_shots, gpus, measured),
        )
    claimed = _claim_inputs(pairs, shots, film, gpus)
    return Projection(
        record=_record_basis(record),
        cluster=ClusterBasis(cluster.name, cluster.path, cluster.gpu_kind, cluster.currency),
        gpus=gpus,
        frames=count,
        shot_length_s=count / FRAME_RATE,
        threads=pairs[0].cpu.threads,
        my_frame_hours=my_frame_hours,
        simulate_gpus=simulate_gpus,
        worlds=DrawCounts(all=effort.worlds, measured=effort.measured_worlds, film=effort.film_worlds),
        shots=shots,
        film=film,
        sweep=_sweep(pairs, cluster, job, film_shots, sweep, effort),
        tornado=tornado,
        flags=tuple(dict.fromkeys([*flags, *(flag for shot in shots for flag in shot.flags), *film.flags])),
        stands_on=explain.stands_on(pairs, cluster),
        claims=Claims(verdicts(claimed), conditions(claimed)),
    )


def summary(record: Record, gpus: int | None = None) -> Projection | None:
    """The projection that ends a run: film size where the shot has it; None where no shot has all its stages."""
    if not measured_shots(record, "numba"):
        return None
    return project(record, gpus=gpus, others=known_records(record.path.parent.parent), effort=BRIEF)


def known_records(results: Path) -> list[Record]:
    """What may stand beside a record: those of its results folder, and the series there and of the checkout."""
    own = results.resolve()
    folders = dict.fromkeys((series_folder(default_results()).resolve(), series_folder(own), own))
    return [record for folder in folders for record in list_records(folder)[0]]


def _record_basis(record: Record) -> RecordBasis:
    return RecordBasis(
        path=str(record.path),
        time=record.time,
        machine=record.machine_id,
        commit=record.commit,
        clean=record.clean,
        complete=record.complete,
    )


def _validate_arguments(
    gpus: int,
    size: str | None,
    seconds: float,
    frames: int | None,
    film_shots: int,
    sweep: Sequence[int],
    my_frame_hours: float | None,
    simulate_gpus: int,
) -> None:
    if size is not None and size not in SIZE_NAMES:
        raise UserError(f"--size: expected one of {', '.join(SIZE_NAMES)}, got {size[:40]!r}")
    _require_between("--gpus", gpus, 1, GPUS_MAX)
    _require_between("--shots", film_shots, 1, SHOTS_MAX)
    _require_between("--seconds", seconds, 1.0 / FRAME_RATE, SECONDS_MAX)
    _require_between("--frames", frames if frames is not None else 1, 1, int(SECONDS_MAX * FRAME_RATE))
    _require_between("--my-frame-hours", 1.0 if my_frame_hours is None else my_frame_hours, 1e-6, 1e5)
    _require_between("--simulate-gpus", simulate_gpus, 1, 1024)
    if len(sweep) > SWEEP_MAX:
        raise UserError(f"--sweep: expected at most {SWEEP_MAX} numbers of GPUs, got {len(sweep)}")
    for number in sweep:
        _require_between("--sweep", number, 1, GPUS_MAX)


def _require_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{name}: expected a number from {low:g} to {high:g}, got {value:g}")


def _pairs(
    record: Record, size: str | None, only: Sequence[str], others: Sequence[Record]
) -> tuple[list[Pair], list[str]]:
    """The shots of the record at the wanted size, on the CPU and, where some record has them, on a GPU."""
    found = [rows for rows in measured_shots(record, "numba") if not only or rows["simulate"].shot in only]
    missing = sorted(set(only) - {rows["simulate"].shot for rows in found})
    if not found or missing:
        wanted = f" {', '.join(missing or only)}" if missing or only else ""
        why = "" if record.complete else f" (this record is {INCOMPLETE}: {_stages_of(record)})"
        raise UserError(
            f"{record.path}: expected verified CPU rows of every stage of a shot{wanted}{why}; shotmark run makes them"
        )
    evidence = Evidence(others)
    cpu = [basis(record, rows, size, evidence) for rows in found]
    newest: dict[str, tuple[Record, dict[str, Row]]] = {}
    for other in in_order((*others, record)):
        if not other.run.get("series"):
            newest |= {rows["simulate"].shot: (other, rows) for rows in measured_shots(other, "cupy")}
    gpu = {b.shot: basis(*newest[b.shot], b.size, evidence) for b in cpu if b.shot in newest}
    stands_on = [record, *(newest[shot][0] for shot in gpu)]
    flags = [f"{one.path} is {INCOMPLETE}" for one in stands_on if not one.complete]
    flags += [flag for b in (*cpu, *gpu.values()) for flag in b.flags]
    if len(gpu) < len(cpu):
        flags.append("the GPU's speed is an assumption: no GPU record has these shots")
    if not all(b.fitted for b in cpu):
        flags.append("growth is an assumption: no series of sizes was measured (shotmark backtest --measure sizes)")
    return pairs_of(cpu, gpu), flags


def _stages_of(record: Record) -> str:
    """``wave S simulate, surface; lava S simulate``: what the CPU's rows of a record are of."""
    found: dict[str, list[str]] = {}
    for row in record.rows:
        if row.backend == "numba":
            found.setdefault(f"{row.shot} {row.size}", []).append(row.stage)
    return "; ".join(f"{shot} {', '.join(dict.fromkeys(stages))}" for shot, stages in found.items()) or "no rows"


def _shot(
    pair: Pair,
    index: int,
    worlds: Sequence[Scenario],
    measured: Sequence[Scenario],
    likely: Scenario,
    job: Job,
    gpus: int,
) -> ShotAnswer:
    def both(answer: Callable[[Scenario], float]) -> Times:
        return Times.of_draws([answer(world) for world in worlds], [answer(world) for world in measured])

    @cache
    def on(number: int) -> Times:
        return both(lambda world: shot_outcome(pair, index, world, job, number).makespan_s)

    middle = shot_outcome(pair, index, likely, job, gpus)
    enough = answers.enough_gpus(pair, index, likely, job)
    seconds = job.seconds(likely.shots[index])
    on_gpus, on_one, on_frames = on(gpus), on(1), on(min(job.frames, gpus))
    flags = list(limits.flags(middle, likely.sample(gpus)))
    if any(value is None for times in (on_gpus, on_one, on_frames) for value in vars(times).values()):
        flags.append(NEVER_ENDS)
    return ShotAnswer(
        shot=pair.cpu.shot,
        measured_size=pair.cpu.measured_size,
        size=pair.cpu.size,
        particles=pair.cpu.there.particles,
        samples_per_frame=pair.cpu.there.samples,
        gpu_basis=pair.gpu_basis,
        frame={name: StageSeconds(seconds.cpu[name], seconds.gpu[name]) for name in seconds.cpu},
        cpu_s=both(lambda world: answers.cpu_shot_s(pair, index, world, job)),
        gpus_s=on_gpus,
        one_gpu_s=on_one,
        frame_a_gpu_s=on_frames,
        chain_s=both(lambda world: answers.gpu_chain_s(pair, index, world, job)),
        tasks_per_frame=answers.parts_for(job.frames, gpus),
        bounds_s=limits.bounds_s(middle, likely.sample(gpus)),
        utilisation=middle.utilisation,
        enough_gpus=enough.gpus,
        best_s=enough.best_s if math.isfinite(enough.best_s) else None,
        bound_by=enough.why,
        flags=tuple(f"{pair.cpu.shot}: {flag}" for flag in flags),
    )


def _film(
    pairs: Sequence[Pair], worlds: Sequence[Scenario], likely: Scenario, job: Job, film_shots: int, gpus: int
) -> FilmAnswer:
    found = in_threads(lambda world: film_outcome(pairs, world, job, film_shots, gpus, WORLD_FRAMES), worlds)
    middle = film_outcome(pairs, likely, job, film_shots, gpus, WHOLE_FRAMES)
    flags = list(middle.flags)
    if not all(one.finished for one in (*found, middle)):
        flags.append(NEVER_ENDS)
    passes = [world.values["passes"] for world in worlds]
    share = [world.values["availability"] for world in worlds]

    def of(value: Callable[[FilmOutcome], float], times: Sequence[float] | None = None) -> Quantiles:
        return Quantiles.of([value(one) * t for one, t in zip(found, times or [1.0] * len(found))])

    return FilmAnswer(
        shots=film_shots,
        frames=middle.frames,
        tasks=middle.task_count,
        once_s=of(lambda one: one.makespan_s),
        with_passes_s=of(lambda one: one.makespan_s, [p / a for p, a in zip(passes, share)]),
        passes=Quantiles.of(passes),
        utilisation=of(lambda one: one.utilisation),
        gpu_hours=of(lambda one: one.gpu_hours),
        gpu_hours_with_passes=of(lambda one: one.gpu_hours, passes),
        busy_gpu_hours=of(lambda one: one.busy_gpu_hours),
        energy_kwh=of(lambda one: one.energy_kwh),
        price=of(lambda one: one.price),
        price_with_passes=of(lambda one: one.price, passes),
        energy_price=of(lambda one: one.energy_price),
        storage_bytes=of(lambda one: one.storage_bytes),
        link_bytes=of(lambda one: one.link_bytes),
        upload_s=of(lambda one: one.upload_s),
        shots_per_day=Quantiles.of([film_shots / one.makespan_s * 86400.0 for one in found]),
        bounds_s={"work": middle.busy_gpu_hours * 3600.0 / gpus},
        gpu_hours_a_shot=Quantiles.of([one.busy_gpu_hours / film_shots for one in found]),
        uploads=explain.uploads(middle.link_bytes, float(middle.frames), likely.sample(gpus)),
        flags=tuple(f"the film: {flag}" for flag in flags),
    )


def _sweep(
    pairs: Sequence[Pair],
    cluster: Cluster,
    job: Job,
    film_shots: int,
    numbers: Sequence[int],
    effort: Effort,
) -> tuple[SweepRow, ...]:
    """Shots and film on each number of GPUs; storage and link stay those of the cluster."""
    if not numbers:
        return ()
    worlds = draw(pairs, cluster, max(1, effort.sweep_worlds), assumed=True)
    rows = []
    for number in dict.fromkeys(numbers):
        shots = {
            pair.cpu.shot: Quantiles.of([shot_outcome(pair, i, world, job, number).makespan_s for world in worlds])
            for i, pair in enumerate(pairs)
        }
        made = partial(film_outcome, pairs, job=job, film_shots=film_shots, gpus=number, part_frames=SWEEP_FRAMES)
        film = [one.makespan_s for one in in_threads(made, worlds[:: len(worlds) // 8 or 1])]
        rows.append(SweepRow(number, shots, Quantiles.of(film)))
    return tuple(rows)


def _claim_inputs(pairs: Sequence[Pair], shots: Sequence[ShotAnswer], film: FilmAnswer, gpus: int) -> ClaimInputs:
    return ClaimInputs(
        cpu_s=_over_all([shot.cpu_s for shot in shots]),
        one_gpu_s=_over_all([shot.one_gpu_s for shot in shots]),
        frame_a_gpu_s=_over_all([shot.frame_a_gpu_s for shot in shots]),
        gpus_s=_over_all([shot.gpus_s for shot in shots]),
        threads=pairs[0].cpu.threads,
        gpus=gpus,
        film_gpu_hours=film.gpu_hours,
        passes=film.passes.p50 or 1.0,
        film_shots=film.shots,
        size="/".join(sorted({shot.size for shot in shots})),
        gpu_measured=all(pair.gpu is not None for pair in pairs),
    )


def _over_all(times: Sequence[Quantiles]) -> Quantiles:
    """From the shortest P10 to the longest P90 of several shots, and the middle one of their P50."""
    low = [one.p10 for one in times if one.p10 is not None]
    middle = sorted(one.p50 for one in times if one.p50 is not None)
    high = [one.p90 for one in times if one.p90 is not None]
    return Quantiles(
        p10=min(low) if low else None,
        p50=middle[len(middle) // 2] if middle else None,
        p90=max(high) if len(high) == len(times) else None,
    )
