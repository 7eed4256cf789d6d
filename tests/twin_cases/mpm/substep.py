"""Inputs of the transfer kernels at their edges.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.base.registry import kernel_named
from kernels.mpm.mpm_common import PEAK_GRADIENT, PEAK_VOLUME_MAX, PEAK_VOLUME_MIN, position_limits
from kernels.mpm.mpm_example import launch, make_arguments, swap

F32 = np.float32
Arguments = dict[str, Any]
Maker = Callable[[np.random.Generator], Arguments]
CELLS = (16, 20, 24)
DX = 1.0 / 16
INSIDE_LOW, INSIDE_HIGH = [k.WALL_CELLS] * 3, [n - k.WALL_CELLS for n in CELLS]
ORDER = ("mpm_sort", "mpm_p2g", "mpm_grid", "mpm_g2p", "mpm_control")
BEFORE = {kernel: ORDER[:place] for place, kernel in enumerate(ORDER)}
BEFORE["mpm_strain"] = ORDER[:3]
BEFORE["mpm_push"] = (*ORDER[:3], "mpm_strain", "mpm_control")


def particles(
    rng: np.random.Generator,
    size: int,
    low: Sequence[float],
    high: Sequence[float],
    speed: float = 1.0,
    gradient: float = 1.0,
    volumes: tuple[float, float] = (0.99, 1.01),
    cells: tuple[int, int, int] = CELLS,
    dx: float = DX,
) -> Arguments:
    """State with particles spread over [low, high) cells."""
    position = np.ones((size, 4), F32)
    for axis in range(3):
        x = rng.uniform(low[axis], high[axis], size).astype(F32) * F32(dx)
        position[:, axis] = np.clip(x, *position_limits.py_func(cells[axis], F32(dx)))
    position[:, 3] = rng.uniform(*volumes, size)
    velocity = (rng.uniform(-1, 1, (size, 12)) * np.repeat([speed, gradient / dx], [3, 9])).astype(F32)
    state = make_arguments(position, velocity, cells, dx)
    state["step"][k.STEP_DT] = min(state["step"][k.STEP_DT], 0.3 * dx / max(1.0, np.abs(velocity).max(initial=0)))
    launch(state, "mpm_control")
    return state


def none(rng: np.random.Generator) -> Arguments:
    return particles(rng, 0, INSIDE_LOW, INSIDE_HIGH)


def one(rng: np.random.Generator) -> Arguments:
    return particles(rng, 1, INSIDE_LOW, INSIDE_HIGH)


def box(rng: np.random.Generator) -> Arguments:
    return particles(rng, 2000, INSIDE_LOW, INSIDE_HIGH)


def again(rng: np.random.Generator) -> Arguments:
    """After one substep: keys that come nearly sorted."""
    state = box(rng)
    for name in ORDER[:4]:
        launch(state, name)
    swap(state)
    state["completed_steps"] = 1
    launch(state, "mpm_control")
    return state


def wide(rng: np.random.Generator) -> Arguments:
    """A table of blocks that is several chunks, few of them active."""
    cells = (40, 48, 44)
    return particles(rng, 150, INSIDE_LOW, [n - k.WALL_CELLS for n in cells], speed=3.0, cells=cells)


def full_cell(rng: np.random.Generator) -> Arguments:
    """As many particles as a cell may have."""
    return particles(rng, k.CELL_COUNT_MAX, [7.5] * 3, [8.5] * 3)


def dense(rng: np.random.Generator) -> Arguments:
    """Many particles a cell: a round takes only some of its cells."""
    return particles(rng, 2500, [6.5, 8.5, 8.5], [9.5, 11.5, 13.5])


def one_point(rng: np.random.Generator) -> Arguments:
    return particles(rng, 40, [8.0] * 3, [8.0] * 3)


def low_corner(rng: np.random.Generator) -> Arguments:
    return particles(rng, 50, INSIDE_LOW, INSIDE_LOW)


def high_corner(rng: np.random.Generator) -> Arguments:
    return particles(rng, 50, INSIDE_HIGH, INSIDE_HIGH)


def middle_planes(rng: np.random.Generator) -> Arguments:
    """Right between two cells, where a weight is 0."""
    return particles(rng, 30, [7.5, 5.5, 9.5], [7.5, 5.5, 9.5])


def fast(rng: np.random.Generator) -> Arguments:
    return particles(rng, 400, INSIDE_LOW, INSIDE_HIGH, speed=1e4, gradient=1e4)


def slow(rng: np.random.Generator) -> Arguments:
    """Velocities and gradients below the normal range."""
    state = particles(rng, 400, INSIDE_LOW, INSIDE_HIGH, speed=1e-40, gradient=1e-41)
    state["velocity"][::3] = -0.0
    return state


def at_rest(rng: np.random.Generator) -> Arguments:
    return particles(rng, 400, INSIDE_LOW, INSIDE_HIGH, 0.0, 0.0, (1.0, 1.0))


def squeezed(rng: np.random.Generator) -> Arguments:
    return particles(rng, 400, INSIDE_LOW, INSIDE_HIGH, volumes=(0.5, 1.01))


def viscous(rng: np.random.Generator) -> Arguments:
    state = box(rng)
    state["material"][[k.MATERIAL_VISCOSITY, k.MATERIAL_VISCOSITY_MAX]] = 3.0, 20.0
    launch(state, "mpm_key")
    launch(state, "mpm_control")
    return state


def viscous_each(rng: np.random.Generator) -> Arguments:
    """A viscosity of its own for each particle."""
    state = viscous(rng)
    state["viscosity"] = rng.uniform(1, 20, state["key"].size).astype(F32)
    return state


# --- What the sort must survive -----------------------------------------------------------------


def cell_overflow(rng: np.random.Generator) -> Arguments:
    return particles(rng, k.CELL_COUNT_MAX + 1, [7.5] * 3, [8.5] * 3)


def huge_cell(rng: np.random.Generator) -> Arguments:
    """More particles in one cell than a block of threads has room for, other cells beside it."""
    return particles(rng, 2700, [7.5] * 3, [8.5, 8.5, 8.6])


def block_overflow(rng: np.random.Generator) -> Arguments:
    state = box(rng)
    state["block_id"] = np.full(20, 7, np.int32)
    return state


def no_room(rng: np.random.Generator) -> Arguments:
    """Exactly as many blocks as there is room for."""
    state = box(rng)
    launch(state, "mpm_sort")
    blocks = int(state["counts"][k.COUNT_BLOCKS])
    state["block_id"] = np.full(blocks, 7, np.int32)
    state["counts"][k.COUNT_BLOCKS] = 3
    return state


def stopped(rng: np.random.Generator) -> Arguments:
    """An earlier sort has found too little room: everything stays as it is."""
    state = _after(rng)
    state["counts"][k.COUNT_BLOCKS_NEEDED] = 500
    return state


def reversed_order(rng: np.random.Generator) -> Arguments:
    """Keys from the highest down."""
    state = box(rng)
    state["key"][:] = np.sort(state["key"])[::-1]
    return state


def fewer(rng: np.random.Generator) -> Arguments:
    """Room for more particles than there are, scratch and results of an earlier step left over."""
    state = again(rng)
    state["counts"][k.COUNT_PARTICLES] = 777
    return state


# --- What the grid update must do at boundaries -------------------------------------------------


def _obstacle(rng: np.random.Generator, kind: int, boundary: int, **words: tuple[float, ...]) -> Arguments:
    state = box(rng)
    state["collider"] = np.zeros((2, k.COLLIDER_WORDS), F32)
    row = state["collider"][1]
    row[k.COLLIDER_KIND], row[k.COLLIDER_FRICTION] = kind, boundary
    for name, values in words.items():
        at = getattr(k, f"COLLIDER_{name}")
        row[at : at + len(values)] = values
    return state


def sphere(rng: np.random.Generator) -> Arguments:
    return _obstacle(rng, k.COLLIDER_SPHERE, k.BOUNDARY_SLIP, A=(0.5, 0.6, 0.7), B=(0.2,))


def box_solid(rng: np.random.Generator) -> Arguments:
    return _obstacle(rng, k.COLLIDER_BOX, k.BOUNDARY_SEPARATE, A=(0.5, 0.6, 0.7), B=(0.2, 0.1, 0.15), C=(0.03,))


def capsule(rng: np.random.Generator) -> Arguments:
    return _obstacle(rng, k.COLLIDER_CAPSULE, k.BOUNDARY_STICK, A=(0.4, 0.5, 0.6), B=(0.6, 0.7, 0.9), C=(0.1,))


def cylinder(rng: np.random.Generator) -> Arguments:
    return _obstacle(rng, k.COLLIDER_CYLINDER, k.BOUNDARY_SLIP, A=(0.5, 0.6, 0.7), B=(0.15, 0.0, 0.2), C=(0.02,))


def vessel(rng: np.random.Generator) -> Arguments:
    state = _obstacle(rng, k.COLLIDER_VESSEL, k.BOUNDARY_SEPARATE, A=(0.5, 0.6, 0.7), B=(0.2,))
    state["walls"][:6] = 0, 1, 2, 0, 1, 2
    state["force"][k.FORCE_SKIN_FRICTION] = 0.004
    return state


def terrain(rng: np.random.Generator) -> Arguments:
    state = box(rng)
    state["walls"][:6] = 2, 0, 1, 2, 0, 1
    state["terrain_geometry"][:] = 0.2, 0.1, 0.3, k.TERRAIN_SLIP
    state["terrain"] = rng.uniform(0.3, 0.7, (3, 4)).astype(F32)
    return state


def odd_domain(rng: np.random.Generator) -> Arguments:
    """High walls in the middle of blocks, and particles that stand beyond them."""
    state = box(rng)
    state["walls"][k.DOMAIN_X : k.DOMAIN_Z + 1] -= np.array([1, 2, 3], np.int32)
    state["walls"][:6] = 0, 1, 2, 2, 0, 1
    state["force"][k.FORCE_SKIN_FRICTION] = 2.0
    return state


def vortex(rng: np.random.Generator) -> Arguments:
    state = box(rng)
    for slot, value in (
        (k.VORTEX_ON, 1), (k.VORTEX_X, 0.5), (k.VORTEX_Y, 0.6), (k.VORTEX_Z_LOW, 0.3), (k.VORTEX_Z_HIGH, 1.3),
        (k.VORTEX_CORE, 0.1), (k.VORTEX_SWIRL, 2), (k.VORTEX_UPDRAFT, 1), (k.VORTEX_INFLOW, 0.5), (k.VORTEX_RATE, 50),
        (k.VORTEX_FLARE, 0.2), (k.VORTEX_SWAY, 0.05), (k.VORTEX_REACH, 0.25),
    ):  # fmt: skip
        state["force"][slot] = value
    state["step"][k.STEP_TIME] = 1.7
    return state


# --- What the control step must decide ----------------------------------------------------------


def _after(rng: np.random.Generator, maker: Maker = box) -> Arguments:
    state = maker(rng)
    for name in ORDER[:4]:
        launch(state, name)
    swap(state)
    state["completed_steps"] = 1
    state["step"][k.STEP_TIME], state["step"][k.STEP_TIME + 1 :] = 1.7, 9.0
    return state


def emitted(rng: np.random.Generator) -> Arguments:
    """Peaks of new particles in the last row beside those of blocks."""
    state = _after(rng)
    state["peak"][-1] = 0.1, 7.0, 0.2, 0.3, 0.4, 1.0, 0, 0
    return state


def only_emitted(rng: np.random.Generator) -> Arguments:
    state = none(rng)
    state["peak"][-1] = 0.1, 0.2, 1e-30, 1e-42, 0.7, 0.9, 0, 0
    return state


def syrup(rng: np.random.Generator) -> Arguments:
    """The stress of a shear outweighs everything else."""
    state = only_emitted(rng)
    state["peak"][-1] = 0.1, 0.2, 0.1, 5.0, 1.0, 1.0, 0, 0
    state["material"][k.MATERIAL_VISCOSITY] = 1.0e4
    return state


def first_peaks_ever(rng: np.random.Generator) -> Arguments:
    """No peaks and no scale yet."""
    state = none(rng)
    state["step"][k.STEP_VELOCITY_SCALE] = 0
    return state


def first_peaks_late(rng: np.random.Generator) -> Arguments:
    """The same after a substep: what was most is a volume ratio of 1."""
    state = first_peaks_ever(rng)
    state["completed_steps"] = 1
    return state


def infinite(rng: np.random.Generator) -> Arguments:
    state = _after(rng)
    state["peak"][int(np.argmax(state["peak"][:, PEAK_VOLUME_MAX] > 0)), PEAK_GRADIENT] = np.inf
    return state


def not_a_number(rng: np.random.Generator) -> Arguments:
    state = _after(rng)
    state["peak"][int(np.argmax(state["peak"][:, PEAK_VOLUME_MAX] > 0)), 1] = np.nan
    return state


def no_volume(rng: np.random.Generator) -> Arguments:
    """A volume ratio of 0 makes the bound infinite."""
    state = _after(rng)
    state["peak"][-1] = 0.1, 0.2, 0.3, 0.1, 0.0, 0.9, 0, 0
    return state


def worse_before(rng: np.random.Generator) -> Arguments:
    """Earlier substeps of the frame were faster, tighter and wider."""
    state = _after(rng)
    state["step"][[k.STEP_SPEED_MOST, k.STEP_VOLUME_LEAST, k.STEP_VOLUME_MOST]] = 50.0, 0.1, 9.0
    return state


def none_before(rng: np.random.Generator) -> Arguments:
    """The frame's first substep."""
    state = _after(rng)
    state["step"][[k.STEP_SPEED_MOST, k.STEP_VOLUME_LEAST, k.STEP_VOLUME_MOST]] = 0.0
    return state


def too_fast(rng: np.random.Generator) -> Arguments:
    state = _after(rng)
    state["step"][k.STEP_DT] = 1.0
    return state


def crushed(rng: np.random.Generator) -> Arguments:
    state = _after(rng, viscous)
    rows = state["peak"][:, PEAK_VOLUME_MAX] > 0
    state["peak"][rows, PEAK_VOLUME_MIN] = rng.uniform(0.5, 0.9, int(rows.sum()))
    return state


SPREAD = (
    none, one, box, again, wide, full_cell, dense, one_point, low_corner, high_corner, middle_planes, fast, slow,
    at_rest, squeezed,
)  # fmt: skip
USED: dict[str, tuple[Maker, ...]] = {
    "mpm_sort": (
        none, one, box, again, wide, full_cell, dense, one_point, low_corner, high_corner, cell_overflow, huge_cell,
        block_overflow, no_room, stopped, reversed_order, fewer,
    ),
    "mpm_p2g": (*SPREAD, viscous, viscous_each, fewer),
    "mpm_grid": (*SPREAD, sphere, box_solid, capsule, cylinder, vessel, terrain, odd_domain, vortex),
    "mpm_strain": (*SPREAD, viscous, viscous_each, odd_domain, vortex, fewer),
    "mpm_push": (*SPREAD, viscous, viscous_each, odd_domain, fewer),
    "mpm_g2p": (*SPREAD, viscous, odd_domain, vortex, fewer),
    "mpm_control": (
        none, emitted, only_emitted, syrup, first_peaks_ever, first_peaks_late, infinite, not_a_number, no_volume,
        too_fast, crushed, stopped, worse_before, none_before,
    ),
}  # fmt: skip


def arguments_of(kernel: str, maker: Maker) -> Maker:
    """Arguments of a kernel after those that come before it in a substep; spare rows hold what must stay."""

    def make(rng: np.random.Generator) -> Arguments:
        state = maker(rng)
        for name in ("arena", "node", "order", "block_id", "cell_start", "position_out", "velocity_out", "key_out"):
            state[name][...] = 7
        if kernel != "mpm_control":
            state["slot"][...] = 7
            state["peak"][...] = 7
            for name in BEFORE[kernel]:
                if name == "mpm_control":
                    state["peak"][-1], state["completed_steps"] = 0, 0
                launch(state, name)
        names = kernel_named(kernel).argument_names
        return {name: state[name] for name in names}

    return make


CASES: dict[str, dict[str, Maker]] = {
    kernel: {maker.__name__: arguments_of(kernel, maker) for maker in makers} for kernel, makers in USED.items()
}
