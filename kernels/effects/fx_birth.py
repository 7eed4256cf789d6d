"""Make the effects particles that ``fx_birth_count`` counted, behind the survivors.

A newborn leaves its liquid particle with the liquid's velocity and a random one, at a random moment of the frame; its
position is moved on accordingly. Embers take the lava's temperature. Where the births do not all fit, birth g of B goes
to place g R // B of the R free ones, and only the first of those with one place is kept: an even share everywhere.

Paper: Ihmsen et al. 2012, section 3.2, but in a cell about the particle, not in a cylinder along its path.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, HALF, ONE, ZERO, device, kernel
from kernels.base.constants import (
    COUNT_PARTICLES,
    EFFECT_EMBER,
    EFFECT_FOAM,
    EFFECT_PARAM_LIFE_MAX,
    EFFECT_PARAM_LIFE_MIN,
    EFFECT_PARAM_RADIUS_MAX,
    EFFECT_PARAM_RADIUS_MIN,
    EFFECT_PARAM_SCATTER,
    EFFECT_SPRAY,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.effects.fx_air import CHUNK, chance, signed
from kernels.effects.fx_birth_count import cpu as count_births
from kernels.effects.fx_birth_count import example as count_example
from kernels.effects.fx_source import STREAM_STATE, births


@device
def _make(
    p, n, kind, target, frame, seed, frame_dt_s, cell_size_m, effect_params_in, position_in, velocity_in, heat,
    effect_position, effect_velocity, effect_kind, effect_temperature,
):  # fmt: skip
    """Write the n-th newborn of liquid particle p at place ``target``."""
    a, b, c, age = chance(p, frame, STREAM_STATE + 2 * n, seed)
    d, e, f, size = chance(p, frame, STREAM_STATE + 2 * n + 1, seed)
    scatter = effect_params_in[EFFECT_PARAM_SCATTER]
    ax, ay, az = scatter * signed(a), scatter * signed(b), scatter * signed(c)
    if kind == EFFECT_EMBER and az < ZERO:
        az = -az
    age *= frame_dt_s
    half_cell = HALF * cell_size_m
    effect_position[target, 0] = position_in[p, 0] + half_cell * signed(d) + ax * age
    effect_position[target, 1] = position_in[p, 1] + half_cell * signed(e) + ay * age
    effect_position[target, 2] = position_in[p, 2] + half_cell * signed(f) + az * age
    # Many small drops, few large ones
    low, high = effect_params_in[EFFECT_PARAM_RADIUS_MIN], effect_params_in[EFFECT_PARAM_RADIUS_MAX]
    effect_position[target, 3] = low + (high - low) * size * size * size
    effect_velocity[target, 0] = velocity_in[p, 0] + ax
    effect_velocity[target, 1] = velocity_in[p, 1] + ay
    effect_velocity[target, 2] = velocity_in[p, 2] + az
    low, high = effect_params_in[EFFECT_PARAM_LIFE_MIN], effect_params_in[EFFECT_PARAM_LIFE_MAX]
    effect_velocity[target, 3] = low + (high - low) * (ONE - size) * d
    effect_kind[target] = kind
    effect_temperature[target] = heat


@kernel
def cpu(
    counts_in, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_capacity, effect_params_in,
    material_in, position_in, velocity_in, temperature_in, slot_in, node_in, alive_offset_in, birth_offset_in,
    effect_position_out, effect_velocity_out, effect_kind_out, effect_temperature_out,
):  # fmt: skip
    for chunk in numba.prange(birth_offset_in.shape[0] - 1):
        if birth_offset_in[chunk] < birth_offset_in[chunk + 1]:
            _birth_chunk(
                chunk, counts_in, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_capacity,
                effect_params_in, material_in, position_in, velocity_in, temperature_in, slot_in, node_in,
                alive_offset_in, birth_offset_in, effect_position_out, effect_velocity_out, effect_kind_out,
                effect_temperature_out,
            )  # fmt: skip


@numba.njit(error_model="numpy")
def _birth_chunk(
    chunk, counts_in, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_capacity,
    effect_params_in, material_in, position_in, velocity_in, temperature_in, slot_in, node_in, alive_offset_in,
    birth_offset_in, effect_position, effect_velocity, effect_kind, effect_temperature,
):  # fmt: skip
    """Births of one chunk of liquid particles, in their order."""
    alive = np.int64(alive_offset_in[alive_offset_in.shape[0] - 1])
    total = np.int64(birth_offset_in[birth_offset_in.shape[0] - 1])
    room = min(total, effect_capacity - alive)
    serial = np.int64(birth_offset_in[chunk])
    has_heat = temperature_in.shape[0] > 1
    for p in range(chunk * CHUNK, min((chunk + 1) * CHUNK, counts_in[COUNT_PARTICLES])):
        spray, foam, ember = births(
            p, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in,
            position_in, velocity_in, temperature_in, slot_in, node_in,
        )  # fmt: skip
        heat = temperature_in[p] if has_heat else ZERO
        for n in range(spray + foam + ember):
            place = serial * room // total
            kept = (serial + 1) * room // total > place
            serial += 1
            if kept:
                kind = EFFECT_EMBER
                if n < spray:
                    kind = EFFECT_SPRAY
                elif n < spray + foam:
                    kind = EFFECT_FOAM
                _make(
                    p, n, kind, alive + place, frame, seed, frame_dt_s, cell_size_m, effect_params_in, position_in,
                    velocity_in, heat, effect_position, effect_velocity, effect_kind, effect_temperature,
                )  # fmt: skip


def traffic(**arguments):
    count = int(arguments["counts_in"][COUNT_PARTICLES])
    born = int(arguments["birth_offset_in"][-1])
    return Traffic(items=count, bytes_read=64 * born, bytes_written=40 * born, flops=6 * count + 200 * born)


def example(rng, size):
    """Offsets that leave room for every birth."""
    base = count_example(rng, size)
    count_births(*base.values())
    births_of_chunk = base.pop("births_out")
    capacity = int(births_of_chunk.sum()) + 4
    names = list(base)
    return {
        **{name: base[name] for name in names[:8]},
        "effect_capacity": capacity,
        **{name: base[name] for name in names[8:]},
        "alive_offset_in": np.array([0, 4], np.int32),
        "birth_offset_in": np.concatenate([[0], np.cumsum(births_of_chunk)]).astype(np.int32),
        "effect_position_out": np.zeros((capacity, 4), F32),
        "effect_velocity_out": np.zeros((capacity, 4), F32),
        "effect_kind_out": np.zeros(capacity, np.int32),
        "effect_temperature_out": np.zeros(capacity, F32),
    }


KERNEL = Kernel(
    name="fx_birth",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("fx_birth", blocks_per_sm=6),),
)
