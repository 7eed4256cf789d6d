"""How the render stage scales over the GPUs of one machine: one frame of each shot, on one of them and on all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.backend.protocol import Backend
from bench.base import units
from bench.measure.meter import ShotCase
from bench.pipeline.gpu_pool.pool import Worker, measure_scaling
from bench.pipeline.gpu_pool.process import workers_of
from bench.record.schema import ScalingRow
from bench.record.write import Draft

MakeWorkers = Callable[[Backend], Sequence[Worker]]


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
        scene = MAKERS.build_scene(case.shot, case.size, threads=gpus[0].threads)
        simulation = MAKERS.simulation(scene, gpus[0])
        for _ in range(case.frame):
            simulation.advance_frame()
        state, _ = simulation.crossed(whole=False)
        del simulation
        gpus[0].release()  # the worker of this GPU is another process: it has only what the driver has back
        workers = make_workers(gpus[0])
        try:
            for worker in workers:
                worker.begin(scene)
            rows = measure_scaling(workers, case.frame, state)
        finally:
            for worker in workers:
                worker.close()
        found[case.shot_name] = tuple(
            ScalingRow(row.devices, row.frames, row.seconds, row.frames_by_device, row.handover_s, row.handover_bytes)
            for row in rows
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
                f" {100.0 * ratio / row.devices:.0f} % of proportional{_handover(row)}"
            )
    return lines


def _handover(row: ScalingRow) -> str:
    """What of a frame was crossing, where it was noted."""
    if row.handover_s is None or row.handover_bytes is None:
        return ""
    many = units.byte_size(row.handover_bytes)
    return f"; of a frame {units.seconds(row.handover_s)} is handing over {many} through the host"
