"""Between steps: check the last one's peaks, choose the next one's fixed-point scale; advance a substep's clock.

Order of a simulation. Start: ``mpm_key`` over all particles, ``mpm_control`` with completed_steps = 0. One substep:
``mpm_sort``, ``mpm_p2g``, ``mpm_grid``; for each further sound step ``mpm_strain``, ``mpm_control`` with
completed_steps = 0, ``mpm_push``, ``mpm_grid``; ``mpm_g2p`` (it writes the other buffer: swap position, velocity, key),
new particles behind the old ones and ``mpm_key`` over them, then ``mpm_control`` with completed_steps = 1.

The scale: |v + A d / dx| of a particle at any of its nodes is at most
B = max|v| + 3/2 (3 max|dx C| + max push + 8 max drag max|C|), push and drag as in ``mpm_p2g``, row sums of A taken over
the largest entries. With 2^e >= B the momentum unit is 2^(e - MASS_BITS): then |momentum| <= mass in units for each
node, a node's mass is below 512 because a cell has at most CELL_COUNT_MAX particles and a stencil's largest weights
add up to 1.75^3 = 5.36, and no int32 overflows. A push (``mpm_push``) carries no v, and ``mpm_strain`` leaves no speeds
among the peaks.

peak_inout float32[capacity + 1, PEAK_WORDS] (``mpm_common``): rows of active blocks, and the last row, which is
emptied; step_inout: STEP_DT and STEP_SOUND_STEPS are read, STEP_VELOCITY_SCALE = 2^(MASS_BITS - e),
STEP_VELOCITY_UNIT = 2^e and STEP_TIME are written; STEP_SPEED_MOST, STEP_VOLUME_LEAST (0: none yet) and
STEP_VOLUME_MOST follow the peaks of completed steps.
counts[COUNT_SUBSTEPS] grows by completed_steps. Where a sort has stopped nothing is done: the substep was not.
Errors in counts[COUNT_ERROR]: ERROR_TOO_FAST where a particle went a cell or more in a substep, ERROR_NOT_FINITE.

Paper: none; the bound is derived here.
"""

from __future__ import annotations

import numba
import numpy as np

from kernels.base.common import F32, ONE, ZERO, bits_float, float_bits, serial_kernel
from kernels.base.constants import (
    COUNT_BLOCKS,
    COUNT_ERROR,
    COUNT_SUBSTEPS,
    ERROR_NOT_FINITE,
    ERROR_TOO_FAST,
    MASS_BITS,
    MATERIAL_BULK_MODULUS,
    MATERIAL_DENSITY,
    MATERIAL_VISCOSITY,
    MATERIAL_VISCOSITY_MAX,
    STEP_DT,
    STEP_SOUND_STEPS,
    STEP_SPEED_MOST,
    STEP_TIME,
    STEP_VELOCITY_SCALE,
    STEP_VELOCITY_UNIT,
    STEP_VOLUME_LEAST,
    STEP_VOLUME_MOST,
)
from kernels.base.kernel import Kernel, Pass, Traffic
from kernels.mpm.mpm_common import FOUR, PEAK_GRADIENT, PEAK_VOLUME_MAX, PEAK_VOLUME_MIN, PEAK_WORDS, stopped

REACH = F32(1.5)  # cells from a particle to its farthest node along an axis
ROW_OF_GRADIENT, ROW_OF_STRESS = F32(3.0), F32(8.0)
SLACK = F32(1.0001)  # for the rounding of all that the bound stands for
SPEED_FLOOR = F32(1.0e-3)  # m/s
BOUND_MAX = F32(1.0e30)  # m/s
INFINITE = np.int32(0x7F800000)


@serial_kernel
def cpu(completed_steps, cell_size_m, counts_inout, material_in, peak_inout, step_inout):
    if stopped(counts_inout):
        return
    counts_inout[COUNT_SUBSTEPS] += np.int32(completed_steps)
    # Reduce, on bits: non-negative floats order as their bits do, and infinity and NaN come out on top
    last = peak_inout.shape[0] - 1
    speed, gradient, volume_max, volume_min = np.int32(0), np.int32(0), np.int32(0), np.int32(0x7F7FFFFF)
    for row in range(counts_inout[COUNT_BLOCKS] + 1):
        s = row if row < counts_inout[COUNT_BLOCKS] else last
        if peak_inout[s, PEAK_VOLUME_MAX] == ZERO:
            continue
        for axis in range(3):
            speed = max(speed, float_bits(peak_inout[s, axis]))
        gradient = max(gradient, float_bits(peak_inout[s, PEAK_GRADIENT]))
        volume_max = max(volume_max, float_bits(peak_inout[s, PEAK_VOLUME_MAX]))
        volume_min = min(volume_min, float_bits(peak_inout[s, PEAK_VOLUME_MIN]))
    for word in range(PEAK_WORDS):
        peak_inout[last, word] = ZERO
    if volume_max == 0:  # no peaks since they were used last
        if step_inout[STEP_VELOCITY_SCALE] != ZERO:
            return
        volume_max, volume_min = float_bits(ONE), float_bits(ONE)
    if max(speed, gradient, volume_max) >= INFINITE:
        counts_inout[COUNT_ERROR] |= ERROR_NOT_FINITE
        return
    # Bound what a particle gives to a node per unit of mass
    dt = step_inout[STEP_DT]
    v, c = bits_float(np.int32(speed)), bits_float(np.int32(gradient))
    stress_scale = FOUR * dt / (cell_size_m * material_in[MATERIAL_DENSITY])
    low, high = bits_float(np.int32(volume_min)), bits_float(np.int32(volume_max))
    push = stress_scale * material_in[MATERIAL_BULK_MODULUS] * _excess(low)
    viscosity = max(material_in[MATERIAL_VISCOSITY], material_in[MATERIAL_VISCOSITY_MAX])
    drag = stress_scale * high * viscosity / cell_size_m
    bound = SLACK * (v + REACH * (ROW_OF_GRADIENT * c + push + ROW_OF_STRESS * drag * c))
    if completed_steps > 0:
        step_inout[STEP_SPEED_MOST] = max(step_inout[STEP_SPEED_MOST], v)
        step_inout[STEP_VOLUME_MOST] = max(step_inout[STEP_VOLUME_MOST], high)
        if step_inout[STEP_VOLUME_LEAST] == ZERO or low < step_inout[STEP_VOLUME_LEAST]:
            step_inout[STEP_VOLUME_LEAST] = low
    if not bound < BOUND_MAX:
        counts_inout[COUNT_ERROR] |= ERROR_NOT_FINITE
        return
    if bound < SPEED_FLOOR:
        bound = SPEED_FLOOR
    if completed_steps > 0 and v * (dt * step_inout[STEP_SOUND_STEPS]) >= cell_size_m:
        counts_inout[COUNT_ERROR] |= ERROR_TOO_FAST
    # The next power of two above it
    exponent = np.int32((float_bits(bound) >> 23) - 127 + 1)
    step_inout[STEP_VELOCITY_UNIT] = bits_float(np.int32((exponent + 127) << 23))
    step_inout[STEP_VELOCITY_SCALE] = bits_float(np.int32((MASS_BITS - exponent + 127) << 23))
    step_inout[STEP_TIME] = step_inout[STEP_TIME] + F32(completed_steps) * (dt * step_inout[STEP_SOUND_STEPS])


@numba.njit(error_model="numpy")
def _excess(volume):
    """J^-6 - J, the pressure's factor at a volume ratio; 0 where it would be tension."""
    r = ONE / volume
    r2 = r * r
    excess = r2 * r2 * r2 - volume
    return ZERO if excess < ZERO else excess


def traffic(**arguments):
    rows = int(arguments["counts_inout"][COUNT_BLOCKS]) + 1
    return Traffic(items=rows, bytes_read=4 * PEAK_WORDS * rows, bytes_written=4 * PEAK_WORDS, flops=0)


def example(rng, size):
    from kernels.mpm.mpm_example import make_state

    state = make_state(rng, size, "mpm_sort", "mpm_p2g", "mpm_grid", "mpm_g2p")
    return {name: state[name] for name in KERNEL.argument_names}


KERNEL = Kernel(
    name="mpm_control",
    item="block",
    cpu=cpu,
    traffic=traffic,
    example=example,
    passes=(Pass("mpm_control", blocks_per_sm=1), Pass("mpm_control_step", threads=32, blocks_per_sm=0)),
)
