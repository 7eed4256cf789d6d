"""Inputs of the heat kernels at the edges of their comparisons.

CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import numpy as np

from kernels.base import constants as k
from kernels.heat.mpm_heat_g2p import STEEP
from kernels.heat.mpm_heat_grid import WEIGHT_MIN
from tests.twin_cases.heat import F32, Arguments, Maker, at_wall, only, plain

HEIGHT_M = 1.0  # of the particle; solids end there


def looking(rng: np.random.Generator) -> Arguments:
    """One particle on a node in the middle of the box, whose skin looks along -x."""
    state = at_wall(rng, axis=0, high=False)
    position, cell = state["position_in"], int(np.argmax(state["cell_start_in"] > 0)) - 1
    assert position[0, 0] == 5.5 * state["cell_size_m"] and position[0, 2] == HEIGHT_M
    position[0, 0] = 8 * state["cell_size_m"]  # two cells, 16 numbers each, behind where it was
    state["cell_start_in"] = (np.arange(64 * 64 + 1) > cell + 32).astype(np.int32)
    state["heat_node_in"][..., 1] = F32(0.25) * np.clip(_node_x() - 7, 0, 3)
    return state


def _node_x() -> np.ndarray:
    """In cells, of a block's node."""
    return np.add.outer(4 * (np.arange(64) // 16), np.arange(64) // 16)


def beside_terrain(rng: np.random.Generator) -> Arguments:
    state = looking(rng)
    state["terrain_geometry_in"] = np.array([0, 0, 1, k.TERRAIN_SLIP], F32)
    state["terrain_in"] = np.full((3, 3), HEIGHT_M, F32)
    return state


def beside_box(rng: np.random.Generator) -> Arguments:
    state = looking(rng)
    state["collider_in"][0, 0] = k.COLLIDER_BOX
    state["collider_in"][0, k.COLLIDER_A : k.COLLIDER_C] = 1, 1, HEIGHT_M / 2, 2, 2, HEIGHT_M / 2
    return state


def at_ambient(rng: np.random.Generator) -> Arguments:
    """As warm as its surroundings, for a long time."""
    state = looking(rng)
    state["temperature_inout"][0] = state["material_in"][k.MATERIAL_AMBIENT_TEMPERATURE]
    state["heat_dt_s"] = F32(1e4)
    return state


def thin_skin(rng: np.random.Generator) -> Arguments:
    """A little hotter than very hot surroundings, with a skin that holds next to no heat: it must not heat up."""
    state = looking(rng)
    state["material_in"][[k.MATERIAL_RADIATING_LAYER, k.MATERIAL_DENSITY, k.MATERIAL_SPECIFIC_HEAT]] = 1e-6, 1, 1
    state["material_in"][k.MATERIAL_AMBIENT_TEMPERATURE] = 4999
    state["temperature_inout"][0] = 5000
    state["heat_dt_s"] = F32(1)
    return state


def just_steep(rng: np.random.Generator) -> Arguments:
    """Its surface is just so steep that it has a direction: it looks into the ground."""
    state = beside_terrain(rng)
    state["terrain_in"] += F32(1)
    # Twice as much on the next plane of nodes, and what rounding leaves to find
    weight = np.array([0.125, 0.75, 0.125], F32)
    share = np.multiply.outer(weight[0] * weight, weight).reshape(-1)
    for step in range(-40, 40):
        fill = (F32(2 * STEEP).view(np.int32) + np.int32(step)).view(F32)
        total = F32(0)
        for part in share * fill:
            total += part
        if F32(4) * total == STEEP:
            break
    else:
        raise AssertionError("no fill gives just this slope")
    state["heat_node_in"][..., 1] = np.where(_node_x() > 8, fill, F32(0))
    return state


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
    "mpm_heat_g2p": {
        maker.__name__: maker for maker in (looking, at_ambient, thin_skin, beside_terrain, beside_box, just_steep)
    },
    "mpm_heat_grid": {"just_enough": just_enough},
}
