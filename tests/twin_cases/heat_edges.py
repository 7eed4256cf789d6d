"""Inputs of the heat kernels at the edges of their comparisons.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import numpy as np

from kernels.base import constants as k
from kernels.heat.mpm_heat_grid import WEIGHT_MIN
from kernels.heat.mpm_skin import STEEP, TOUCH
from tests.twin_cases.heat import F32, Arguments, Maker, box_of_nodes, only, plain

CELL_M = F32(0.125)
AT = 8  # the node looked at, on each axis, in cells
AT_M = AT * CELL_M


def _alone(rng: np.random.Generator, **fills: float) -> Arguments:
    """One node in the middle of a box of nodes, and those of its neighbours that are named, ``low_x`` to ``high_z``."""
    state = box_of_nodes(rng)
    state["block_id_in"] = np.arange(64, dtype=np.int32)
    state["slot_in"] = state["block_id_in"].copy()
    state["counts_in"][k.COUNT_BLOCKS] = 64
    state["cell_start_in"] = np.zeros(64 * 64 + 1, np.int32)
    dense = np.zeros((16, 16, 16), F32)
    for name, fill in fills.items():
        at = [AT, AT, AT]
        if name != "own":
            side, axis = name.split("_")
            at["xyz".index(axis)] += 1 if side == "high" else -1
        dense[tuple(at)] = fill
    node = np.zeros((64, 64, 4), F32)
    node[..., 0] = 1300
    node[..., 1] = dense.reshape(4, 4, 4, 4, 4, 4).transpose(0, 2, 4, 1, 3, 5).reshape(64, 64)
    state["heat_node_inout"] = node
    return state


def _with_box(state: Arguments, low_x_m: float, high_x_m: float) -> Arguments:
    """A plate across the box of nodes."""
    row = state["collider_in"][0]
    row[k.COLLIDER_KIND] = k.COLLIDER_BOX
    row[k.COLLIDER_A : k.COLLIDER_A + 3] = (low_x_m + high_x_m) / 2, AT_M, AT_M
    row[k.COLLIDER_B : k.COLLIDER_B + 3] = (high_x_m - low_x_m) / 2, 1, 1
    return only("mpm_heat_conduct", state)


def just_looks_in(rng: np.random.Generator) -> Arguments:
    """The surface looks along -x, and the last look ends just not on a solid."""
    return _with_box(_alone(rng, own=1, high_x=1), 0.5, float(AT_M - F32(1.5 + TOUCH) * CELL_M))


def just_closer(rng: np.random.Generator) -> Arguments:
    """A thin plate above the node, to which the look downwards comes just too little nearer for it to face it."""
    state = _alone(rng, own=1, high_z=1)
    row = state["collider_in"][0]
    row[k.COLLIDER_KIND] = k.COLLIDER_BOX
    row[k.COLLIDER_A : k.COLLIDER_A + 3] = AT_M, AT_M, (AT + 0.625) * CELL_M
    row[k.COLLIDER_B : k.COLLIDER_B + 3] = 4, 4, 0.25 * CELL_M
    return only("mpm_heat_conduct", state)


def half_a_cell_off(rng: np.random.Generator) -> Arguments:
    """A solid half a cell from a node, where its spline has two formulas."""
    return _with_box(_alone(rng, own=0.2, low_x=0.3, high_x=0.1), 0.5, float(AT_M - F32(0.5) * CELL_M))


def just_open(rng: np.random.Generator) -> Arguments:
    """A neighbour just as far inside of a solid as says nothing any more about the surface's direction."""
    return _with_box(_alone(rng, own=0.4, low_x=0.03, high_x=0.7, high_z=0.9), 0.5, float(AT_M - F32(0.25) * CELL_M))


def just_steep(rng: np.random.Generator) -> Arguments:
    """A surface that is just so steep that it has a direction."""
    return only("mpm_heat_conduct", _alone(rng, own=0.3, high_x=float(STEEP)))


def _lone_particle(rng: np.random.Generator) -> Arguments:
    """One particle on a node, of whose liquid half a cell's face is free."""
    state = _alone(rng, own=1)
    state["counts_in"][k.COUNT_PARTICLES] = 1
    state["position_in"][0, :3] = AT_M
    cell = 64 * 21 + 63  # of base node 7, 7, 7
    state["cell_start_in"] = (np.arange(64 * 64 + 1) > cell).astype(np.int32)
    state["order_in"][0] = 0
    state["heat_node_in"] = state["heat_node_inout"].copy()
    state["heat_node_in"][..., 3] = 4 / CELL_M * state["heat_node_in"][..., 1]
    return state


def at_ambient(rng: np.random.Generator) -> Arguments:
    """As warm as its surroundings, for a long time."""
    state = _lone_particle(rng)
    ambient = state["material_in"][k.MATERIAL_AMBIENT_TEMPERATURE]
    state["temperature_inout"][0] = state["heat_node_in"][..., 0] = ambient
    state["heat_dt_s"] = F32(1e4)
    return only("mpm_heat_g2p", state)


def faint_skin(rng: np.random.Generator) -> Arguments:
    """Very little surface over very much liquid, for a long time."""
    state = _lone_particle(rng)
    state["heat_node_in"][..., 3] *= F32(0.5) * CELL_M
    state["heat_dt_s"] = F32(1e4)
    return only("mpm_heat_g2p", state)


def thin_skin(rng: np.random.Generator) -> Arguments:
    """A little hotter than very hot surroundings, with a skin that holds next to no heat: it must not heat up."""
    state = _lone_particle(rng)
    state["material_in"][[k.MATERIAL_DENSITY, k.MATERIAL_SPECIFIC_HEAT, k.MATERIAL_CONDUCTIVITY]] = 1, 1, 0
    state["heat_node_in"][..., 3] *= F32(1e5)
    state["material_in"][k.MATERIAL_AMBIENT_TEMPERATURE] = 4999
    state["temperature_inout"][0] = 5000
    state["heat_dt_s"] = F32(1)
    return only("mpm_heat_g2p", state)


def just_enough(rng: np.random.Generator) -> Arguments:
    """A node that holds just as much as gives it a temperature."""
    state = plain(rng)
    state["arena_in"][:] = 0
    node = 2 * ((2 * 6 + 2) * 6 + 2)
    state["arena_in"][:, node : node + 2] = 1 << 28, WEIGHT_MIN
    return only("mpm_heat_grid", state)


def thin(rng: np.random.Generator) -> Arguments:
    """A melt as thin as water at every temperature, so that all that its crust adds can be seen."""
    state = plain(rng)
    state["material_in"][[k.MATERIAL_VFT_A, k.MATERIAL_VFT_B, k.MATERIAL_VISCOSITY_MAX]] = -3, 0, 1e30
    return only("mpm_rheology", state)


def rounding(rng: np.random.Generator) -> Arguments:
    """Temperatures of a simple melt at which an exponential with one more rounding is another, found by trying."""
    state = plain(rng)
    material = state["material_in"]
    material[[k.MATERIAL_VFT_A, k.MATERIAL_VFT_B, k.MATERIAL_VFT_C, k.MATERIAL_YIELD_STRESS]] = 0, 1000, 0, 0
    material[k.MATERIAL_VISCOSITY_MAX] = 1e30
    found = np.array([740.3682250976562, 932.6572265625, 202.07606506347656, 519.0699462890625, 310.078857421875], F32)
    state["temperature_in"] = np.resize(found, state["temperature_in"].shape)
    return only("mpm_rheology", state)


CASES: dict[str, dict[str, Maker]] = {
    "mpm_rheology": {"thin": thin, "rounding": rounding},
    "mpm_heat_conduct": {
        maker.__name__: maker for maker in (just_looks_in, just_closer, half_a_cell_off, just_open, just_steep)
    },
    "mpm_heat_g2p": {maker.__name__: maker for maker in (at_ambient, faint_skin, thin_skin)},
    "mpm_heat_grid": {"just_enough": just_enough},
}
