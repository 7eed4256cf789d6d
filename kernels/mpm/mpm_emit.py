"""Append the particles that one emitter lets out during one substep.

An emitter is a disc that liquid leaves at a steady speed: flux = pi r^2 speed / particle volume. Its n-th particle
(``serial``) leaves at (n + 1/2) / flux after the start, so the flux is exact whatever the substep is, and has moved
on by speed x age when it appears. Its place on the disc is the n-th point of the additive recurrence R2 (Roberts 2018),
in integers, mapped to the disc by equal areas: the liquid is even, without the clumps of random points.
Where a sort has stopped nothing is done.

emitter_in float32[EMITTER_WORDS]; ``age_s`` is the age of the first new particle, ``interval_s`` = 1 / flux.
position_inout float32[cap,4], velocity_inout float32[cap,12], temperature_inout and viscosity_inout float32[cap or 1].

Paper: Roberts 2018 (R2 sequence).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from kernels.base.common import F32, ONE, TWO_PI, ZERO, device, kernel, sin_cos_f32, unit_float
from kernels.base.constants import (
    COUNT_PARTICLES,
    COUNT_WORDS,
    EMITTER_DIRECTION,
    EMITTER_RADIUS,
    EMITTER_SPEED,
    EMITTER_TEMPERATURE,
    EMITTER_VISCOSITY,
    EMITTER_WORDS,
    EMITTER_X,
)
from kernels.base.kernel import Kernel, Traffic
from kernels.mpm.mpm_common import stopped

R2_A, R2_B = np.uint32(3242174889), np.uint32(2447445414)  # 2^32 / g and 2^32 / g^2, g = 1.3247...
TASK = 256  # particles


@device
def _basis(x, y, z):
    """Two unit vectors at right angles to the unit vector (x, y, z) (Duff et al. 2017, JCGT 6(1))."""
    sign = ONE if z >= ZERO else -ONE
    a = -ONE / (sign + z)
    b = x * y * a
    return ONE + sign * x * x * a, sign * b, -sign * x, b, sign + y * y * a, -y


@kernel
def cpu(
    counts_inout, first, emit_count, serial, age_s, interval_s, emitter_in, position_inout, velocity_inout,
    temperature_inout, viscosity_inout,
):  # fmt: skip
    if stopped(counts_inout):
        return
    for task in numba.prange((emit_count + TASK - 1) // TASK):
        _emit_task(
            task, counts_inout, first, emit_count, serial, age_s, interval_s, emitter_in, position_inout,
            velocity_inout, temperature_inout, viscosity_inout,
        )  # fmt: skip


@numba.njit(error_model="numpy")
def _emit_task(
    task, counts_inout, first, emit_count, serial, age_s, interval_s, emitter_in, position, velocity, temperature,
    viscosity,
):  # fmt: skip
    """Particles of one task; the first task also writes the new number of particles."""
    if task == 0:
        counts_inout[COUNT_PARTICLES] = np.int32(first + emit_count)
    dx, dy, dz = emitter_in[EMITTER_DIRECTION], emitter_in[EMITTER_DIRECTION + 1], emitter_in[EMITTER_DIRECTION + 2]
    speed = emitter_in[EMITTER_SPEED]
    ux, uy, uz, wx, wy, wz = _basis(dx, dy, dz)
    for n in range(task * TASK, min((task + 1) * TASK, emit_count)):
        p = first + n
        word = np.uint32(serial + n + 1)
        r = emitter_in[EMITTER_RADIUS] * math.sqrt(unit_float(np.uint32(word * R2_A)))
        sine, cosine = sin_cos_f32(TWO_PI * unit_float(np.uint32(word * R2_B)))
        a, b = r * cosine, r * sine
        along = speed * (age_s - F32(n) * interval_s)
        position[p, 0] = emitter_in[EMITTER_X] + a * ux + b * wx + along * dx
        position[p, 1] = emitter_in[EMITTER_X + 1] + a * uy + b * wy + along * dy
        position[p, 2] = emitter_in[EMITTER_X + 2] + a * uz + b * wz + along * dz
        position[p, 3] = ONE
        velocity[p, 0], velocity[p, 1], velocity[p, 2] = speed * dx, speed * dy, speed * dz
        for c in range(3, 12):
            velocity[p, c] = ZERO
        if temperature.shape[0] > 1:
            temperature[p] = emitter_in[EMITTER_TEMPERATURE]
            viscosity[p] = emitter_in[EMITTER_VISCOSITY]


def traffic(**arguments):
    count = int(arguments["emit_count"])
    heat = 8 if arguments["temperature_inout"].size > 1 else 0
    return Traffic(items=count, bytes_read=0, bytes_written=(64 + heat) * count, flops=60 * count)


def example(rng, size):
    """``size`` particles out of a disc of 0.5 m, at 2 m/s."""
    emitter = np.zeros(EMITTER_WORDS, F32)
    emitter[EMITTER_X : EMITTER_X + 3] = 2, 2, 1
    emitter[EMITTER_DIRECTION : EMITTER_DIRECTION + 3] = 0.6, 0, 0.8
    emitter[EMITTER_RADIUS], emitter[EMITTER_SPEED], emitter[EMITTER_TEMPERATURE] = 0.5, 2, 1400
    return {
        "counts_inout": np.zeros(COUNT_WORDS, np.int32),
        "first": 0,
        "emit_count": size,
        "serial": int(rng.integers(0, 10**6)),
        "age_s": F32(0.01),
        "interval_s": F32(0.01 / size),
        "emitter_in": emitter,
        "position_inout": np.zeros((size, 4), F32),
        "velocity_inout": np.zeros((size, 12), F32),
        "temperature_inout": np.zeros(size, F32),
        "viscosity_inout": np.zeros(size, F32),
    }


KERNEL = Kernel(name="mpm_emit", item="particle", cpu=cpu, traffic=traffic, example=example)
