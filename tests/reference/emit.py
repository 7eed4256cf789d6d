"""``mpm_emit`` read plainly: one particle after the other, chance in whole Python numbers."""

from __future__ import annotations

import numpy as np

from kernels.base import constants as k
from kernels.base.common import sin_cos_f32

F32 = np.float32
WORD = 2**32
GENERATOR = 1.32471795724474602596  # the real root of x^3 = x + 1, which R2 steps by
R2 = round(WORD / GENERATOR), round(WORD / GENERATOR**2)


def unit(word: int) -> np.float32:
    """The upper 24 bits of a 32-bit word as a share of one."""
    return F32(word >> 8) / F32(2**24)


def basis(n):
    """Two unit vectors at right angles to the unit vector n (Duff et al. 2017)."""
    x, y, z = n
    sign = F32(1) if z >= 0 else F32(-1)
    a = F32(-1) / (sign + z)
    b = x * y * a
    return (F32(1) + sign * x * x * a, sign * b, -sign * x), (b, sign + y * y * a, -y)


def mpm_emit(
    counts_inout, first, emit_count, serial, age_s, interval_s, emitter_in, position_inout, velocity_inout,
    temperature_inout, viscosity_inout,
):  # fmt: skip
    if counts_inout[k.COUNT_BLOCKS_NEEDED]:
        return
    if emit_count > 0:
        counts_inout[k.COUNT_PARTICLES] = first + emit_count
    direction = emitter_in[k.EMITTER_DIRECTION : k.EMITTER_DIRECTION + 3]
    speed = emitter_in[k.EMITTER_SPEED]
    u, w = basis(direction)
    for n in range(emit_count):
        along = speed * (age_s - F32(n) * interval_s)
        across, around = (unit((serial + n + 1) * step % WORD) for step in R2)
        r = emitter_in[k.EMITTER_RADIUS] * np.sqrt(across)
        sine, cosine = (F32(one) for one in sin_cos_f32(F32(2 * np.pi) * around))
        a, b = r * cosine, r * sine
        for d in range(3):
            middle = emitter_in[k.EMITTER_X + d]
            position_inout[first + n, d] = middle + a * u[d] + b * w[d] + along * direction[d]
        position_inout[first + n, 3] = 1
        velocity_inout[first + n] = 0
        velocity_inout[first + n, :3] = speed * direction
        if temperature_inout.size > 1:
            temperature_inout[first + n] = emitter_in[k.EMITTER_TEMPERATURE]
            viscosity_inout[first + n] = emitter_in[k.EMITTER_VISCOSITY]
