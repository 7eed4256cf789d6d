"""Mathematics of scene building that gives the same bits on every machine.

Only + - * / and square root on float64, floor, comparisons and integer hashing are used, element by element: all of
these are exact by IEEE 754. numpy's own exp, sin, interp, sum and random do not promise that, and are not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray  # of any shape and element
PI = 3.141592653589793
SQUARE_LEAST, SQUARE_MOST = 1.0e-150, 1.0e150  # of what a square does not leave the range of float64
_U = np.uint32
_MUL, _ADD = _U(1664525), _U(1013904223)


def hash4(a: Array | int, b: Array | int, c: Array | int, d: Array | int) -> tuple[Array, Array, Array, Array]:
    """pcg4d of ``kernels.base.common`` (Jarzynski & Olano 2020) on arrays of integers."""
    v = [np.asarray(x).astype(np.int64).astype(np.uint32) for x in np.broadcast_arrays(a, b, c, d)]
    v = [x * _MUL + _ADD for x in v]
    _mix(v)
    v = [x ^ (x >> _U(16)) for x in v]
    _mix(v)
    return v[0], v[1], v[2], v[3]


def _mix(v: list[Array]) -> None:
    v[0] = v[0] + v[1] * v[3]
    v[1] = v[1] + v[2] * v[0]
    v[2] = v[2] + v[0] * v[1]
    v[3] = v[3] + v[1] * v[2]


def unit(word: Array) -> Array:
    """uint32 to float64 in [0, 1): the upper 24 bits."""
    return (word >> _U(8)).astype(np.float64) * (1.0 / 16777216.0)


def smooth(t: Array) -> Array:
    """3 t^2 - 2 t^3, clamped."""
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def value_noise(points: tuple[Array, ...], wavelength: float, seed: int) -> Array:
    """Value noise in [-1, 1] at 2-D or 3-D points: smooth between hashed lattice values.

    Where the points are dense the lattice values are hashed once for the box that they span and then gathered.
    """
    scaled = [p * (1.0 / wavelength) for p in points]
    cells = [np.floor(s).astype(np.int64) for s in scaled]
    if cells[0].size == 0:
        return np.zeros(0)
    low = [int(c.min()) for c in cells]
    counts = [int(c.max()) - lo + 2 for c, lo in zip(cells, low)]
    weight = [smooth(s - c) for s, c in zip(scaled, cells)]
    lattice_size = 1
    stride = [1] * len(counts)
    for i in range(len(counts) - 1, -1, -1):
        stride[i] = lattice_size
        lattice_size *= counts[i]
    if lattice_size <= 4 * cells[0].size:
        axes = np.meshgrid(*(np.arange(n, dtype=np.int64) + lo for n, lo in zip(counts, low)), indexing="ij")
        lattice = _lattice_value(axes, seed).reshape(-1)
        base = sum((c - lo) * st for c, lo, st in zip(cells, low, stride))
        return _blend(weight, lambda corner: lattice[base + sum(o * st for o, st in zip(corner, stride))])
    return _blend(weight, lambda corner: _lattice_value([c + o for c, o in zip(cells, corner)], seed))


def _lattice_value(axes: Sequence[Array], seed: int) -> Array:
    return unit(hash4(axes[0], axes[1], axes[2] if len(axes) == 3 else 0, seed)[0]) * 2.0 - 1.0


def _blend(weight: list[Array], value: Callable[[tuple[int, ...]], Array], corner: tuple[int, ...] = ()) -> Array:
    """Interpolate corner values along the last axis first."""
    axis = len(corner)
    if axis == len(weight):
        return value(corner)
    a, b = _blend(weight, value, (*corner, 0)), _blend(weight, value, (*corner, 1))
    return a + (b - a) * weight[axis]


def fractal_noise(
    points: tuple[Array, ...], wavelength: float, octaves: int, gain: float, seed: int, style: str = "smooth"
) -> Array:
    """Octaves of value noise, each of half the wavelength and ``gain`` of the amplitude; ridged: 1 - 2 |n|."""
    total = np.zeros(np.shape(points[0]))
    amplitude, norm = 1.0, 0.0
    for octave in range(octaves):
        n = value_noise(points, wavelength, seed + 7919 * octave)
        if style == "ridged":
            n = 1.0 - 2.0 * np.abs(n)
        elif style == "billow":
            n = 2.0 * np.abs(n) - 1.0
        total = total + n * amplitude
        norm += amplitude
        amplitude *= gain
        wavelength *= 0.4871  # not quite a half: lattices of two octaves never line up
    return total * (1.0 / norm)


def cell_noise(x: Array, y: Array, wavelength: float, seed: int) -> tuple[Array, Array]:
    """(distance to the border of the point's Voronoi cell, hash in [0, 1) of that cell); distance in wavelengths."""
    sx, sy = x * (1.0 / wavelength), y * (1.0 / wavelength)
    cx, cy = np.floor(sx).astype(np.int64), np.floor(sy).astype(np.int64)
    near = np.full(np.shape(x), 1.0e30)
    second = np.full(np.shape(x), 1.0e30)
    who = np.zeros(np.shape(x))
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            h = hash4(cx + i, cy + j, 17, seed)
            dx = (cx + i) + 0.1 + 0.8 * unit(h[0]) - sx
            dy = (cy + j) + 0.1 + 0.8 * unit(h[1]) - sy
            d = np.sqrt(dx * dx + dy * dy)
            closer = d < near
            second = np.where(closer, near, np.minimum(second, d))
            who = np.where(closer, unit(h[2]), who)
            near = np.where(closer, d, near)
    return (second - near) * 0.5, who


_SIN = (-1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362880.0, -1.0 / 39916800.0, 1.0 / 6227020800.0)
_COS = (-0.5, 1.0 / 24.0, -1.0 / 720.0, 1.0 / 40320.0, -1.0 / 3628800.0, 1.0 / 479001600.0, -1.0 / 87178291200.0)


def _series(z: Array, coefficients: tuple[float, ...]) -> Array:
    p = np.full(np.shape(z), coefficients[-1])
    for c in reversed(coefficients[:-1]):
        p = p * z + c
    return p


def sin_cos(x: Array | float) -> tuple[Array, Array]:
    """(sin x, cos x) by Taylor series after reduction to |x| <= pi / 4; absolute error below 1e-12 for |x| < 1e3."""
    x = np.asarray(x, np.float64)
    n = np.floor(x * (2.0 / PI) + 0.5)
    r = x - n * 1.5707963267948966 - n * 6.123233995736766e-17
    z = r * r
    s = r + r * z * _series(z, _SIN)
    c = 1.0 + z * _series(z, _COS)
    quadrant = n.astype(np.int64) & 3
    sine = np.where(quadrant == 0, s, np.where(quadrant == 1, c, np.where(quadrant == 2, -s, -c)))
    cosine = np.where(quadrant == 0, c, np.where(quadrant == 1, -s, np.where(quadrant == 2, -c, s)))
    return sine, cosine


def sin_cos_degrees(degrees: float) -> tuple[float, float]:
    s, c = sin_cos(degrees * (PI / 180.0))
    return float(s), float(c)


def root7_inverse(s: Array) -> Array:
    """s^(-1/7) for s from 1 to 10 by Newton's method."""
    j = 1.0 / (1.0 + (s - 1.0) * (1.0 / 7.0))
    for _ in range(6):
        j2 = j * j
        j7 = j2 * j2 * j2 * j
        j = j * (1.0 + (1.0 - s * j7) * (1.0 / 7.0))
    return j


def whole_power(x: Array, power: float) -> Array:
    """x^power for 0 <= x, by products: powers between whole numbers are blended."""
    low = math.floor(power)
    p = np.ones(np.shape(x))
    for _ in range(low):
        p = p * x
    share = power - low
    return p * (1.0 - share + share * x) if share else p


def interpolate(x: Array, xs: list[float], ys: list[float], smoothly: bool = False) -> Array:
    """Piecewise linear (or smooth) through points with rising xs; constant outside."""
    y = np.full(np.shape(x), ys[0])
    for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:]):
        t = np.clip((x - x0) * (1.0 / (x1 - x0)), 0.0, 1.0)
        t = t * t * (3.0 - 2.0 * t) if smoothly else t
        y = np.where(x >= x0, y0 + (y1 - y0) * t, y)
    return y


def normalised(v: tuple[float, ...] | list[float]) -> list[float]:
    """A unit vector along one that is not zero, however short or long."""
    largest = max(abs(a) for a in v)
    if not SQUARE_LEAST < largest < SQUARE_MOST:
        v = [a / largest for a in v]
    length = math.sqrt(sum_products(v, v))
    return [a / length for a in v]


def sum_products(a: Sequence[float], b: Sequence[float]) -> float:
    """a . b of short vectors, added in order."""
    total = 0.0
    for x, y in zip(a, b):
        total = total + x * y
    return total
