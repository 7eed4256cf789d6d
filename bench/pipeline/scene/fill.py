"""Fill bodies with particles: the compiled loop over the lattice, and the numbers that it reads.

Eight points a cell on a jittered 2 x 2 x 2 lattice are candidates, a column of them at a time. A first sweep counts how
many of each column are kept, so that a second one knows where they go. A particle depends only on its lattice index,
the seed and the shot: neither the chunk nor the number of threads can change it.
"""

# mypy: disable-error-code="no-untyped-def, arg-type"

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from bench.pipeline.scene import exact
from bench.pipeline.scene.bodies import SHAPE_WORDS, in_body
from bench.pipeline.scene.exact import LINE_WORDS, clip, device, hash4, parallel, root7_inverse, unit
from bench.pipeline.scene.motion import TEMPERATURE_WORDS, VELOCITY_WORDS, temperature_at, velocity_at

JITTER = 0.35  # share of the lattice spacing within which a particle is displaced
NO_GROUND = -1.0e30
TASKS = 512  # each takes every 512th column: all of them have some of the dear ones

# A body's words
LOW, HIGH = 0, 3  # corners of a box round it
HYDROSTATIC = 6
OVER_GROUND, THICKNESS, LUMP = 7, 8, 9  # whether its ceiling follows the ground, and how far above
SHAPE = 10
VELOCITY = SHAPE + SHAPE_WORDS
TEMPERATURE = VELOCITY + VELOCITY_WORDS
BODY_WORDS = TEMPERATURE + TEMPERATURE_WORDS
# Its kinds
SHAPE_KIND, VELOCITY_KIND, TEMPERATURE_KIND, BODY_KINDS = range(4)
# A collider's words: its kind, then what ``_outside`` reads
SPHERE, BOX, CAPSULE, CYLINDER = range(4)
COLLIDER_WORDS = 9
# Numbers of a shot
HALF, GROUND_ON, GROUND_X, GROUND_Y, PER_SPACING, WEIGHT, PER_BULK, OFFSET, NUMBERS = range(9)


class Tables(NamedTuple):
    """A shot's bodies, colliders and ground as arrays."""

    kinds: np.ndarray  # int64[bodies, BODY_KINDS]
    bodies: np.ndarray  # float64[bodies * BODY_WORDS]
    lines: np.ndarray  # float64[points, LINE_WORDS], of all bodies
    rings: np.ndarray  # float64[bodies or 0, lattice points upward, 4]: x, y and two squared radii
    colliders: np.ndarray  # float64[colliders, COLLIDER_WORDS]
    heights: np.ndarray  # float32[x, y] m


@parallel
def sweep(low, high, seed, numbers, t, start_in, position_out, velocity_out, temperature_out, counts_out):
    """Go through the columns of lattice points from corner ``low`` to corner ``high``, x by x.

    Where there is room for no particle, ``counts_out`` gets the number of each column's. Else they are put to their
    places, of which ``start_in[column]`` is the first; temperatures only where there is room for them.
    """
    across = high[1] - low[1]
    columns = (high[0] - low[0]) * across
    counting, hot = len(position_out) == 0, len(temperature_out) > 0
    half, offset = numbers[HALF], np.float32(numbers[OFFSET])
    kinds, bodies, lines, rings, colliders, heights = t
    for task in numba.prange(TASKS):
        for column in range(task, columns, TASKS):
            i, j = low[0] + column // across, low[1] + column % across
            floor, top = _column_bounds(numbers, kinds, bodies, heights, i, j)
            at = start_in[column]
            for k in range(_first(half, low[2], high[2], floor), high[2]):
                lattice_z = (k + 0.5) * half
                if not lattice_z < top + half:
                    break
                if not (lattice_z >= floor - half and _within_a_ring(rings, half, i, j, k)):
                    continue
                body, x, y, z, surface, vx, vy, vz = _candidate(
                    seed, numbers, kinds, bodies, lines, colliders, heights, i, j, k, counting
                )
                if body < 0:
                    continue
                if not counting:
                    w = body * BODY_WORDS
                    position_out[at, 0] = np.float32(np.float32(x) + offset)
                    position_out[at, 1] = np.float32(np.float32(y) + offset)
                    position_out[at, 2] = np.float32(np.float32(z) + offset)
                    position_out[at, 3] = np.float32(_compression(numbers, bodies, w, surface - z))
                    ux, uy, uz = velocity_at(kinds[body, VELOCITY_KIND], bodies, w + VELOCITY, x, y, z)
                    velocity_out[at, 0] = np.float32(vx + ux)
                    velocity_out[at, 1] = np.float32(vy + uy)
                    velocity_out[at, 2] = np.float32(vz + uz)
                    for c in range(3, 12):
                        velocity_out[at, c] = np.float32(0.0)
                    if hot:
                        kind = kinds[body, TEMPERATURE_KIND]
                        temperature = temperature_at(kind, bodies, w + TEMPERATURE, x, y, z, surface)
                        temperature_out[at] = np.float32(temperature)
                at += 1
            if counting:
                counts_out[column] = at


@device
def _candidate(seed, numbers, kinds, b, lines, colliders, heights, i, j, k, only_inside):
    """(body that keeps a lattice point or -1, x, y, z, surface, velocity x, y, z)."""
    half = numbers[HALF]
    h = hash4(i, j, k, seed)
    x = (i + 0.5 + JITTER * (unit(h[0]) - 0.5)) * half
    y = (j + 0.5 + JITTER * (unit(h[1]) - 0.5)) * half
    z = (k + 0.5 + JITTER * (unit(h[2]) - 0.5)) * half
    ground = _ground(numbers, heights, x, y)
    # Leave free what lies below the ground or in a collider
    if numbers[GROUND_ON] != 0.0 and not z >= ground + 0.25 * half:
        return -1, x, y, z, z, 0.0, 0.0, 0.0
    for n in range(len(colliders)):
        if not _outside(colliders, n, x, y, z):
            return -1, x, y, z, z, 0.0, 0.0, 0.0
    for n in range(len(kinds)):
        w = n * BODY_WORDS
        near = x >= b[w + LOW] and y >= b[w + LOW + 1] and z >= b[w + LOW + 2]
        if near and x < b[w + HIGH] and y < b[w + HIGH + 1] and z < b[w + HIGH + 2] and z >= ground:
            kind = kinds[n, SHAPE_KIND]
            inside, surface, vx, vy, vz = in_body(kind, b, w + SHAPE, lines, x, y, z, ground, only_inside)
            if inside:
                return n, x, y, z, surface, vx, vy, vz
    return -1, x, y, z, z, 0.0, 0.0, 0.0


@device
def _compression(numbers, b, w, depth):
    """J at a depth below a body's surface: 1, or what carries the water above it."""
    if b[w + HYDROSTATIC] == 0.0 or numbers[WEIGHT] == 0.0:
        return 1.0
    ratio = numbers[WEIGHT] * (0.0 if depth <= 0.0 else depth) * numbers[PER_BULK]
    return root7_inverse(1.0 + (ratio if ratio < 4.0 else 4.0))


@device
def _column_bounds(numbers, kinds, b, heights, i, j):
    """(floor, top) of the lattice points of a column that a body may hold: cheap, never too tight.

    A column's ground is bounded by the heights at its own and the eight neighbouring columns, less what terrain finer
    than the lattice could add between them. Where no body is near, the top is below everything.
    """
    half = numbers[HALF]
    x, y = (i + 0.5) * half, (j + 0.5) * half
    floor, roof, top = -1.0e30, 1.0e30, -1.0e30
    bounded = numbers[GROUND_ON] == 0.0
    for n in range(len(kinds)):
        w = n * BODY_WORDS
        beside = x < b[w + LOW] - half or x >= b[w + HIGH] + half
        if beside or y < b[w + LOW + 1] - half or y >= b[w + HIGH + 1] + half:
            continue
        if not bounded:
            bounded = True
            floor, roof = 1.0e30, -1.0e30
            for p in range(-1, 2):
                for q in range(-1, 2):
                    ground = _ground(numbers, heights, (i + p + 0.5) * half, (j + q + 0.5) * half)
                    floor, roof = min(floor, ground), max(roof, ground)
            margin = half + (roof - floor)
            floor, roof = floor - margin, roof + margin
        ceiling = b[w + HIGH + 2]
        if b[w + OVER_GROUND] != 0.0:
            ceiling = min(ceiling, roof + b[w + THICKNESS] + b[w + LUMP])
        top = max(top, ceiling)
    return floor, top


@device
def _within_a_ring(rings, half, i, j, k):
    """Whether a lattice point may be in a body, as far as the rings tell between which each body lies at a height."""
    x, y = (i + 0.5) * half, (j + 0.5) * half
    for n in range(rings.shape[0]):
        dx, dy = x - rings[n, k, 0], y - rings[n, k, 1]
        r2 = dx * dx + dy * dy
        if r2 >= rings[n, k, 2] and r2 <= rings[n, k, 3]:
            return True
    return rings.shape[0] == 0


@device
def _first(half, low, high, floor):
    """A lattice point at or below the first one of a column that is above its floor."""
    above = floor / half - low
    return low if above < 4.0 else min(high, low + np.int64(min(above, 1.0e9)) - 3)


@device
def _ground(numbers, heights, x, y):
    """Height of the ground (m), bilinear between the heights, clamped outside; NO_GROUND where there is none."""
    if numbers[GROUND_ON] == 0.0:
        return NO_GROUND
    u = clip((x - numbers[GROUND_X]) * numbers[PER_SPACING], 0.0, heights.shape[0] - 1.0)
    v = clip((y - numbers[GROUND_Y]) * numbers[PER_SPACING], 0.0, heights.shape[1] - 1.0)
    i = min(np.int64(math.floor(u)), heights.shape[0] - 2)
    j = min(np.int64(math.floor(v)), heights.shape[1] - 2)
    fu, fv = u - i, v - j
    h00, h01 = np.float64(heights[i, j]), np.float64(heights[i, j + 1])
    h10, h11 = np.float64(heights[i + 1, j]), np.float64(heights[i + 1, j + 1])
    low = h00 + (h01 - h00) * fv
    return low + (h10 + (h11 - h10) * fv - low) * fu


@device
def _outside(c, n, x, y, z):
    """Whether a point is farther than the gap, which the words hold already, from a collider's inside."""
    kind = int(c[n, 0])
    if kind == BOX:
        beside = x < c[n, 1] or x > c[n, 4] or y < c[n, 2] or y > c[n, 5]
        return beside or z < c[n, 3] or z > c[n, 6]
    dx, dy, dz = x - c[n, 1], y - c[n, 2], z - c[n, 3]
    if kind == SPHERE:
        return dx * dx + dy * dy + dz * dz > c[n, 4]
    if kind == CYLINDER:
        return dx * dx + dy * dy > c[n, 4] or abs(dz) > c[n, 5]
    ax, ay, az = c[n, 4], c[n, 5], c[n, 6]
    t = clip((dx * ax + dy * ay + dz * az) * c[n, 7], 0.0, 1.0)
    dx, dy, dz = dx - t * ax, dy - t * ay, dz - t * az
    return dx * dx + dy * dy + dz * dz > c[n, 8]


@parallel
def mark_blocks(position, per_cell, holds):
    """Set ``holds`` at the block of each particle's base node; every thread that writes a place writes the same."""
    for p in numba.prange(len(position)):
        x = np.int32(math.floor(position[p, 0] * per_cell - np.float32(0.5))) >> 2
        y = np.int32(math.floor(position[p, 1] * per_cell - np.float32(0.5))) >> 2
        z = np.int32(math.floor(position[p, 2] * per_cell - np.float32(0.5))) >> 2
        x = min(max(x, 0), holds.shape[0] - 1)
        y = min(max(y, 0), holds.shape[1] - 1)
        z = min(max(z, 0), holds.shape[2] - 1)
        holds[x, y, z] = True


def cache_folder() -> str:
    """Where Numba keeps the machine code."""
    return exact.cache_folder(__file__)


def compile_now() -> None:
    """Fill nothing once, with the types of a real call."""
    corner, kinds, bodies = np.zeros(3, np.int64), np.zeros((0, BODY_KINDS), np.int64), np.zeros(0)
    lines, rings, colliders = np.zeros((0, LINE_WORDS)), np.zeros((0, 0, 4)), np.zeros((0, COLLIDER_WORDS))
    tables = Tables(kinds, bodies, lines, rings, colliders, np.zeros((2, 2), np.float32))
    position, velocity = np.zeros((0, 4), np.float32), np.zeros((0, 12), np.float32)
    start, counts = np.zeros(1, np.int64), np.zeros(0, np.int32)
    sweep(corner, corner, 0, np.ones(NUMBERS), tables, start, position, velocity, np.zeros(0, np.float32), counts)
    mark_blocks(position, np.float32(1.0), np.zeros((1, 1, 1), np.bool_))
