"""Inputs of the transfer kernels at the edges of their comparisons, and where one word alone decides.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import numpy as np

from kernels.base import constants as k
from kernels.mpm.mpm_collide import CONTACT
from kernels.mpm.mpm_common import PEAK_VOLUME_MAX, PEAK_VOLUME_MIN, position_limits
from kernels.mpm.mpm_control import BOUND_MAX, SLACK
from kernels.mpm.mpm_example import launch
from kernels.solid.mpm_volume import VOLUME_RATIO_MAX, VOLUME_RATIO_MIN
from tests.twin_cases.mpm import key
from tests.twin_cases.mpm.substep import (
    DX,
    F32,
    INSIDE_HIGH,
    INSIDE_LOW,
    Arguments,
    Maker,
    arguments_of,
    box,
    capsule,
    none,
    particles,
    vortex,
)

# --- Who reads what of a block ------------------------------------------------------------------


def full_block(rng: np.random.Generator) -> Arguments:
    """As many particles as a block may have, and some in the first cell of the next one."""
    cell = np.stack(np.meshgrid(*[np.arange(8, 12)] * 3, indexing="ij"), -1).reshape(-1, 3)
    cell = np.concatenate([np.repeat(cell, k.CELL_COUNT_MAX, axis=0), [[8, 8, 12]] * 5])
    state = particles(rng, len(cell), INSIDE_LOW, INSIDE_HIGH)
    state["position"][:, :3] = (rng.permutation(cell) + rng.uniform(0.6, 1.4, cell.shape)) * DX
    launch(state, "mpm_key")
    return state


def odd_cells(rng: np.random.Generator, viscosity: float = 0) -> Arguments:
    """Cells whose size is no power of two, and numbers so large that fixed point keeps every bit of them."""
    state = particles(rng, 400, INSIDE_LOW, [12, 14, 15], dx=0.07)
    state["material"][k.MATERIAL_VISCOSITY] = viscosity
    launch(state, "mpm_key")
    launch(state, "mpm_control")
    state["step"][k.STEP_VELOCITY_SCALE] *= 16
    state["step"][k.STEP_VELOCITY_UNIT] /= 16
    return state


def odd_syrup(rng: np.random.Generator) -> Arguments:
    """The same, as viscous as what else moves it."""
    return odd_cells(rng, 300)


def odd_oil(rng: np.random.Generator) -> Arguments:
    return odd_cells(rng, 1)


def no_spare_rows(rng: np.random.Generator) -> Arguments:
    """Arrays that end with the last active block."""
    state = box(rng)
    launch(state, "mpm_sort")
    blocks = int(state["counts"][k.COUNT_BLOCKS])
    state["block_id"], state["cell_start"] = state["block_id"][:blocks], np.zeros(blocks * k.BLOCK_NODES + 1, np.int32)
    state["arena"], state["node"] = state["arena"][: blocks * k.ARENA_WORDS], state["node"][:blocks]
    state["peak"] = state["peak"][: blocks + 1]
    return state


def first_cell(rng: np.random.Generator) -> Arguments:
    """Particles in the very first cell of the box."""
    state = box(rng)
    state["key"][::50] = 0
    return state


def whole_chunk(rng: np.random.Generator) -> Arguments:
    """A table of blocks that is just one chunk; scratch holds what was left in it."""
    state = particles(rng, 60, INSIDE_LOW, [28, 28, 60], cells=(32, 32, 64))
    state["scratch"][:] = 7
    return state


# --- Boundaries ---------------------------------------------------------------------------------


def nanometres(rng: np.random.Generator) -> Arguments:
    """A box and a capsule so small that squared lengths are like what keeps divisions from being by 0."""
    arguments = arguments_of("mpm_grid", capsule)(rng)
    arguments["collider_in"][:, k.COLLIDER_FRICTION] = k.BOUNDARY_SLIP
    arguments["cell_size_m"] *= F32(2**-30)
    arguments["collider_in"][:, k.COLLIDER_A : k.COLLIDER_C + 1] *= F32(2**-30)
    return arguments


def faint(rng: np.random.Generator) -> Arguments:
    """Velocities that round to -0, around a vortex and at walls that they do not run into."""
    state = vortex(rng)
    state["step"][k.STEP_VELOCITY_UNIT] = 1e-44
    state["walls"][:6] = k.BOUNDARY_SEPARATE
    return state


def flush_box(rng: np.random.Generator) -> Arguments:
    """The only solid is just so far from nodes that these are in contact."""
    state = box(rng)
    state["collider"][0, : k.COLLIDER_A] = k.COLLIDER_BOX, k.BOUNDARY_STICK
    halves = np.array([3, 4, 2]) - float(CONTACT)
    state["collider"][0, k.COLLIDER_A : k.COLLIDER_C] = np.array([8, 10, 14, *halves]) * DX
    return state


def lone_sphere(rng: np.random.Generator) -> Arguments:
    state = box(rng)
    state["collider"][0, : k.COLLIDER_A] = k.COLLIDER_SPHERE, k.BOUNDARY_SLIP
    state["collider"][0, k.COLLIDER_A : k.COLLIDER_B + 1] = 0.5, 0.6, 0.7, 0.2
    return state


def flush_terrain(rng: np.random.Generator) -> Arguments:
    """Ground that ends just as high, and a vortex that is off."""
    state = vortex(rng)
    state["force"][k.VORTEX_ON] = 0
    state["terrain_geometry"][:] = 0, 0, 32 * DX, k.TERRAIN_STICK
    state["terrain"][:] = (10 - float(CONTACT)) * DX
    return state


def vortex_at_side(rng: np.random.Generator) -> Arguments:
    """Its axis stands where x is 0."""
    state = vortex(rng)
    state["force"][[k.VORTEX_X, k.VORTEX_REACH]] = 0, 0.8
    return state


# --- Density, and how far liquid is squeezed or stretched ----------------------------------------


VOLUMES = float(VOLUME_RATIO_MIN), float(VOLUME_RATIO_MAX)


def node_mass(low: float, high: float, slope: float = 0.0, volumes: tuple[float, float] = VOLUMES) -> Maker:
    """Nodes whose masses lie between two, with a slope (particle masses a cell) across the box."""

    def make(rng: np.random.Generator) -> Arguments:
        arguments = arguments_of("mpm_g2p", box)(rng)
        position, node = arguments["position_in"], arguments["node_in"]
        position[:, 3] = rng.uniform(*volumes, len(position))
        node[..., 3] = rng.uniform(low, high, node.shape[:2])
        blocks = np.unravel_index(
            arguments["block_id_in"][: arguments["counts_in"][k.COUNT_BLOCKS]],
            [arguments[f"blocks_{axis}"] for axis in "xyz"],
        )
        inner = np.arange(k.BLOCK_NODES)
        x = 4 * blocks[0][:, None] + inner // 16 - 8
        node[: len(x), :, 3] += F32(slope) * x
        return arguments

    return make


DENSITY: dict[str, Maker] = {
    "at rest density": node_mass(7.9, 8.1, volumes=(0.98, 1.03)),
    "crowded": node_mass(9.0, 14.0),
    "crushed": node_mass(20.0, 60.0, volumes=(VOLUMES[0], VOLUMES[0] + 0.02)),
    "thin": node_mass(6.5, 7.5),
    "spray": node_mass(0.0, 1.0),
    "at a surface": node_mass(4.0, 5.0, slope=2.0),
    "at a faint surface": node_mass(7.4, 7.8, slope=0.2, volumes=(0.95, VOLUMES[1])),
    "of no known density": node_mass(8.0, 8.0, slope=np.nan),
}


# --- What the control step decides --------------------------------------------------------------


def last_row(*peaks: float, **words: float) -> Maker:
    """Peaks in the last row alone: speeds, gradient, least and largest volume; dt is a hundredth of what a cell takes
    at 1 m/s."""

    def make(rng: np.random.Generator) -> Arguments:
        state = none(rng)
        state["peak"][-1, :6] = peaks
        state["step"][k.STEP_DT] = DX / 100
        state["completed_steps"] = 1
        for name, value in words.items():
            state["material"][getattr(k, f"MATERIAL_{name}")] = value
        return state

    return make


def first_step(rng: np.random.Generator) -> Arguments:
    """Too fast, but no step was made yet."""
    state = last_row(200.0, 0.1, 0.1, 0.1, 1.0, 1.0)(rng)
    state["completed_steps"] = 0
    return state


def one_cell_a_step(rng: np.random.Generator) -> Arguments:
    """A whole cell in one step is too fast already."""
    state = last_row(0.1, 2.0, 0.1, 0.1, 1.0, 1.0)(rng)
    state["step"][k.STEP_DT] = DX / 2
    return state


def at_the_bound(rng: np.random.Generator) -> Arguments:
    """A speed whose bound is the largest that there may be, to the last bit."""
    speed = F32(BOUND_MAX / SLACK)
    while speed * SLACK < BOUND_MAX:
        speed = np.nextafter(speed, F32(np.inf))
    assert speed * SLACK == BOUND_MAX
    state = last_row(float(speed), 0.0, 0.0, 0.0, 1.0, 1.0)(rng)
    state["completed_steps"] = 0
    return state


def many_rows(axis: int) -> Maker:
    """More blocks than a block of threads takes, the fastest in one of the last rows, along one axis only."""

    def make(rng: np.random.Generator) -> Arguments:
        state = none(rng)
        rows = 700
        state["peak"] = np.zeros((rows + 1, 8), F32)
        state["peak"][:rows, :4] = rng.uniform(0, 1, (rows, 4))
        state["peak"][:rows, PEAK_VOLUME_MIN], state["peak"][:rows, PEAK_VOLUME_MAX] = 0.99, 1.01
        state["peak"][650, axis] = 300.0
        state["counts"][k.COUNT_BLOCKS] = rows
        state["step"][k.STEP_DT] = DX / 100
        state["completed_steps"] = 1
        return state

    return make


def between_nodes(rng: np.random.Generator) -> Arguments:
    """Positions in the middle between two nodes, where the lowest node that they reach changes; two at the limits."""
    arguments = key.plain(rng)
    position, cell_size_m = arguments["position_in"], arguments["cell_size_m"]
    position[:, :3] = (rng.integers(k.WALL_CELLS, 8, position[:, :3].shape) + F32(0.5)) * cell_size_m
    position[:2, 0] = position_limits.py_func(4 * arguments["blocks_x"], cell_size_m)
    return arguments


# --- Words that are compared ---------------------------------------------------------------------


def words_of(count: int, room: int, differing: tuple[int, ...]) -> Maker:
    """``count`` of ``room`` words, bits of floats that are no number among them; these differ, and all beyond."""

    def made(rng: np.random.Generator) -> Arguments:
        a = rng.integers(-(2**31), 2**31, room, dtype=np.int32)
        a[::5] = np.float32(np.nan).view(np.int32)
        b = a.copy()
        b[list(differing)] ^= np.int32(-(2**31))
        b[count:] ^= 1
        return {"words": count, "a_in": a, "b_in": b, "equal_inout": np.array([2**40], np.int64)}

    return made


CASES: dict[str, dict[str, Maker]] = {
    "mpm_sort": {
        maker.__name__: arguments_of("mpm_sort", maker)
        for maker in (no_spare_rows, full_block, first_cell, whole_chunk)
    },
    "mpm_p2g": {
        **{maker.__name__: arguments_of("mpm_p2g", maker) for maker in (full_block, odd_cells, odd_syrup, odd_oil)},
        "no spare rows": arguments_of("mpm_p2g", no_spare_rows),
    },
    **{
        kernel: {
            maker.__name__: arguments_of(kernel, maker)
            for maker in (full_block, odd_cells, odd_syrup, odd_oil, no_spare_rows)
        }
        for kernel in ("mpm_strain", "mpm_push")
    },
    "mpm_grid": {
        "nanometres": nanometres,
        "faint": arguments_of("mpm_grid", faint),
        **{
            maker.__name__: arguments_of("mpm_grid", maker)
            for maker in (flush_box, flush_terrain, lone_sphere, vortex_at_side, no_spare_rows, odd_cells)
        },
    },
    "mpm_g2p": {
        **{maker.__name__: arguments_of("mpm_g2p", maker) for maker in (full_block, odd_cells)},
        "no spare rows": arguments_of("mpm_g2p", no_spare_rows),
        **DENSITY,
    },
    "mpm_control": {
        label: arguments_of("mpm_control", maker)
        for label, maker in {
            "fast along x": last_row(200.0, 0.1, 0.1, 0.1, 1.0, 1.0),
            "fast along y": last_row(0.1, 200.0, 0.1, 0.1, 1.0, 1.0),
            "fast along z": last_row(0.1, 0.1, 200.0, 0.1, 1.0, 1.0),
            "stretched": last_row(0.1, 0.1, 0.1, 0.1, 1.02, 1.05),
            "squeezed": last_row(0.1, 0.1, 0.1, 0.1, 0.9, 1.05),
            "steep": last_row(0.1, 0.1, 0.1, 200.0, 1.0, 1.0),
            "viscosity of each": last_row(0.1, 0.1, 0.1, 0.1, 1.0, 1.0, VISCOSITY=1.0, VISCOSITY_MAX=1e6),
            "first step": first_step,
            "one cell a step": one_cell_a_step,
            "at the bound": at_the_bound,
            **{f"many rows, fast along {'xyz'[axis]}": many_rows(axis) for axis in range(3)},
        }.items()
    },
    "mpm_equal": {
        "none": words_of(0, 4, ()),
        "fewer than a load": words_of(3, 8, (1,)),
        "a rest of three": words_of(4099, 4100, (0, 4095, 4096, 4098)),
        "all equal": words_of(2048, 2048, ()),
        "all differ": words_of(515, 515, tuple(range(515))),
    },
    "mpm_key": {
        "between nodes": between_nodes,
        "several a thread": lambda rng: key.plain(rng, 2500),
    },
}
