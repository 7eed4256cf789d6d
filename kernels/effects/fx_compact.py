"""Copy the living effects particles, in their order, to the front of the other buffers.

alive_offset_in int32[chunks + 1]: where each chunk's survivors go (``fx_scan``). A chunk ends at its last survivor:
what lies behind the old number of particles is never reached, so that number is not needed.

Paper: none; stream compaction by prefix sums.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, kernel
from kernels.base.constants import EFFECT_NONE
from kernels.base.kernel import Kernel, Traffic
from kernels.effects.fx_air import CHUNK


@kernel
def cpu(
    effect_position_in, effect_velocity_in, effect_kind_in, effect_temperature_in, alive_offset_in,
    effect_position_out, effect_velocity_out, effect_kind_out, effect_temperature_out,
):  # fmt: skip
    for chunk in numba.prange(alive_offset_in.shape[0] - 1):
        _compact_chunk(
            chunk, effect_position_in, effect_velocity_in, effect_kind_in, effect_temperature_in, alive_offset_in,
            effect_position_out, effect_velocity_out, effect_kind_out, effect_temperature_out,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _compact_chunk(
    chunk, position_in, velocity_in, kind_in, temperature_in, alive_offset_in, position_out, velocity_out, kind_out,
    temperature_out,
):  # fmt: skip
    """Copy the survivors of one chunk."""
    target = alive_offset_in[chunk]
    end = alive_offset_in[chunk + 1]
    p = chunk * CHUNK
    while target < end:
        if kind_in[p] != EFFECT_NONE:
            for c in range(4):
                position_out[target, c] = position_in[p, c]
                velocity_out[target, c] = velocity_in[p, c]
            kind_out[target] = kind_in[p]
            temperature_out[target] = temperature_in[p]
            target += 1
        p += 1


def traffic(**arguments):
    count = int(arguments["alive_offset_in"][-1])
    return Traffic(items=count, bytes_read=40 * count, bytes_written=40 * count, flops=0)


def example(rng, size):
    """``size`` particles, about half of them dead."""
    kind = (rng.integers(0, 2, size) * rng.integers(1, 4, size)).astype(np.int32)
    alive = [int((kind[i : i + CHUNK] != 0).sum()) for i in range(0, size, CHUNK)]
    offset = np.concatenate([[0], np.cumsum(alive)]).astype(np.int32)
    return {
        "effect_position_in": rng.random((size, 4), dtype=F32),
        "effect_velocity_in": rng.random((size, 4), dtype=F32),
        "effect_kind_in": kind,
        "effect_temperature_in": rng.random(size, dtype=F32),
        "alive_offset_in": offset,
        "effect_position_out": np.zeros((size, 4), F32),
        "effect_velocity_out": np.zeros((size, 4), F32),
        "effect_kind_out": np.zeros(size, np.int32),
        "effect_temperature_out": np.zeros(size, F32),
    }


KERNEL = Kernel(name="fx_compact", item="effects particle", cpu=cpu, traffic=traffic, example=example)
