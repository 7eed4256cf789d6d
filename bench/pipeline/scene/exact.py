"""Mathematics of scene building that gives the same bits on every machine and for any number of threads.

Only + - * / and square root on float64, floor, comparisons and integer hashing are used: all of these are exact by
IEEE 754, and Numba fuses and reorders none of them (no fastmath). Library functions (exp, sin, sum) promise less and
are not used. ``tests/reference/scene`` says the same with NumPy, array by array, and is what this is held to.
"""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from kernels.base.cache import folder_of_code, keep_code, toolchain
from kernels.base.common import pcg4d
from kernels.base.registry import source_digest

Array = np.ndarray  # of any shape and element
PI = 3.141592653589793
SQUARE_LEAST, SQUARE_MOST = 1.0e-150, 1.0e150  # of what a square does not leave the range of float64
SOURCES = ("exact.py", "bodies.py", "motion.py", "terrain.py", "fill.py")  # what the machine code follows from


def cache_folder(file: str) -> str:
    """Where Numba keeps the machine code of a file here.

    Numba takes nothing that it made for a file of another place or time, so both are in the name; and ``toolchain``.
    """
    path = Path(file).resolve()
    digest = hashlib.sha256(f"{path} {path.stat().st_mtime_ns} {source_digest('common')}".encode())
    for name in SOURCES:
        digest.update((path.parent / name).read_bytes())
    return str(folder_of_code() / f"scene-{path.stem}-{digest.hexdigest()[:16]}-{toolchain()}")


def parallel(function):
    """Compile for all threads, with a cache on disk."""
    compiled = njit(error_model="numpy", parallel=True, nogil=True)(function)
    return keep_code(compiled, cache_folder(function.__code__.co_filename))


# What is called inside a compiled loop allocates nothing. So it is compiled without Numba's counts of who holds which
# array, which would be moved up and down at every point of the lattice
INSIDE: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
device = njit(forceinline=True, **INSIDE)
called = njit(**INSIDE)  # too large to be copied to wherever it is called


# --- Inside compiled functions --------------------------------------------------------------------------


@device
def unit(word):
    """uint32 to float64 in [0, 1): the upper 24 bits."""
    return np.float64(word >> np.uint32(8)) * (1.0 / 16777216.0)


@device
def hash4(a, b, c, d):
    """pcg4d of whole numbers, of which the lower 32 bits count."""
    return pcg4d(np.uint32(a), np.uint32(b), np.uint32(c), np.uint32(d))


@device
def clip(x, low, high):
    """``x`` between two bounds; what is no number stays so."""
    x = low if x <= low else x
    return high if x >= high else x


@device
def smooth(t):
    """3 t^2 - 2 t^3, clamped."""
    t = clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@device
def lattice_value(x, y, seed):
    """Value in [-1, 1) of a lattice point of the plane."""
    return unit(hash4(x, y, np.int64(0), seed)[0]) * 2.0 - 1.0


@device
def _lattice3(x, y, z, seed):
    return unit(hash4(x, y, z, seed)[0]) * 2.0 - 1.0


@called
def noise2(x, y, per_wavelength, seed):
    """Value noise in [-1, 1] in the plane: smooth between hashed lattice values."""
    sx, sy = x * per_wavelength, y * per_wavelength
    i, j = np.int64(math.floor(sx)), np.int64(math.floor(sy))
    u, v = smooth(sx - i), smooth(sy - j)
    low = lattice_value(i, j, seed)
    low = low + (lattice_value(i, j + 1, seed) - low) * v
    high = lattice_value(i + 1, j, seed)
    high = high + (lattice_value(i + 1, j + 1, seed) - high) * v
    return low + (high - low) * u


@device
def _noise1(x, y, z, w, seed):
    """Between the lattice values at (x, y, z) and (x, y, z + 1)."""
    low = _lattice3(x, y, z, seed)
    return low + (_lattice3(x, y, z + 1, seed) - low) * w


@called
def noise3(x, y, z, seed):
    """Value noise of wavelength 1 in space."""
    i, j, k = np.int64(math.floor(x)), np.int64(math.floor(y)), np.int64(math.floor(z))
    u, v, w = smooth(x - i), smooth(y - j), smooth(z - k)
    low = _noise1(i, j, k, w, seed)
    low = low + (_noise1(i, j + 1, k, w, seed) - low) * v
    high = _noise1(i + 1, j, k, w, seed)
    high = high + (_noise1(i + 1, j + 1, k, w, seed) - high) * v
    return low + (high - low) * u


@called
def cell_noise(x, y, per_wavelength, seed):
    """(distance to the border of the point's Voronoi cell, hash in [0, 1) of that cell); distance in wavelengths."""
    sx, sy = x * per_wavelength, y * per_wavelength
    cx, cy = np.int64(math.floor(sx)), np.int64(math.floor(sy))
    near, second, who = 1.0e30, 1.0e30, 0.0
    for i in range(-1, 2):
        for j in range(-1, 2):
            h = hash4(cx + i, cy + j, np.int64(17), seed)
            dx = (cx + i) + 0.1 + 0.8 * unit(h[0]) - sx
            dy = (cy + j) + 0.1 + 0.8 * unit(h[1]) - sy
            d = math.sqrt(dx * dx + dy * dy)
            if d < near:
                second, near, who = near, d, unit(h[2])
            elif d < second:
                second = d
    return (second - near) * 0.5, who


@device
def sin_cos(x):
    """(sin x, cos x) by Taylor series after reduction to |x| <= pi / 4; absolute error below 1e-12 for |x| < 1e3."""
    n = math.floor(x * (2.0 / PI) + 0.5)
    r = x - n * 1.5707963267948966 - n * 6.123233995736766e-17
    z = r * r
    s = 1.0 / 6227020800.0
    s = s * z + -1.0 / 39916800.0
    s = s * z + 1.0 / 362880.0
    s = s * z + -1.0 / 5040.0
    s = s * z + 1.0 / 120.0
    s = s * z + -1.0 / 6.0
    s = r + r * z * s
    c = -1.0 / 87178291200.0
    c = c * z + 1.0 / 479001600.0
    c = c * z + -1.0 / 3628800.0
    c = c * z + 1.0 / 40320.0
    c = c * z + -1.0 / 720.0
    c = c * z + 1.0 / 24.0
    c = c * z + -0.5
    c = 1.0 + z * c
    quadrant = n & 3
    if quadrant == 0:
        return s, c
    if quadrant == 1:
        return c, -s
    if quadrant == 2:
        return -s, -c
    return -c, s


@device
def root7_inverse(s):
    """s^(-1/7) for s from 1 to 10 by Newton's method."""
    j = 1.0 / (1.0 + (s - 1.0) * (1.0 / 7.0))
    for _ in range(6):
        j2 = j * j
        j7 = j2 * j2 * j2 * j
        j = j * (1.0 + (1.0 - s * j7) * (1.0 / 7.0))
    return j


@device
def whole_power(x, power):
    """x^power for 0 <= x, by products: powers between whole numbers are blended."""
    low = math.floor(power)
    p = 1.0
    for _ in range(low):
        p = p * x
    share = power - low
    return p * (1.0 - share + share * x) if share != 0.0 else p


# --- Lines of points, packed as rows of LINE_WORDS --------------------------------------------------------

LINE_WORDS = 11


def path_rows(path: Sequence[tuple[float, float, float, float]]) -> list[list[float]]:
    """Segments of a polyline of [x, y, half width, fourth number] in the plane, for ``along_path``."""
    rows = []
    for (x0, y0, w0, d0), (x1, y1, w1, d1) in pairwise(path):
        ex, ey = x1 - x0, y1 - y0
        length2 = ex * ex + ey * ey
        if length2 <= 0.0:
            continue
        length = math.sqrt(length2)
        rows.append([x0, y0, ex, ey, 1.0 / length2, w0, w1 - w0, d0, d1 - d0, ex / length, ey / length])
    return rows


@called
def along_path(lines, first, last, x, y):
    """Nearest point of a polyline: (distance, half width there, fourth number there, direction x, direction y).

    Of two segments that are equally near the first counts. Distance is measured in the plane.
    """
    best2, best, nearest, at = 1.0e60, 1.0e30, np.int64(-1), 0.0
    for s in range(first, last):
        t = clip(((x - lines[s, 0]) * lines[s, 2] + (y - lines[s, 1]) * lines[s, 3]) * lines[s, 4], 0.0, 1.0)
        dx, dy = x - (lines[s, 0] + lines[s, 2] * t), y - (lines[s, 1] + lines[s, 3] * t)
        d2 = dx * dx + dy * dy
        if d2 < best2:  # a root is never less where its square is not
            d = math.sqrt(d2)
            if d < best:
                best2, best, nearest, at = d2, d, s, t
    if nearest < 0:
        return 1.0e30, 0.0, 0.0, 0.0, 0.0
    half_width = lines[nearest, 5] + lines[nearest, 6] * at
    fourth = lines[nearest, 7] + lines[nearest, 8] * at
    return best, half_width, fourth, lines[nearest, 9], lines[nearest, 10]


def profile_rows(xs: Sequence[float], *ys: Sequence[float]) -> list[list[float]]:
    """Points with rising xs and one or two values each, for ``profile``."""
    rows = []
    for i in range(len(xs)):
        step = 1.0 / (xs[i + 1] - xs[i]) if i + 1 < len(xs) else 0.0
        row = [xs[i], step]
        for y in ys:
            row += [y[i], y[i + 1] - y[i] if i + 1 < len(xs) else 0.0]
        rows.append(row + [0.0] * (LINE_WORDS - len(row)))
    return rows


@device
def profile(lines, first, last, word, x):
    """Smooth through the points of a profile, whose values are at ``word``; constant outside."""
    y = lines[first, word]
    for p in range(first, last - 1):
        if not x >= lines[p, 0]:
            break
        t = clip((x - lines[p, 0]) * lines[p, 1], 0.0, 1.0)
        t = t * t * (3.0 - 2.0 * t)
        y = lines[p, word] + lines[p, word + 1] * t
    return y


# --- Numbers on the host ----------------------------------------------------------------------------------


def sin_cos_degrees(degrees: float) -> tuple[float, float]:
    s, c = sin_cos.py_func(degrees * (PI / 180.0))
    return float(s), float(c)


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
