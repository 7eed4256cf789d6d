"""Shotmark's simulation and tracer beside the programs that people know, on this machine, in turn, in one run.

Simulation: the ``mpm3d`` example that taichi ships (128^3 cells, 524,288 particles at random places in a cube of 0.4^3,
3.9 a cell, dt 8e-5 s) against ours with the same particles, cells, step, sound speed and threads, over the same
substeps of the same fall. Tracer: Mitsuba's ``volpath`` against ours on one cloud, camera and depth, as
1 / (MSE x seconds); the MSE of a picture is the variance between independent ones. Both compile outside the clock.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.backend.numba_cpu import NumbaBackend
from bench.backend.same_bits import Arguments
from bench.base.errors import CheckFailed, Unavailable
from bench.measure.peers.protocol import Peer
from bench.pipeline.scene.blocks_of_water import water_scene
from bench.pipeline.scene.needs import TRAVEL
from bench.pipeline.simulate import Simulation
from bench.record.statistics import median
from kernels.base import constants as k
from kernels.image import img_trace

CELLS, PARTICLES, STEP_S, SOUND_M_PER_S = 128, 524_288, 8e-5, 20.0
LOW, EDGE = 0.15, 0.4  # corner and edge of the cube of particles, m
SUBSTEPS = 10  # a round
SIMULATION_ROUNDS, TRACE_ROUNDS = 5, 6
WIDTH, SAMPLES, MAX_DEPTH = 192, 32, 64
CLOUD_BRICKS = 8
ALBEDO, PHASE, PEAK_PER_M = 0.9, 0.3, 24.0
HALF_WIDTH = 0.4  # of the picture, at distance 1
SIGMAS = 5.0  # at which two pictures' means are said to differ
NO_ROULETTE = 100_000

OURS = "shotmark"  # the name of our side

Tell = Callable[[str], None]


@dataclass(frozen=True)
class SimulationRow:
    """One side, one number of threads."""

    name: str
    threads: int
    seconds: tuple[float, ...]  # a round of SUBSTEPS

    @property
    def particle_substeps_per_s(self) -> float:
        return PARTICLES * SUBSTEPS / (median(self.seconds) or math.inf)


@dataclass(frozen=True)
class TraceRow:
    """One side: independent pictures of the cloud."""

    name: str
    threads: int
    seconds: tuple[float, ...]  # a picture
    mse: float  # of one picture: the mean variance of a pixel
    mean: float  # of all pixels
    mean_error: float  # standard error of that

    @property
    def efficiency_per_s(self) -> float:
        return 1.0 / (self.mse * (median(self.seconds) or math.inf))


@dataclass(frozen=True)
class Simulations:
    """Both simulations, with one thread and with several."""

    taichi: str  # its version
    rows: tuple[SimulationRow, ...]

    def peer_ratio(self, row: SimulationRow) -> float | None:
        """Of Shotmark's rates to taichi's with the same threads; None of taichi's own."""
        other = next(r for r in self.rows if r.threads == row.threads and r.name != row.name)
        ours = row.name == OURS
        return row.particle_substeps_per_s / other.particle_substeps_per_s if ours else None

    def threads_ratio(self, row: SimulationRow) -> float:
        """To the same program with one thread."""
        one = next(r for r in self.rows if r.threads == 1 and r.name == row.name)
        return row.particle_substeps_per_s / one.particle_substeps_per_s

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "taichi": self.taichi,
            "rows": [
                {
                    "name": row.name,
                    "threads": row.threads,
                    "samples_s": list(row.seconds),
                    "particle_substeps_per_s": row.particle_substeps_per_s,
                    "peer_ratio": self.peer_ratio(row),
                    "threads_ratio": self.threads_ratio(row),
                }
                for row in self.rows
            ],
        }


@dataclass(frozen=True)
class Traces:
    """The tracers on one cloud."""

    mitsuba: str  # its version
    missing: tuple[str, ...]  # a line for each of its variants that cannot run
    rows: tuple[TraceRow, ...]

    def peer_ratio(self, row: TraceRow) -> float | None:
        """Shotmark's efficiency over the row's; None of its own."""
        ours = next(r for r in self.rows if r.name == OURS)
        return ours.efficiency_per_s / row.efficiency_per_s if row is not ours else None

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "mitsuba": self.mitsuba,
            "missing": list(self.missing),
            "rows": [
                {
                    "name": row.name,
                    "threads": row.threads,
                    "samples_s": list(row.seconds),
                    "mse": row.mse,
                    "mean": row.mean,
                    "mean_error": row.mean_error,
                    "efficiency_per_s": row.efficiency_per_s,
                    "peer_ratio": self.peer_ratio(row),
                }
                for row in self.rows
            ],
        }


def need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise Unavailable(f"{package} is not installed: pip install 'shotmark[peers]' (taichi and mitsuba)")


# --- Simulation -----------------------------------------------------------------------------------------


def falling_cube(threads: int, seed: int = 1) -> Simulation:
    """mpm3d's cube of liquid in our simulation: gravity along -z where theirs is -y."""
    cell = 1.0 / CELLS
    points = np.random.default_rng(seed).random((PARTICLES, 3)) * EDGE + LOW - k.WALL_CELLS * cell
    inside = CELLS - 2 * k.WALL_CELLS
    scene = water_scene(
        points,
        (inside, inside, inside),
        cell,
        gravity_m_per_s2=9.8,
        sound_speed_m_per_s=SOUND_M_PER_S,
        # The speed limit at which a particle may move in a substep as far as asks for their step, of one sound step
        speed_limit_m_per_s=TRAVEL * cell / STEP_S * 0.9999,
        frame_dt_s=SUBSTEPS * STEP_S,
    )
    scene.material[k.MATERIAL_PARTICLE_VOLUME] = EDGE**3 / PARTICLES
    return Simulation(scene, NumbaBackend(threads))


def _advance(simulation: Simulation) -> float:
    start = time.perf_counter()
    done = simulation.advance_frame()
    seconds = time.perf_counter() - start
    if (done.substeps, done.sound_steps) != (SUBSTEPS, SUBSTEPS):
        raise CheckFailed(
            f"expected {SUBSTEPS} substeps of one sound step, as the other side does, ours took {done.substeps} with"
            f" {done.sound_steps} sound steps"
        )
    return seconds


def simulations(threads: int, tell: Tell) -> Simulations:
    """Both sides in turn, with one thread and with ``threads``."""
    need("taichi")
    rows, version = [], ""
    for count in sorted({1, threads}):
        tell(f"taichi mpm3d, {count} threads: compiling")
        ours, theirs = [], []
        simulation = falling_cube(count)
        _advance(simulation)  # loads or compiles, touches memory, sorts for the first time
        with Peer("taichi_mpm3d", count, SUBSTEPS) as peer:
            version = str(peer.about["version"])
            if (peer.about["particles"], peer.about["cells"], peer.about["dt_s"]) != (PARTICLES, CELLS, STEP_S):
                raise Unavailable(f"taichi {version} ships another mpm3d example: {peer.about}")
            peer.ask()
            for number in range(SIMULATION_ROUNDS):
                tell(f"simulation, {count} threads: round {number + 1} of {SIMULATION_ROUNDS}")
                theirs.append(peer.seconds())
                ours.append(_advance(simulation))
        rows.append(SimulationRow("taichi mpm3d", count, tuple(theirs)))
        rows.append(SimulationRow(OURS, count, tuple(ours)))
    return Simulations(version, tuple(rows))


# --- Tracer ---------------------------------------------------------------------------------------------


def cloud_extinction() -> np.ndarray:
    """A plume of spray (n, n, n) at the nodes of the unit cube: billows over two thirds of it, 1/m."""
    n = CLOUD_BRICKS * k.BRICK_EDGE + 1
    x, y, z = np.meshgrid(*[np.linspace(0.0, 1.0, n)] * 3, indexing="ij")
    swirl = 6.0 * z
    radius = np.hypot(x - 0.5 - 0.08 * np.cos(swirl), y - 0.5 - 0.08 * np.sin(swirl))
    body = np.clip(1.0 - radius / (0.12 + 0.22 * z), 0.0, 1.0)
    billow = 0.6 + 0.4 * np.sin(23.0 * x + 5.0 * z) * np.sin(19.0 * y - 7.0 * z) * np.sin(17.0 * z)
    fade = np.clip(8.0 * z, 0.0, 1.0) * np.clip(8.0 * (1.0 - z), 0.0, 1.0)
    found: np.ndarray = (PEAK_PER_M * body * billow * fade).astype(np.float32)
    return found


def cloud_arguments(extinction: np.ndarray, width: int) -> Arguments:
    """The tracer's arguments by name for that cloud under an even sky, seen from -y."""
    arguments = img_trace.example(np.random.default_rng(0), width)
    edge = k.BRICK_EDGE
    table: list[int] = []
    values: list[np.ndarray] = []
    for a in range(CLOUD_BRICKS):
        for b in range(CLOUD_BRICKS):
            for c in range(CLOUD_BRICKS):
                corner = tuple(slice(edge * i, edge * i + edge + 1) for i in (a, b, c))
                brick = np.zeros((k.BRICK_NODES, k.FOG_CHANNELS), np.float32)
                brick[:, 0] = extinction[corner].reshape(-1)
                full = bool(brick[:, 0].any())
                table.append(len(values) if full else k.BRICK_OUTSIDE)
                if full:
                    values.append(brick)
    fog = np.stack(values)
    trace = arguments["trace_in"]
    trace[k.TRACE_VOXEL] = trace[k.TRACE_FOG_VOXEL] = 1.0 / (edge * CLOUD_BRICKS)
    arguments["look_in"][k.LOOK_FOG_R : k.LOOK_FOG_R + 3] = ALBEDO
    arguments["look_in"][k.LOOK_FOG_PHASE] = PHASE
    camera = arguments["camera_in"]
    camera[k.CAMERA_RIGHT], camera[k.CAMERA_UP + 2] = HALF_WIDTH, HALF_WIDTH
    return {
        **arguments,
        "max_depth": MAX_DEPTH,
        "roulette_depth": NO_ROULETTE,
        "grid_in": np.array([1, 1, 1, *[CLOUD_BRICKS] * 3], np.int32),
        "fog_table_in": np.array(table, np.int32),
        "fog_value_in": fog,
        "fog_majorant_in": fog[:, :, 0].max(axis=1),
    }


def _trace(arguments: Arguments, backend: NumbaBackend, seed: int, samples: int) -> tuple[float, np.ndarray]:
    """Seconds and picture (h, w, 3)."""
    given = {**arguments, "seed": seed, "sample_count": samples}
    sums, work = (np.zeros_like(arguments[name]) for name in ("pixel_sums_inout", "work_inout"))
    given["pixel_sums_inout"], given["work_inout"] = sums, work
    start = time.perf_counter()
    backend.launch(img_trace.KERNEL, *[given[name] for name in img_trace.KERNEL.argument_names])
    seconds = time.perf_counter() - start
    return seconds, sums[..., k.PIXEL_SUM : k.PIXEL_SUM + 3] / np.float32(samples)


def trace_row(name: str, threads: int, seconds: list[float], pictures: list[np.ndarray]) -> TraceRow:
    """Statistics of independent pictures."""
    stack = np.stack([picture[..., :3] for picture in pictures]).astype(np.float64)
    variance = stack.var(axis=0, ddof=1)
    # The channels of one picture share their paths: the error of the mean is that of one channel
    error = math.sqrt(float(variance.mean()) / (variance.shape[0] * variance.shape[1] * len(pictures)))
    return TraceRow(name, threads, tuple(seconds), float(variance.mean()), float(stack.mean()), error)


def tracers(threads: int, tell: Tell) -> Traces:
    """Both sides in turn, with each of Mitsuba's variants that can run."""
    need("mitsuba")
    extinction = cloud_extinction()
    arguments, backend = cloud_arguments(extinction, WIDTH), NumbaBackend(threads)
    tell("tracer: compiling")
    _trace(arguments, backend, 0, 1)
    rows, missing, version = [], [], ""
    ours_s: list[float] = []
    ours: list[np.ndarray] = []
    with tempfile.TemporaryDirectory(prefix="shotmark-") as folder:
        cloud, picture = Path(folder, "cloud.npz"), Path(folder, "picture.npy")
        np.savez(cloud, extinction=extinction, albedo=ALBEDO, phase=PHASE, half_width=HALF_WIDTH, max_depth=MAX_DEPTH)
        for variant in ("scalar_rgb", "llvm_ad_rgb"):
            theirs_s: list[float] = []
            theirs: list[np.ndarray] = []
            try:
                with Peer("mitsuba_volpath", variant, threads, WIDTH, SAMPLES, cloud) as peer:
                    version = str(peer.about["version"])
                    for number in range(TRACE_ROUNDS):
                        tell(f"tracer against {variant}: round {number + 1} of {TRACE_ROUNDS}")
                        theirs_s.append(peer.seconds(f"{number + 1} {picture}"))
                        theirs.append(np.load(picture))
                        seconds, made = _trace(arguments, backend, len(ours) + 1, SAMPLES)
                        ours_s.append(seconds)
                        ours.append(made)
            except Unavailable as error:
                missing.append(f"{variant}: {error}")
                continue
            rows.append(trace_row(f"mitsuba {variant}", threads, theirs_s, theirs))
    if not rows:
        raise Unavailable("; ".join(missing))
    rows.append(trace_row(OURS, threads, ours_s, ours))
    for row in rows[:-1]:
        check_same_picture(row, rows[-1])
    return Traces(version, tuple(missing), tuple(rows))


def check_same_picture(theirs: TraceRow, ours: TraceRow) -> None:
    """A ratio between two different pictures would mean nothing. Raises CheckFailed."""
    error = math.hypot(theirs.mean_error, ours.mean_error)
    if abs(theirs.mean - ours.mean) > SIGMAS * error:
        raise CheckFailed(
            f"{theirs.name} and Shotmark do not make the same picture: means {theirs.mean:.5f} and {ours.mean:.5f},"
            f" {abs(theirs.mean - ours.mean) / error:.1f} standard errors apart"
        )
