"""Inputs of the liquid's kernels in a substep of several sound steps, and at the edges of what changes in one.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import numpy as np

from kernels.base import constants as k
from kernels.base.registry import kernel_named
from kernels.mpm.mpm_example import launch
from kernels.solid.mpm_volume import VOLUME_RATIO_MAX, VOLUME_RATIO_MIN
from tests.twin_cases.mpm.edges import flush_box, full_block, last_row, no_spare_rows, odd_cells, odd_syrup
from tests.twin_cases.mpm.solids import far_from_walls
from tests.twin_cases.mpm.substep import (
    BEFORE,
    DX,
    F32,
    INSIDE_HIGH,
    INSIDE_LOW,
    Arguments,
    Maker,
    arguments_of,
    box,
    capsule,
    fewer,
    none,
    odd_domain,
    particles,
    terrain,
    viscous,
    viscous_each,
    vortex,
)

# --- How many ----------------------------------------------------------------------------------------


def steps(count: int, maker: Maker = box) -> Maker:
    """A substep of so many sound steps."""

    def make(rng: np.random.Generator) -> Arguments:
        state = maker(rng)
        state["step"][k.STEP_SOUND_STEPS] = count
        return state

    return make


def cell_in(count: int, dt_s: float) -> Maker:
    """2 m/s along y; substeps of ``count`` sound steps."""
    make_one = last_row(0.1, 2.0, 0.1, 0.1, 1.0, 1.0)

    def make(rng: np.random.Generator) -> Arguments:
        state = make_one(rng)
        state["step"][[k.STEP_DT, k.STEP_SOUND_STEPS, k.STEP_TIME]] = dt_s, count, 1.7
        return state

    return make


# --- A node that has a velocity already ----------------------------------------------------------


def later(maker: Maker, sound_step: int = 1) -> Maker:
    """The grid in a sound step that is not the first."""

    def make(rng: np.random.Generator) -> Arguments:
        state = maker(rng)
        state["completed_steps"] = 0
        for name in (*BEFORE["mpm_push"], "mpm_push"):
            launch(state, name)
        state["sound_step"] = sound_step
        return {name: state[name] for name in kernel_named("mpm_grid").argument_names}

    return make


def any_node(rng: np.random.Generator) -> Arguments:
    """Nodes hold anything, those of no mass too; gravity is another one along each axis."""
    arguments = later(box, 3)(rng)
    node = arguments["node_inout"]
    node[...] = rng.uniform(-2, 2, node.shape)
    node[::3, ::5] = -0.0
    arguments["arena_in"][::7] = 0
    arguments["force_in"][[k.FORCE_GRAVITY_X, k.FORCE_GRAVITY_Y, k.FORCE_GRAVITY_Z]] = 1.5, -2.5, -9.0
    return arguments


def first_of_several(rng: np.random.Generator) -> Arguments:
    """Sound step 0, whatever nodes hold."""
    arguments = any_node(rng)
    arguments["sound_step"] = 0
    return arguments


# --- Volumes -------------------------------------------------------------------------------------


def to_limits(maker: Maker) -> Maker:
    """Nodes so fast that volumes meet both limits, from a little within to all of the way."""

    def make(rng: np.random.Generator) -> Arguments:
        arguments = arguments_of("mpm_strain", maker)(rng)
        node, position = arguments["node_in"], arguments["position_inout"]
        node[..., :3] = rng.uniform(-1, 1, (*node.shape[:2], 3)) * DX / arguments["step_in"][k.STEP_DT] * 4
        position[:, 3] = rng.uniform(float(VOLUME_RATIO_MIN), float(VOLUME_RATIO_MAX), len(position))
        return arguments

    return make


def endless(rng: np.random.Generator) -> Arguments:
    """Nodes whose velocity is infinite or no number: of an inviscid liquid J is at a limit after them."""
    arguments = arguments_of("mpm_strain", box)(rng)
    node = arguments["node_in"]
    node[::2, ::9, 0], node[1::3, ::11, 1], node[::5, ::13, 2] = np.inf, -np.inf, np.nan
    return arguments


def one_axis(axis: int) -> Maker:
    """Nodes move along one axis only."""

    def make(rng: np.random.Generator) -> Arguments:
        arguments = arguments_of("mpm_strain", box)(rng)
        node = arguments["node_in"]
        node[..., :3] = 0
        node[..., axis] = rng.uniform(-3, 3, node.shape[:2])
        return arguments

    return make


def halted(kernel: str, maker: Maker) -> Maker:
    """A sort has stopped: what is there stays, blocks or not."""

    def make(rng: np.random.Generator) -> Arguments:
        arguments = arguments_of(kernel, maker)(rng)
        arguments["counts_in"][k.COUNT_BLOCKS_NEEDED] = 500
        return arguments

    return make


def squeezed(maker: Maker) -> Maker:
    """Volume ratios far from 1, where pressure is most of what there is."""

    def make(rng: np.random.Generator) -> Arguments:
        state = maker(rng)
        state["position"][:, 3] = rng.uniform(0.6, 1.05, len(state["position"]))
        launch(state, "mpm_key")
        launch(state, "mpm_control")
        return state

    return make


def stretched(rng: np.random.Generator) -> Arguments:
    """No pressure anywhere: what is pushed is mass alone."""
    return particles(rng, 300, INSIDE_LOW, INSIDE_HIGH, 0.0, 0.0, volumes=(1.01, 1.04))


CASES: dict[str, dict[str, Maker]] = {
    "mpm_strain": {
        **{f"{count} sound steps": arguments_of("mpm_strain", steps(count)) for count in (2, 5)},
        "to limits": to_limits(box),
        "viscous, to limits": to_limits(viscous),
        "endless": endless,
        **{f"along {'xyz'[axis]}": one_axis(axis) for axis in range(3)},
        "halted": halted("mpm_strain", box),
        "viscous, halted": halted("mpm_strain", viscous_each),
        "viscous, full block": arguments_of("mpm_strain", lambda rng: _oily(full_block(rng))),
        "viscous, fewer": arguments_of("mpm_strain", lambda rng: _oily(fewer(rng))),
        "viscous, no spare rows": arguments_of("mpm_strain", lambda rng: _oily(no_spare_rows(rng))),
        "of one viscosity, all": arguments_of("mpm_strain", lambda rng: _each(box(rng))),
    },
    "mpm_push": {
        **{f"{count} sound steps": arguments_of("mpm_push", steps(count)) for count in (2, 5)},
        "stretched": arguments_of("mpm_push", stretched),
        "squeezed much": arguments_of("mpm_push", squeezed(box)),
        "viscous, squeezed much": arguments_of("mpm_push", squeezed(viscous)),
        "odd cells, squeezed much": arguments_of("mpm_push", squeezed(odd_cells)),
        "odd syrup, squeezed much": arguments_of("mpm_push", squeezed(odd_syrup)),
        "viscous, full block": arguments_of("mpm_push", lambda rng: _oily(full_block(rng))),
        "viscous, fewer": arguments_of("mpm_push", lambda rng: _oily(fewer(rng))),
        "viscous, no spare rows": arguments_of("mpm_push", lambda rng: _oily(no_spare_rows(rng))),
        "of one viscosity, all": arguments_of("mpm_push", lambda rng: _each(box(rng))),
    },
    "mpm_grid": {
        "any node": any_node,
        "first of several": first_of_several,
        **{
            f"later, {maker.__name__}": later(maker)
            for maker in (
                none, box, capsule, terrain, odd_domain, vortex, viscous, flush_box, far_from_walls, no_spare_rows,
            )
        },
        "the fifth": later(steps(5), 4),
    },
    "mpm_g2p": {
        **{f"{count} sound steps": arguments_of("mpm_g2p", steps(count)) for count in (2, 5)},
        "5 sound steps, odd domain": arguments_of("mpm_g2p", steps(5, odd_domain)),
        "3 sound steps, odd cells": arguments_of("mpm_g2p", steps(3, odd_cells)),
    },
    "mpm_control": {
        "a cell in 4 sound steps": arguments_of("mpm_control", cell_in(4, DX / 8)),
        "less than a cell in 4": arguments_of("mpm_control", cell_in(4, DX / 8.01)),
        "a cell in 2 sound steps": arguments_of("mpm_control", cell_in(2, DX / 4)),
        "a clock of 5 sound steps": arguments_of("mpm_control", cell_in(5, 0.0137)),
    },
}  # fmt: skip


def _oily(state: Arguments) -> Arguments:
    state["material"][[k.MATERIAL_VISCOSITY, k.MATERIAL_VISCOSITY_MAX]] = 3.0
    return state


def _each(state: Arguments) -> Arguments:
    """Viscosities of each particle and none of the material: all the same."""
    state["viscosity"] = np.full(state["key"].size, 2.0, F32)
    state["material"][k.MATERIAL_VISCOSITY_MAX] = 2.0
    return state
