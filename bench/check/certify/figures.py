"""What the parts of a certificate take: a host's figures measured, a GPU's predicted until one has run it.

    python -m bench.check.certify.figures

prints the ``[host]`` table of ``figures.toml`` for this machine, in some minutes; nothing else should run meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.backend.limits import usable_cores
from bench.check.golden import GOLDEN_SIZE
from bench.record import machine
from bench.record.schema import Record
from bench.record.statistics import median

FIGURES = Path(__file__).with_name("figures.toml")


@dataclass(frozen=True)
class HostFigures:
    """Of one machine's CPU. What all cores share is in core-seconds, what one core does alone in seconds."""

    machine: str  # id of the machine
    cores: int
    numba_core_s: float  # compiling every kernel, and what builds scenes
    numba_longest_s: float  # of the family that takes longest: one worker does it
    numba_hot_core_s: float  # of the families that hold the hot kernels
    nvrtc_s: float  # every text for one architecture
    hot_twins_s: float  # examples and CPU side of the hot kernels at all sizes
    other_twins_s: float
    gpu_examples_s: dict[str, float]  # by kernel, of the size that a GPU is timed at
    scene_s_per_particle: float  # of one core
    checks_core_s: float
    digest_bytes_per_s: float  # SHA-256, one core
    frame_core_s: dict[str, float]  # by shot, one frame at S


@dataclass(frozen=True)
class GpuFigures:
    """Of one GPU."""

    name: str
    start_s: float  # until the first part begins to compile
    roofs_s: float
    particle_sound_steps_per_s: dict[str, float]  # by shot
    substep_least_s: float  # of one sound step
    sound_step_least_s: float  # of each further one
    paths_per_s: dict[str, float]  # by shot
    brick_s: float  # surface and fog, for each brick with values
    frame_least_s: float
    encode_pixels_per_s: float
    copy_bytes_per_s: float  # between host and device
    kernel_rounds_s: float
    energy_s: float  # of one shot
    memory_bytes: float
    sanitizer_start_s: float
    sanitizer_kernel_s: float


def load_figures() -> tuple[HostFigures, GpuFigures]:
    """What is committed."""
    table = tomllib.loads(FIGURES.read_text(encoding="utf-8"))
    return HostFigures(**table["host"]), GpuFigures(**table["gpu"])


def with_records(host: HostFigures, records: Sequence[Record]) -> HostFigures:
    """With what records of this machine, in their order, say instead: frames at S on the CPU."""
    rows = [row for record in records for row in record.rows]
    found = {
        row.shot: (median(row.samples_s) or 0.0) * row.threads
        for row in rows
        if row.stage == "frame" and row.size == GOLDEN_SIZE and row.threads and row.samples_s
    }
    return replace(host, frame_core_s={**host.frame_core_s, **found})


# --- Measuring ----------------------------------------------------------------------------------------


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _numba_seconds(names: list[str]) -> dict[str, float]:
    """Seconds of one worker for each name, with nothing in its cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "NUMBA_NUM_THREADS": "1"}
        worker = subprocess.Popen(
            [sys.executable, "-m", "bench.backend.ahead"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).resolve().parents[3],
        )
        assert worker.stdin is not None and worker.stdout is not None
        seconds = {}
        for name in names:
            start = time.perf_counter()
            print(name, file=worker.stdin, flush=True)
            worker.stdout.readline()
            seconds[name] = time.perf_counter() - start
        worker.stdin.close()
        worker.wait()
    return seconds


def _nvrtc_seconds() -> float:
    from kernels.base import nvrtc, source

    def compile_all() -> None:
        for name in source.twins():
            nvrtc.compile_text(source.assemble(name), "sm_90")

    return timed(compile_all)


def _digest_rate() -> float:
    block = bytes(2**24)
    seconds = [timed(lambda: hashlib.sha256(block)) for _ in range(5)]
    return len(block) / min(seconds)


def _frames(threads: int) -> tuple[dict[str, float], float]:
    """(core-seconds of a frame at S by shot, seconds of one core for each particle of a scene at M)"""
    from bench.backend.numba_cpu import NumbaBackend
    from bench.pipeline.frame import make_frame
    from bench.pipeline.makers import MAKERS
    from bench.shot.load import load_shot, shot_names

    backend, frame_core_s = NumbaBackend(threads), {}
    scene_s, particles = 0.0, 0
    for name in shot_names():
        shot = load_shot(name)
        MAKERS.build_scene(shot, "M")  # compiles, touches
        start = time.perf_counter()
        particles += MAKERS.build_scene(shot, "M").initial_count
        scene_s += time.perf_counter() - start
        scene = MAKERS.build_scene(shot, GOLDEN_SIZE)
        simulation, renderer = MAKERS.simulation(scene, backend), MAKERS.renderer(scene, backend)
        seconds = [timed(partial(make_frame, simulation, renderer, frame)) for frame in (1, 2, 3)]
        frame_core_s[name] = threads * (median(seconds[1:]) or 0.0)
    return frame_core_s, threads * scene_s / particles


def _twins_seconds(names: list[str], sizes: tuple[int, ...]) -> float:
    """Examples, and the CPU's side of a proof: what a GPU does beside is short."""
    from bench.backend.same_bits import on_cpu
    from bench.check.certify.proofs import TWIN_LONG_S, twin_forecast_s
    from bench.measure.kernels import make_example
    from kernels.base.registry import kernel_named

    def run(name: str, size: int) -> None:
        kernel = kernel_named(name)
        on_cpu(kernel, make_example(kernel, size), 1)

    total_s = 0.0
    for name in names:
        spent_s = tried = 0.0
        for size in sizes:
            if tried and twin_forecast_s(spent_s, tried, size) >= TWIN_LONG_S:
                break
            spent_s, tried = timed(partial(run, name, size)), size
            total_s += spent_s
    return total_s


def measure(cores: int) -> HostFigures:
    """This machine's figures; some minutes."""
    from bench.backend.ahead import families
    from bench.backend.numba_cpu import NumbaBackend
    from bench.check.certify.session import HOT, Limits
    from bench.check.certify.speed import GPU_SIZES
    from bench.check.physics import CHECKS
    from bench.measure.kernels import make_example
    from bench.pipeline.makers import COMPILED
    from kernels.base.registry import kernel_named, kernel_names

    found = families([*(module.__name__ for module in COMPILED), *kernel_names()])
    numba_s = [sum(_numba_seconds(family).values()) for family in found]
    hot_s = sum(seconds for family, seconds in zip(found, numba_s) if set(family) & set(HOT))
    frame_core_s, scene_s = _frames(cores)  # everything is compiled from here on
    others = [name for name in kernel_names() if name not in HOT]
    backend = NumbaBackend(cores)
    return HostFigures(
        machine=str(machine.describe()["id"]),
        cores=cores,
        numba_core_s=sum(numba_s),
        numba_longest_s=max(numba_s),
        numba_hot_core_s=hot_s,
        nvrtc_s=_nvrtc_seconds(),
        hot_twins_s=_twins_seconds(list(HOT), Limits().twin_sizes),
        other_twins_s=_twins_seconds(others, Limits().twin_sizes),
        gpu_examples_s={name: timed(partial(make_example, kernel_named(name), n)) for name, n in GPU_SIZES.items()},
        scene_s_per_particle=scene_s,
        checks_core_s=cores * sum(timed(partial(check, backend)) for check in CHECKS),
        digest_bytes_per_s=_digest_rate(),
        frame_core_s=frame_core_s,
    )


def as_toml(figures: HostFigures) -> str:
    """The ``[host]`` table."""
    return "\n".join(["[host]", *(f"{name} = {_value(value)}" for name, value in vars(figures).items())])


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(one)}" for name, one in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    print(as_toml(measure(usable_cores())))
