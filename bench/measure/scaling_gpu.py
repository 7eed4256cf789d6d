"""How the render stage scales over the GPUs of one machine: one frame of each shot, on one of them and on all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.backend.protocol import Backend
from bench.base import units
from bench.measure.meter import ShotCase
from bench.pipeline.gpu_pool import Worker, measure_scaling, workers_of
from bench.record.schema import ScalingRow
from bench.record.write import Draft

MakeWorkers = Callable[[str, str, Backend], Sequence[Worker]]


def measure_all_devices(
    cases: Sequence[ShotCase], backends: Sequence[Backend], draft: Draft, make_workers: MakeWorkers = workers_of
) -> dict[str, tuple[ScalingRow, ...]]:
    """Scaling by shot, also written into the record as ``shotmark.scaling`` after each; empty without a GPU.

    Raises CheckFailed when two devices make different pictures.
    """
    from bench.pipeline.makers import MAKERS

    found: dict[str, tuple[ScalingRow, ...]] = {}
    gpus = [backend for backend in backends if backend.is_gpu]
    for case in cases if gpus else ():
        simulation = MAKERS.simulation(MAKERS.build_scene(case.shot, case.size, threads=gpus[0].threads), gpus[0])
        for _ in range(case.frame):
            simulation.advance_frame()
        state = simulation.snapshot()
        del simulation
        workers = make_workers(case.shot.path, case.size, gpus[0])
        try:
            rows = measure_scaling(workers, case.frame, state)
        finally:
            for worker in workers:
                worker.close()
        found[case.shot_name] = tuple(
            ScalingRow(row.devices, row.frames, row.seconds, row.frames_by_device) for row in rows
        )
        draft.scaling = dict(found)
        draft.save()
    return found


def scaling_lines(found: Mapping[str, Sequence[ScalingRow]]) -> list[str]:
    """A line a shot and number of devices, both absolute rates beside the ratio."""
    lines = []
    for shot, rows in found.items():
        one = rows[0]
        for row in rows:
            per_frame = units.seconds(1.0 / row.frames_per_s)
            ratio = row.frames_per_s / one.frames_per_s
            word = "GPU" if row.devices == 1 else "GPUs"
            lines.append(
                f"{shot}: render on {row.devices} {word}: {per_frame} a frame, {ratio:.2f} x one,"
                f" {100.0 * ratio / row.devices:.0f} % of proportional; states cross the host"
            )
    return lines
