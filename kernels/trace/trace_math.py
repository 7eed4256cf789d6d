"""Device functions of the path tracer: random numbers, directions, sampling, Fresnel.

Directions are unit vectors as three float32 scalars. A sampling function takes uniform numbers in [0, 1) and returns
a direction; its density is stated and tested.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from kernels.base.common import (
    F32,
    HALF,
    ONE,
    TWO,
    TWO_PI,
    ZERO,
    floor_int,
    fma,
    pcg4d,
    sin_cos_f32,
    unit_float,
)
from kernels.base.constants import BRICK_NODES, BRICK_NODES_EDGE, BRICK_PLANE, BRICK_ROW, SURFACE_CHANNELS
from kernels.base.vector import lane, load4, splat4, vfma, vsub

# Three kinds of device function. No wrappers for Python: they would cost a fifth of the compile time. No reference
# counts: every array belongs to the caller, and counting a passed array up and down is an atomic operation that all
# threads fight for.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
device_call = njit(**_OPTIONS)  # large, several callers: compiled once, called
device_inline = njit(forceinline=True, **_OPTIONS)  # small: compiled once, inlined by the optimiser
device_part = njit(inline="always", error_model="numpy")  # one caller or two: merged before anything is compiled

FAR = F32(1.0e30)
TINY = F32(1.0e-20)
U1 = np.uint32(1)
INV_FOUR_PI = F32(0.0795774715459477)
INV_PI = F32(0.318309886183791)
SMALLEST_SLOPE = F32(1.0e-9)
PROGRESS = F32(2.0**-22)  # of a ray's length: a step that is shorter may not change t, and the ray never arrive


@device_call
def random4(pixel, sample, dimension, seed):
    """Four uniform float32 in [0, 1) for one draw of one path; dimension counts the draws."""
    a, b, c, d = pcg4d(pixel, sample, dimension, seed)
    return unit_float(a), unit_float(b), unit_float(c), unit_float(d)


@device_inline
def inverse_slope(d):
    """1 / d, finite for any d."""
    if math.fabs(d) < SMALLEST_SLOPE:
        d = SMALLEST_SLOPE if d >= ZERO else -SMALLEST_SLOPE
    return ONE / d


@device_inline
def normalise(x, y, z):
    """The unit vector along (x, y, z); straight up for a null vector."""
    square = x * x + y * y + z * z
    if square < TINY:
        return ZERO, ZERO, ONE
    inverse = ONE / math.sqrt(square)
    return x * inverse, y * inverse, z * inverse


@device_inline
def basis(nx, ny, nz):
    """Two unit vectors that complete n to a right-handed frame (Duff et al. 2017, JCGT 6(1))."""
    sign = ONE if nz >= ZERO else -ONE
    a = -ONE / (sign + nz)
    b = nx * ny * a
    return ONE + sign * nx * nx * a, sign * b, -sign * nx, b, sign + ny * ny * a, -ny


@device_inline
def around(nx, ny, nz, sine, cosine, phi):
    """The direction at polar angle (sine, cosine) and azimuth phi around n."""
    tx, ty, tz, bx, by, bz = basis(nx, ny, nz)
    s, c = sin_cos_f32(phi)
    s, c = s * sine, c * sine
    return normalise(tx * c + bx * s + nx * cosine, ty * c + by * s + ny * cosine, tz * c + bz * s + nz * cosine)


@device_call
def sample_cosine(nx, ny, nz, u, v):
    """Direction with density cos / pi in the hemisphere of n."""
    return around(nx, ny, nz, math.sqrt(u), math.sqrt(ONE - u), TWO_PI * v)


@device_call
def sample_cone(ax, ay, az, cosine_min, u, v):
    """Direction uniform in the cone about a: density 1 / (2 pi (1 - cosine_min))."""
    drop = u * (ONE - cosine_min)  # 1 - cosine, kept apart: it is small and would round away
    cosine = ONE - drop
    return around(ax, ay, az, math.sqrt(drop * (TWO - drop)), cosine, TWO_PI * v)


@device_inline
def phase_hg(cosine, g):
    """Henyey-Greenstein phase function, 1/sr; cosine between travel directions."""
    denominator = ONE + g * g - TWO * g * cosine
    return INV_FOUR_PI * (ONE - g * g) / (denominator * math.sqrt(denominator))


@device_inline
def phase_cosine(g, u):
    """Cosine of a scattering angle, distributed as phase_hg."""
    if math.fabs(g) < F32(1.0e-3):
        return ONE - TWO * u
    s = (ONE - g * g) / (ONE - g + TWO * g * u)
    cosine = (ONE + g * g - s * s) / (TWO * g)
    if cosine > ONE:
        cosine = ONE
    if cosine < -ONE:
        cosine = -ONE
    return cosine


@device_call
def sample_phase(dx, dy, dz, g, u, v):
    """New travel direction after a scattering: density phase_hg about the old one."""
    cosine = phase_cosine(g, u)
    sine = math.sqrt(ONE - cosine * cosine)
    return around(dx, dy, dz, sine, cosine, TWO_PI * v)


@device_inline
def fresnel(cosine_in, eta):
    """(reflectance of unpolarised light, cosine inside); eta = index beyond / index before; 1 at total reflection."""
    sine2 = (ONE - cosine_in * cosine_in) / (eta * eta)
    if sine2 >= ONE:
        return ONE, ZERO
    cosine_out = math.sqrt(ONE - sine2)
    parallel = (eta * cosine_in - cosine_out) / (eta * cosine_in + cosine_out)
    normal = (cosine_in - eta * cosine_out) / (cosine_in + eta * cosine_out)
    return HALF * (parallel * parallel + normal * normal), cosine_out


@device_inline
def clip_axis(t0, t1, a, b):
    """One axis of ``clip_box``: a, b are the distances to the two sides."""
    if a > b:
        a, b = b, a
    if a > t0:
        t0 = a
    if b < t1:
        t1 = b
    return t0, t1


@device_inline
def clip_box(ox, oy, oz, ix, iy, iz, trace_in, low, high, t_end):
    """(t0, t1) of a ray with inverse direction i in the box whose corners stand at two slots; empty where t0 >= t1."""
    t0, t1 = clip_axis(ZERO, t_end, (trace_in[low] - ox) * ix, (trace_in[high] - ox) * ix)
    t0, t1 = clip_axis(t0, t1, (trace_in[low + 1] - oy) * iy, (trace_in[high + 1] - oy) * iy)
    return clip_axis(t0, t1, (trace_in[low + 2] - oz) * iz, (trace_in[high + 2] - oz) * iz)


@device_inline
def brick_coordinate(x, count):
    """Index of the brick that holds x (in bricks), kept inside 0 .. count - 1; |x| < 2^63.

    A point is at most some 1e6 m away and a brick is at least 1e-9 m wide.
    """
    i = np.int64(0)
    if x > ZERO:
        i = np.int64(x)
    if i > count - 1:
        i = count - 1
    return i


@device_inline
def brick_value(value, brick, x, y, z, channel):
    """Trilinear value in a brick at (x, y, z) in voxels from its corner, each in [0, 8]."""
    i, j, k = np.int64(x), np.int64(y), np.int64(z)
    if i > 7:
        i = np.int64(7)
    if j > 7:
        j = np.int64(7)
    if k > 7:
        k = np.int64(7)
    fx, fy, fz = x - F32(i), y - F32(j), z - F32(k)
    # Four loads of two nodes with both channels: lerp along y, then x, lane by lane; z is in the lanes
    n = SURFACE_CHANNELS * (np.int64(brick) * BRICK_NODES + (i * BRICK_NODES_EDGE + j) * BRICK_NODES_EDGE + k)
    v0, v1 = load4(value, n), load4(value, n + BRICK_ROW)
    near = vfma(splat4(fy), vsub(v1, v0), v0)
    v0, v1 = load4(value, n + BRICK_PLANE), load4(value, n + BRICK_PLANE + BRICK_ROW)
    far = vfma(splat4(fy), vsub(v1, v0), v0)
    edge = vfma(splat4(fx), vsub(far, near), near)
    low = lane(edge, channel)
    return fma(fz, lane(edge, channel + 2) - low, low)


@device_inline
def clamp_brick(x):
    """x kept in [0, 8], a brick's own range in voxels; NaN gives 0, so that it leads to no place outside the brick."""
    if not x > ZERO:
        return ZERO
    if x > F32(8.0):
        return F32(8.0)
    return x


_MIX = np.uint32(0x846CA68B)
_PX, _PY, _PZ = np.uint32(0x8DA6B343), np.uint32(0xD8163841), np.uint32(0xCB1AB31F)
_UNIT = F32(2.0 / 16777216.0)


@device_inline
def lattice_hash(i, j, k):
    """uint32 of a lattice point: good enough to look at, cheap enough for every hit."""
    h = np.uint32(np.uint32(np.uint32(i) * _PX) ^ np.uint32(np.uint32(j) * _PY))
    h = np.uint32(h ^ np.uint32(np.uint32(k) * _PZ))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * _MIX)
    return np.uint32(h ^ (h >> np.uint32(14)))


@device_inline
def _corner(i, j, k):
    """Value in [-1, 1) of a lattice point."""
    return F32(np.int32(lattice_hash(i, j, k) >> np.uint32(8))) * _UNIT - ONE


@device_call
def noise_gradient(x, y, z):
    """(value, d/dx, d/dy, d/dz) of smooth value noise on the unit lattice, in [-1, 1]; analytic gradient."""
    i, j, k = floor_int(x), floor_int(y), floor_int(z)
    fx, fy, fz = x - F32(i), y - F32(j), z - F32(k)
    six, fifteen, ten, thirty = F32(6.0), F32(15.0), F32(10.0), F32(30.0)
    u = fx * fx * fx * (fx * (fx * six - fifteen) + ten)
    v = fy * fy * fy * (fy * (fy * six - fifteen) + ten)
    w = fz * fz * fz * (fz * (fz * six - fifteen) + ten)
    du = thirty * fx * fx * (fx - ONE) * (fx - ONE)
    dv = thirty * fy * fy * (fy - ONE) * (fy - ONE)
    dw = thirty * fz * fz * (fz - ONE) * (fz - ONE)
    i1, j1, k1 = np.int32(i + 1), np.int32(j + 1), np.int32(k + 1)
    a, b = _corner(i, j, k), _corner(i1, j, k)
    c, d = _corner(i, j1, k), _corner(i1, j1, k)
    e, f = _corner(i, j, k1), _corner(i1, j, k1)
    g, h = _corner(i, j1, k1), _corner(i1, j1, k1)
    k1_, k2, k3 = b - a, c - a, e - a
    k4, k5, k6 = a - b - c + d, a - c - e + g, a - b - e + f
    k7 = -a + b + c - d + e - f - g + h
    value = a + k1_ * u + k2 * v + k3 * w + k4 * u * v + k5 * v * w + k6 * w * u + k7 * u * v * w
    gx = du * (k1_ + k4 * v + k6 * w + k7 * v * w)
    gy = dv * (k2 + k5 * w + k4 * u + k7 * w * u)
    gz = dw * (k3 + k6 * u + k5 * v + k7 * u * v)
    return value, gx, gy, gz


@device_call
def noise_flat(x, y):
    """Smooth value noise on the unit lattice of a plane, in [-1, 1]."""
    i, j, k = floor_int(x), floor_int(y), np.int32(0)
    fx, fy = x - F32(i), y - F32(j)
    u = fx * fx * (F32(3.0) - TWO * fx)
    v = fy * fy * (F32(3.0) - TWO * fy)
    i1, j1 = np.int32(i + 1), np.int32(j + 1)
    a, b, c, d = _corner(i, j, k), _corner(i1, j, k), _corner(i, j1, k), _corner(i1, j1, k)
    low, high = a + (b - a) * u, c + (d - c) * u
    return low + (high - low) * v
