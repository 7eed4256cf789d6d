"""Cost against work: particles x 8 at constant particles per cell, pixels x 4, samples x 4. And memory per particle."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.backend.numba_cpu import NumbaBackend
from bench.pipeline.frame import make_picture
from bench.pipeline.render import Renderer
from bench.pipeline.scene.blocks_of_water import filled_box, water_scene
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.scene.needs import COURANT, simulation_bytes
from bench.pipeline.simulate import Simulation
from bench.record import machine
from bench.record.statistics import median
from bench.shot.load import load_shot

ROUNDS = 5
SUBSTEPS, SOUND_STEPS = 2, 5  # of a timed frame, of a substep: as the shots have them
SMALL_CELLS, LARGE_CELLS = 40, 80  # edge of the block of water: 512,000 and 4,096,000 particles
TOLERANCE = 0.15
SHOT, SIZE = "wave", "S"


@dataclass(frozen=True)
class Scaling:
    """What the same thing costs at two sizes."""

    what: str
    item: str
    small: int  # items
    large: int
    small_s: tuple[float, ...]
    large_s: tuple[float, ...]

    @property
    def cost_ratio(self) -> float:
        """Time of an item at the large size over that at the small one: 1 is proportional."""
        small, large = median(self.small_s) or 0.0, median(self.large_s) or 0.0
        return (large / self.large) / (small / self.small)

    @property
    def proportional(self) -> bool:
        return abs(self.cost_ratio - 1.0) <= TOLERANCE


@dataclass(frozen=True)
class Memory:
    """Memory of a simulation of water."""

    particles: int
    stated_bytes: int  # by ``simulation_bytes``
    arrays_bytes: int  # sum of its arrays
    resident_bytes: int | None  # what the process grew by while it was made and run

    @property
    def stated_bytes_per_particle(self) -> float:
        return self.stated_bytes / self.particles

    @property
    def arrays_bytes_per_particle(self) -> float:
        return self.arrays_bytes / self.particles


def water_block(cells: int) -> Scene:
    """A cube of water with a slow swirl in a box that is half as wide again; a frame of SUBSTEPS substeps."""
    box = 4 * (-(-(cells + cells // 2) // 4))
    low = (box - cells) // 2
    cell_size_m = 1.0 / box

    def swirl(points: np.ndarray) -> np.ndarray:
        velocity = np.zeros_like(points)
        velocity[:, 0], velocity[:, 1] = 0.5 - points[:, 1], points[:, 0] - 0.5
        return velocity

    position, velocity = filled_box((low, low, low), (low + cells,) * 3, cell_size_m, swirl)
    sound, limit = 20.0, 2.0
    dt = COURANT * cell_size_m / (sound + limit)
    return water_scene(
        position,
        (box, box, box),
        cell_size_m,
        velocity=velocity,
        sound_speed_m_per_s=sound,
        speed_limit_m_per_s=limit,
        frame_dt_s=dt * (SUBSTEPS * SOUND_STEPS - 0.01),
    )


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def particles(threads: int | None) -> tuple[Scaling, Memory]:
    """Time of a substep, 8 particles a cell, at two sizes in turn; memory of the large one."""
    simulations: list[Simulation] = []
    grown = 0
    for cells in (SMALL_CELLS, LARGE_CELLS):
        scene = water_block(cells)
        before = _resident_bytes()
        simulations.append(Simulation(scene, NumbaBackend(threads)))
        simulations[-1].advance_frame()  # compiles, touches
        grown = _resident_bytes() - before
    calls = [lambda simulation=simulation: simulation.advance_frame() for simulation in simulations]
    small_s, large_s = (tuple(s / SUBSTEPS for s in samples) for samples in in_turn(calls))
    small, large = simulations
    scaling = Scaling(
        "particles x 8, 8 a cell",
        "particle-substep",
        small.scene.initial_count,
        large.scene.initial_count,
        small_s,
        large_s,
    )
    stated = simulation_bytes(large.scene, large.backend.threads)
    return scaling, Memory(large.scene.initial_count, stated, large.held_bytes, grown if grown > 0 else None)


def in_turn(calls: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[list[float]]:
    """Seconds of each call, round by round: what disturbs a machine for a while then meets all of them."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, samples in zip(calls, seconds):
            start = time.perf_counter()
            call()
            samples.append(time.perf_counter() - start)
    return seconds


def pictures(threads: int | None) -> tuple[Scaling, Scaling]:
    """Time of tracing a shot's first frame: four times the pixels, and four times the samples."""
    backend = NumbaBackend(threads)
    scene = build_scene(load_shot(SHOT), SIZE)
    simulation = Simulation(scene, backend)
    simulation.advance_frame()
    small, samples = scene.picture, scene.picture.samples
    large = dataclasses.replace(small, width=2 * small.width, height=2 * small.height)
    calls = []
    for picture, count in ((small, samples), (large, samples), (small, 4 * samples)):
        renderer = Renderer(dataclasses.replace(scene, picture=picture), backend)
        bricks = make_picture(simulation, renderer, 1, 1).bricks  # compiles
        calls.append(lambda renderer=renderer, bricks=bricks, count=count: renderer.trace(bricks, 1, count))
    base_s, pixels_s, samples_s = (tuple(found) for found in in_turn(calls))
    items = small.width * small.height * samples
    return (
        Scaling("pixels x 4", "sample", items, 4 * items, base_s, pixels_s),
        Scaling("samples a pixel x 4", "sample", items, 4 * items, base_s, samples_s),
    )


def disproportions(rows: Sequence[Scaling]) -> list[str]:
    """A line for each row whose cost does not grow as the work."""
    return [f"{row.what}: an item costs {row.cost_ratio:.2f} x" for row in rows if not row.proportional]


def scaling_document(rows: Sequence[Scaling], memory: Memory, threads: int) -> dict[str, object]:
    """For ``--json``."""
    return {
        "machine": machine.describe(),
        "threads": threads,
        "growth": [
            {
                "what": row.what,
                "item": row.item,
                "small_items": row.small,
                "large_items": row.large,
                "small_s": list(row.small_s),
                "large_s": list(row.large_s),
                "cost_per_item_ratio": row.cost_ratio,
                "proportional": row.proportional,
            }
            for row in rows
        ],
        "memory": {
            "particles": memory.particles,
            "stated_bytes": memory.stated_bytes,
            "arrays_bytes": memory.arrays_bytes,
            "resident_bytes": memory.resident_bytes,
        },
    }
