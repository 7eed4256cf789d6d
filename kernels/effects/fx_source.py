"""How many effects particles one liquid particle sends out in a frame, as a device function.

After Ihmsen et al. 2012 ("Unified spray, foam and air bubbles for particle-based fluids", section 3.1): the number is
the product of clamped potentials, of kinetic energy (here of speed) and of trapped air (here of the strain rate), near
the surface only. Expected numbers are made whole with one random word each, floor(expected + u), so that the mean is
exact. Most particles leave after that one comparison, before anything of the grid is read.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.base.common import F32, ONE, ZERO, device
from kernels.base.constants import (
    EFFECT_PARAM_EMBER_RATE,
    EFFECT_PARAM_EMBER_TEMPERATURE,
    EFFECT_PARAM_FOAM_RATE,
    EFFECT_PARAM_SPEED_HIGH,
    EFFECT_PARAM_SPEED_LOW,
    EFFECT_PARAM_SPRAY_RATE,
    EFFECT_PARAM_STRAIN_HIGH,
    EFFECT_PARAM_STRAIN_LOW,
    EFFECT_PARAM_SURFACE_FRACTION,
)
from kernels.effects.fx_air import cell_fill, chance, liquid_at
from kernels.heat.mpm_lava import strain_rate

STREAM_COUNT, STREAM_STATE = 1, 8  # what random words are drawn for; states use the streams from 8 on
BIRTHS_MAX = 8  # of one kind, of one particle, in one frame


@device
def _ramp(x, low, high):
    """0 below ``low``, 1 above ``high``, linear between."""
    if x >= high:
        return ONE
    if x <= low:
        return ZERO
    return (x - low) / (high - low)


@device
def _whole(expected, u):
    """floor(expected + u) and at most BIRTHS_MAX; NaN, of a state that is about to be refused, gives 0."""
    total = expected + u
    if not total > ZERO:
        return np.int32(0)
    if total >= F32(BIRTHS_MAX):
        return np.int32(BIRTHS_MAX)
    return np.int32(total)


@device
def births(
    p, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in, position_in,
    velocity_in, temperature_in, slot_in, node_in,
):  # fmt: skip
    """(spray, foam, embers) that liquid particle p sends out."""
    spray = effect_params_in[EFFECT_PARAM_SPRAY_RATE] * frame_dt_s
    foam = effect_params_in[EFFECT_PARAM_FOAM_RATE] * frame_dt_s
    ember = ZERO
    if temperature_in.shape[0] > 1:  # without heat there is one word for all particles, and no embers
        ember = effect_params_in[EFFECT_PARAM_EMBER_RATE] * frame_dt_s
    a, b, c, _ = chance(p, frame, STREAM_COUNT, seed)
    none = np.int32(0)
    if spray + a < ONE and foam + b < ONE and ember + c < ONE:
        return none, none, none
    vx, vy, vz = velocity_in[p, 0], velocity_in[p, 1], velocity_in[p, 2]
    energy = _ramp(
        math.sqrt(vx * vx + vy * vy + vz * vz),
        effect_params_in[EFFECT_PARAM_SPEED_LOW],
        effect_params_in[EFFECT_PARAM_SPEED_HIGH],
    )
    torn = energy
    if energy > ZERO:
        torn = energy * _ramp(
            strain_rate(velocity_in, p),
            effect_params_in[EFFECT_PARAM_STRAIN_LOW],
            effect_params_in[EFFECT_PARAM_STRAIN_HIGH],
        )
    spray *= torn
    foam *= torn
    if ember > ZERO and temperature_in[p] < effect_params_in[EFFECT_PARAM_EMBER_TEMPERATURE]:
        ember = ZERO
    if spray + a < ONE and foam + b < ONE and ember + c < ONE:
        return none, none, none
    # Only near the surface
    _, _, _, mass = liquid_at(
        position_in[p, 0], position_in[p, 1], position_in[p, 2], cell_size_m, cells_x >> 2, cells_y >> 2, cells_z >> 2,
        slot_in, node_in,
    )  # fmt: skip
    if cell_fill(mass, cell_size_m, material_in) > effect_params_in[EFFECT_PARAM_SURFACE_FRACTION]:
        return none, none, none
    return _whole(spray, a), _whole(foam, b), _whole(ember, c)
