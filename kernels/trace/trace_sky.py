"""Device functions: radiance of the sky (gradient, glow, clouds) and of the sun's disc; light by temperature.

Sky above the horizon: horizon + (zenith - horizon) z^e, plus a glow about the sun, under clouds. Below: the horizon
turns into the ground's radiance over a stated drop. The disc is not part of ``sky_radiance``.
"""

from __future__ import annotations

import numpy as np

from kernels.base.common import F32, HALF, ONE, TWO, ZERO, exp_f32, log_f32
from kernels.base.constants import (
    GLOW_LUT_SIZE,
    LOOK_GLOW_HIGH_K,
    LOOK_GLOW_LOW_K,
    LOOK_HAZE,
    LOOK_TIME,
    SKY_CLOUD_AMOUNT,
    SKY_CLOUD_R,
    SKY_CLOUD_SCALE,
    SKY_EXPONENT,
    SKY_GLOW_R,
    SKY_GLOW_WIDTH,
    SKY_GROUND_BLEND,
    SKY_GROUND_R,
    SKY_HORIZON_R,
    SKY_SUN_COS,
    SKY_SUN_X,
    SKY_SUN_Y,
    SKY_SUN_Z,
    SKY_ZENITH_R,
)
from kernels.trace.trace_math import device_call, device_inline, noise_flat

THREE = F32(3.0)
LOWEST_CLOUD = F32(0.02)  # sine of elevation
CLOUD_DRIFT = F32(0.01)
SHARE_MIN = F32(1.0e-4)


@device_inline
def _clouds(dx, dy, dz, sky_in, time_s):
    """Opacity of the clouds in a direction, 0 to 1: four octaves of noise on a plane overhead."""
    amount = sky_in[SKY_CLOUD_AMOUNT]
    flat = sky_in[SKY_CLOUD_SCALE] / (dz + F32(0.12))  # below 1e4: far from the 2^31 of the noise's lattice
    x, y = dx * flat + CLOUD_DRIFT * time_s, dy * flat
    total, weight = ZERO, HALF
    for _ in range(4):
        total = total + weight * noise_flat(x, y)
        # Turned by a Pythagorean angle and doubled, so that no lattice shows
        x, y = F32(1.6) * x - F32(1.2) * y + F32(1.7), F32(1.2) * x + F32(1.6) * y - F32(2.3)
        weight = weight * HALF
    cover = (total * F32(0.9) + amount * F32(1.2) - F32(0.6)) * F32(1.6)
    if cover < ZERO:
        cover = ZERO
    if cover > ONE:
        cover = ONE
    fade = dz * F32(12.0)  # thin out towards the horizon
    if fade > ONE:
        fade = ONE
    return cover * cover * (THREE - TWO * cover) * fade


@device_call
def sky_radiance(dx, dy, dz, sky_in, look_in):
    """Radiance (RGB) that comes from direction d, without the sun's disc."""
    r, g, b = sky_in[SKY_HORIZON_R], sky_in[SKY_HORIZON_R + 1], sky_in[SKY_HORIZON_R + 2]
    if dz > ZERO:
        share = dz if dz > SHARE_MIN else SHARE_MIN
        share = exp_f32(sky_in[SKY_EXPONENT] * log_f32(share))
        r = r + (sky_in[SKY_ZENITH_R] - r) * share
        g = g + (sky_in[SKY_ZENITH_R + 1] - g) * share
        b = b + (sky_in[SKY_ZENITH_R + 2] - b) * share
    else:
        share = ONE
        if -dz < sky_in[SKY_GROUND_BLEND]:
            share = -dz / sky_in[SKY_GROUND_BLEND]
            share = share * share * (THREE - TWO * share)
        r = r + (sky_in[SKY_GROUND_R] - r) * share
        g = g + (sky_in[SKY_GROUND_R + 1] - g) * share
        b = b + (sky_in[SKY_GROUND_R + 2] - b) * share
    if sky_in[SKY_CLOUD_AMOUNT] > ZERO and dz > LOWEST_CLOUD:
        cover = _clouds(dx, dy, dz, sky_in, look_in[LOOK_TIME])
        r = r + (sky_in[SKY_CLOUD_R] - r) * cover
        g = g + (sky_in[SKY_CLOUD_R + 1] - g) * cover
        b = b + (sky_in[SKY_CLOUD_R + 2] - b) * cover
    if sky_in[SKY_GLOW_WIDTH] > ZERO:
        cosine = dx * sky_in[SKY_SUN_X] + dy * sky_in[SKY_SUN_Y] + dz * sky_in[SKY_SUN_Z]
        glow = exp_f32(-sky_in[SKY_GLOW_WIDTH] * (ONE - cosine))
        r = r + sky_in[SKY_GLOW_R] * glow
        g = g + sky_in[SKY_GLOW_R + 1] * glow
        b = b + sky_in[SKY_GLOW_R + 2] * glow
    return r, g, b


@device_inline
def in_sun(dx, dy, dz, sky_in):
    """Whether direction d points into the sun's disc."""
    cosine = dx * sky_in[SKY_SUN_X] + dy * sky_in[SKY_SUN_Y] + dz * sky_in[SKY_SUN_Z]
    return cosine > sky_in[SKY_SUN_COS]


@device_call
def glow(temperature, look_in, glow_lut_in):
    """Radiance (RGB) of black matter at a temperature (K), from the table; none below its range."""
    low = look_in[LOOK_GLOW_LOW_K]
    if not temperature > low:
        return ZERO, ZERO, ZERO
    last = GLOW_LUT_SIZE - 1
    x = (temperature - low) / (look_in[LOOK_GLOW_HIGH_K] - low) * F32(last)
    if x >= F32(last):
        return glow_lut_in[last, 0], glow_lut_in[last, 1], glow_lut_in[last, 2]
    i = np.int64(x)
    f = x - F32(i)
    return (
        glow_lut_in[i, 0] + (glow_lut_in[i + 1, 0] - glow_lut_in[i, 0]) * f,
        glow_lut_in[i, 1] + (glow_lut_in[i + 1, 1] - glow_lut_in[i, 1]) * f,
        glow_lut_in[i, 2] + (glow_lut_in[i + 1, 2] - glow_lut_in[i, 2]) * f,
    )


@device_call
def haze(distance, dx, dy, dz, sky_in, look_in):
    """(share, RGB): how much of a far point air hides, and the air's own light in that direction."""
    share = ONE - exp_f32(-distance / look_in[LOOK_HAZE])
    r, g, b = sky_radiance(dx, dy, ZERO, sky_in, look_in)
    return share, r, g, b
