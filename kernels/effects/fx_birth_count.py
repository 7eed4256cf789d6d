"""Count the effects particles that each chunk of liquid particles sends out in a frame.

position_in float32[cap,4], velocity_in float32[cap,12], temperature_in float32[cap or 1]: the liquid's state in sorted
order; births_out int32[chunks]. What is counted is described in ``fx_source``; ``fx_birth`` makes the same particles.

Paper: Ihmsen et al. 2012, section 3.1 (potentials).
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, kernel
from kernels.base.constants import (
    COUNT_PARTICLES,
    EFFECT_PARAM_EMBER_RATE,
    EFFECT_PARAM_EMBER_TEMPERATURE,
    EFFECT_PARAM_FOAM_RATE,
    EFFECT_PARAM_LIFE_MAX,
    EFFECT_PARAM_LIFE_MIN,
    EFFECT_PARAM_RADIUS_MAX,
    EFFECT_PARAM_RADIUS_MIN,
    EFFECT_PARAM_SCATTER,
    EFFECT_PARAM_SPEED_HIGH,
    EFFECT_PARAM_SPRAY_RATE,
    EFFECT_PARAM_STRAIN_HIGH,
    EFFECT_PARAM_SURFACE_FRACTION,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.effects.fx_air import CHUNK
from kernels.effects.fx_move import example as move_example
from kernels.effects.fx_source import births


@kernel
def cpu(
    counts_in, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in,
    position_in, velocity_in, temperature_in, slot_in, node_in, births_out,
):  # fmt: skip
    for chunk in numba.prange(births_out.shape[0]):
        births_out[chunk] = _count_chunk(
            chunk, counts_in, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in,
            material_in, position_in, velocity_in, temperature_in, slot_in, node_in,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _count_chunk(
    chunk, counts_in, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in,
    position_in, velocity_in, temperature_in, slot_in, node_in,
):  # fmt: skip
    """Births of one chunk."""
    total = 0
    for p in range(chunk * CHUNK, min((chunk + 1) * CHUNK, counts_in[COUNT_PARTICLES])):
        spray, foam, ember = births(
            p, frame, seed, frame_dt_s, cells_x, cells_y, cells_z, cell_size_m, effect_params_in, material_in,
            position_in, velocity_in, temperature_in, slot_in, node_in,
        )  # fmt: skip
        total += spray + foam + ember
    return total


def traffic(**arguments):
    count = int(arguments["counts_in"][COUNT_PARTICLES])
    # Few particles read more than the random words decide on; those that do read velocity, position, temperature
    return Traffic(items=count, bytes_read=0, bytes_written=4 * arguments["births_out"].size, flops=6 * count)


def example(rng, size):
    """Fast, strained liquid in the lower half of a box."""
    base = move_example(rng, 1)
    counts = base["counts_in"]
    counts[COUNT_PARTICLES] = size
    params = base["effect_params_in"]
    for slot, value in (
        (EFFECT_PARAM_SPRAY_RATE, 4),
        (EFFECT_PARAM_FOAM_RATE, 2),
        (EFFECT_PARAM_EMBER_RATE, 1),
        (EFFECT_PARAM_EMBER_TEMPERATURE, 1200),
        (EFFECT_PARAM_SPEED_HIGH, 3),
        (EFFECT_PARAM_STRAIN_HIGH, 20),
        (EFFECT_PARAM_SURFACE_FRACTION, 0.9),
        (EFFECT_PARAM_LIFE_MIN, 0.5),
        (EFFECT_PARAM_LIFE_MAX, 2),
        (EFFECT_PARAM_RADIUS_MIN, 0.01),
        (EFFECT_PARAM_RADIUS_MAX, 0.03),
        (EFFECT_PARAM_SCATTER, 1),
    ):
        params[slot] = value
    position = np.ones((size, 4), F32)
    position[:, :3] = rng.uniform(0.5, 2.7, (size, 3))
    position[:, 2] *= 0.6
    return {
        "counts_in": counts,
        "frame": 3,
        "seed": 7,
        "frame_dt_s": base["frame_dt_s"],
        "cells_x": 32,
        "cells_y": 32,
        "cells_z": 32,
        "cell_size_m": base["cell_size_m"],
        "effect_params_in": params,
        "material_in": base["material_in"],
        "position_in": position,
        "velocity_in": rng.uniform(-5, 5, (size, 12)).astype(F32),
        "temperature_in": rng.uniform(900, 1500, size).astype(F32),
        "slot_in": base["slot_in"],
        "node_in": base["node_in"],
        "births_out": np.zeros((size + CHUNK - 1) // CHUNK, np.int32),
    }


KERNEL = Kernel(
    name="fx_birth_count",
    item="particle",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("fx_birth_count", blocks_per_sm=6),),
)
