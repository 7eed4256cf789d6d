"""The plain reading of the surface's and the fog's kernels, with their arguments: loops, each brick for itself.

Each function takes its kernel's arguments by name and fills the outputs.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numba import njit

from kernels.base import constants as k
from kernels.base.common import F32, fma
from kernels.mpm.mpm_collide import terrain_height, terrain_normal
from tests.reference.surface import _filter, _sums, box

ONE, ZERO, HALF, TWO, THREE = F32(1.0), F32(0.0), F32(0.5), F32(2.0), F32(3.0)


def larger(a, b):
    return np.where(a > b, a, b)


def smaller(a, b):
    return np.where(a < b, a, b)


def clamped(x, cells):
    """Cell of a coordinate in cells, kept inside."""
    if not x > 0:
        return 0
    return cells - 1 if x >= F32(cells) else int(x)


def cells_of(position, cells, cell_size_m):
    inverse = ONE / F32(cell_size_m)
    at = [[clamped(x * inverse, n) for x, n in zip(row, cells)] for row in position[:, :3]]
    return [(i * cells[1] + j) * cells[2] + kk for i, j, kk in at]


def chosen(number, kinds, kind):
    return [p for p in range(number) if kinds == 0 or kinds >> int(kind[p]) & 1]


def surf_count(
    counts_in, count_slot, kinds, cells_x, cells_y, cells_z, cell_size_m, position_in, kind_in, start_out
):  # fmt: skip
    cell = cells_of(position_in, (cells_x, cells_y, cells_z), cell_size_m)
    start_out[:] = 0
    for p in chosen(counts_in[count_slot], kinds, kind_in):
        start_out[cell[p]] += 1


def surf_scan(start_inout):
    start_inout[:] = np.cumsum(start_inout)


def surf_place(
    counts_in, count_slot, kinds, cells_x, cells_y, cells_z, cell_size_m, position_in, kind_in, start_inout, order_out
):  # fmt: skip
    cell = cells_of(position_in, (cells_x, cells_y, cells_z), cell_size_m)
    for p in reversed(chosen(counts_in[count_slot], kinds, kind_in)):
        start_inout[cell[p]] -= 1
        order_out[start_inout[cell[p]]] = p


def surf_sort(
    kinds, cells_x, cells_y, cells_z, cell_size_m, position_in, kind_in, temperature_in, start_in, order_inout,
    binned_out, binned_heat_out,
):  # fmt: skip
    for low, high in itertools.pairwise(start_in):
        order_inout[low:high] = np.sort(order_inout[low:high])
    order = order_inout[: start_in[-1]]
    binned_out[: len(order)] = position_in[order]
    binned_heat_out[: len(order)] = 0
    if temperature_in.size > 1:
        warm = np.array([kinds == 0 or kind_in[p] == k.EFFECT_EMBER for p in order], bool)
        binned_heat_out[: len(order)] = np.where(warm, temperature_in[order], ZERO)


def surf_number(count_slot, error_bit, counts_inout, class_inout, table_out, entry_out):
    wanted = np.flatnonzero(class_inout >= 0)
    kept = wanted[: len(entry_out)]
    class_inout[wanted] = k.BRICK_OUTSIDE
    class_inout[kept] = np.arange(len(kept))
    table_out[:] = class_inout
    entry_out[: len(kept)] = kept
    counts_inout[count_slot], counts_inout[k.COUNT_BRICKS_NEEDED] = len(kept), len(wanted)
    counts_inout[k.COUNT_ERROR] &= ~error_bit
    if len(wanted) > len(kept):
        counts_inout[k.COUNT_ERROR] |= error_bit


def surf_box(grid_x, grid_y, grid_z, table_in, box_out):
    box_out[:] = box(table_in.reshape(grid_x, grid_y, grid_z))


def held(x, axis, walls, picture):
    """x, held back by walls that are not open."""
    if walls[2 * axis] != k.WALL_OPEN and x < picture[k.PICTURE_LOW_X + axis]:
        return picture[k.PICTURE_LOW_X + axis]
    if walls[2 * axis + 1] != k.WALL_OPEN and x > picture[k.PICTURE_HIGH_X + axis]:
        return picture[k.PICTURE_HIGH_X + axis]
    return x


def liquid_cells(axis, cells, walls, picture):
    """(first, last) cell that can hold liquid."""
    inverse, first, last = ONE / picture[k.PICTURE_CELL], 0, cells - 1
    if walls[2 * axis] != k.WALL_OPEN:
        first = clamped(picture[k.PICTURE_LOW_X + axis] * inverse + HALF, cells)
    if walls[2 * axis + 1] != k.WALL_OPEN:
        last = max(first, clamped(picture[k.PICTURE_HIGH_X + axis] * inverse + HALF, cells + 1) - 1)
    return first, last


def surf_bricks(cells_x, cells_y, cells_z, grid_in, walls_in, picture_in, start_in, class_out):
    cells = (cells_x, cells_y, cells_z)
    count = np.diff(start_in).reshape(cells)
    voxel, cell = picture_in[k.PICTURE_VOXEL], picture_in[k.PICTURE_CELL]
    inverse = ONE / cell
    near, deep = picture_in[k.PICTURE_RADIUS] + picture_in[k.PICTURE_MARGIN] + TWO * voxel, cell + TWO * voxel
    for entry, brick in enumerate(np.ndindex(*grid_in[:3])):
        around, inner, inside = [], [], True
        for axis, (b, n) in enumerate(zip(brick, cells)):
            low, high = (held(F32(8) * voxel * F32(b + side), axis, walls_in, picture_in) for side in (0, 1))
            around.append(slice(clamped((low - near) * inverse, n), clamped((high + near) * inverse, n) + 1))
            first, last = liquid_cells(axis, n, walls_in, picture_in)
            first, last = (
                max(first, clamped((low - deep) * inverse, n)), min(last, clamped((high + deep) * inverse, n)),
            )  # fmt: skip
            inner.append(slice(first, max(first, last + 1)))
            for wall, beyond, outside in (
                (walls_in[2 * axis], low - TWO * voxel < picture_in[k.PICTURE_LOW_X + axis], low - deep < 0),
                (
                    walls_in[2 * axis + 1], high + TWO * voxel > picture_in[k.PICTURE_HIGH_X + axis],
                    high + deep > cell * F32(n),
                ),
            ):  # fmt: skip
                inside = inside and not (wall == k.WALL_CUT and beyond) and not (wall == k.WALL_OPEN and outside)
        class_out[entry] = k.BRICK_OUTSIDE
        if count[tuple(around)].any():
            full = (count[tuple(inner)] >= int(picture_in[k.PICTURE_FULL])).all()
            class_out[entry] = k.BRICK_INSIDE if inside and full else 0


@njit(error_model="numpy")
def lean(distance, reach):
    """First moment over integral, from -distance to the kernel's rim, of its share in a plane: (1 - z^2)^4."""
    h = distance / reach
    if not h > ZERO:
        h = ZERO
    if h >= ONE:
        return ZERO
    s = h * h
    t = ONE - s
    mass = fma(s, F32(1.0 / 9.0), F32(-4.0 / 7.0))
    mass = fma(mass, s, F32(6.0 / 5.0))
    mass = fma(mass, s, F32(-4.0 / 3.0))
    mass = fma(fma(mass, s, ONE), h, F32(128.0 / 315.0))
    return reach * (F32(0.1) * (t * t * t * t * t) / mass)


@njit(error_model="numpy")
def _phi(sums, place, ground, normal, reach, radius, lows, highs, open_low, open_high):
    """The level set from its sums; ``place``: where it is evaluated."""
    total, sx, sy, sz, _ = sums
    off_ground = lean((place[2] - ground) * normal[2], reach)
    wall = [ZERO, ZERO, ZERO]
    for axis in range(3):
        if not open_low[axis]:
            wall[axis] = lean(place[axis] - lows[axis], reach)
        if not open_high[axis]:
            wall[axis] = wall[axis] - lean(highs[axis] - place[axis], reach)
    x = sx / total + wall[0] + off_ground * normal[0]
    y = sy / total + wall[1] + off_ground * normal[1]
    z = sz / total + off_ground * normal[2] + wall[2]
    return math.sqrt(x * x + y * y + z * z) - radius


def singles(values):
    """What compiled code gives back as Python floats."""
    return tuple(F32(value) for value in values)


def surf_field(
    counts_in, cells_x, cells_y, cells_z, grid_in, walls_in, picture_in, terrain_geometry_in, terrain_in, entry_in,
    start_in, binned_in, binned_heat_in, foam_start_in, foam_in, value_out,
):  # fmt: skip
    cells = (cells_x, cells_y, cells_z)
    count = np.diff(start_in).reshape(cells)
    voxel, reach, radius = (picture_in[slot] for slot in (k.PICTURE_VOXEL, k.PICTURE_REACH, k.PICTURE_RADIUS))
    foam_reach, inverse = picture_in[k.PICTURE_FOAM_REACH], ONE / picture_in[k.PICTURE_CELL]
    hot = picture_in[k.PICTURE_HEAT] != 0
    particle, foam = binned_in[: start_in[-1]], foam_in[: foam_start_in[-1]]
    share = F32(4) * foam[:, 3] * foam[:, 3] / (foam_reach * foam_reach)
    domain = [liquid_cells(axis, n, walls_in, picture_in) for axis, n in enumerate(cells)]
    lows, highs = picture_in[k.PICTURE_LOW_X :][:3], picture_in[k.PICTURE_HIGH_X :][:3]
    opened = walls_in == k.WALL_OPEN
    for brick in range(counts_in[k.COUNT_SURFACE_BRICKS]):
        corner = np.unravel_index(entry_in[brick], grid_in[:3])
        for node, step in enumerate(np.ndindex(9, 9, 9)):
            at = [
                held(F32(8 * int(c) + s) * voxel, axis, walls_in, picture_in)
                for axis, (c, s) in enumerate(zip(corner, step))
            ]
            ground, normal = F32(-1e15), (ZERO, ZERO, ONE)
            if terrain_geometry_in[3] != 0:
                ground = F32(terrain_height(terrain_geometry_in, terrain_in, at[0], at[1]))
                normal = singles(terrain_normal(terrain_geometry_in, terrain_in, at[0], at[1]))
                at[2] = max(at[2], ground)
            sums = singles(_sums(*at, reach, particle, binned_heat_in))
            phi, extra = reach - radius, ZERO
            if hot:
                extra = sums[4] / sums[0] if sums[0] > 0 else ZERO
            elif len(foam):
                extra = min(F32(_sums(*at, foam_reach, foam, share)[4]), ONE)
            if sums[0] > 0:
                phi = _phi(
                    sums, tuple(at), ground, normal, reach, radius, lows, highs, opened[::2], opened[1::2]
                )  # fmt: skip
            around = []
            for x, n, (first, last) in zip(at, cells, domain):
                cell = min(max(clamped(x * inverse, n), first), last)
                around.append(slice(max(cell - 1, first), min(cell + 1, last) + 1))
            if (count[tuple(around)] >= int(picture_in[k.PICTURE_FULL])).all():
                phi = -radius
            value_out[brick, node] = phi, extra


def tiles(entries, grid, table, value, outside, inside):
    """float32[15,15,15] for each table entry: a brick's nodes and three more all around.

    Bricks are laid into one array, those that have values after all others: the last one that holds a node counts.
    """
    shape = [8 * int(n) + 17 for n in grid[:3]]
    dense = np.empty(shape, F32)
    for with_values in (False, True):
        for brick in np.ndindex(*(int(n) + 2 for n in grid[:3])):
            i, j, kk = (int(b) - 1 for b in brick)
            index = -1
            if 0 <= i < grid[0] and 0 <= j < grid[1] and 0 <= kk < grid[2]:
                index = int(table[(i * grid[1] + j) * grid[2] + kk])
            if (index >= 0) == with_values:
                place = tuple(slice(8 * b, 8 * b + 9) for b in brick)
                empty = inside if index == k.BRICK_INSIDE else outside
                dense[place] = value[index, :, 0].reshape(9, 9, 9) if with_values else empty
    corners = [np.unravel_index(entry, grid[:3]) for entry in entries]
    return [dense[tuple(slice(8 * int(c) + 5, 8 * int(c) + 20) for c in corner)] for corner in corners]


def beside(tile, axis):
    """(lower neighbour, upper neighbour) of all nodes but the outermost."""
    inner = [slice(1, -1)] * 3
    low, high = list(inner), list(inner)
    low[axis], high[axis] = slice(0, -2), slice(2, None)
    return tile[tuple(low)], tile[tuple(high)]


def first_distance(tile, voxel):
    """(distance in voxels, whether it is next to the surface) of all nodes but the outermost."""
    centre = tile[1:-1, 1:-1, 1:-1]
    sign = np.where(centre < 0, -ONE, ONE)
    squares, near = [], None
    for axis in (0, 1, 2):
        low, high = beside(tile, axis)
        thin = larger(sign * low, sign * high) < 0
        slope = np.where(thin, larger(np.abs(high - centre), np.abs(centre - low)), (high - low) * HALF)
        squares.append(slope * slope)
        least = smaller(sign * low, sign * high)
        near = least if near is None else smaller(near, least)
    slope = larger(np.sqrt(squares[0] + squares[1] + squares[2]), F32(0.05) * voxel)
    return np.where(near < 0, smaller(np.abs(centre) / slope, ONE), THREE), near < 0


_fma = np.vectorize(fma.py_func if hasattr(fma, "py_func") else njit(lambda a, b, c: fma(a, b, c)), otypes=[F32])


def march(distance, fixed):
    """One upwind step on all nodes but the outermost; ``fixed``: of those."""
    least, middle, most = np.sort([smaller(*beside(distance, axis)) for axis in (0, 1, 2)], axis=0)
    one = least + ONE
    d = middle - least
    two = ((least + middle) + np.sqrt(larger(TWO - d * d, ZERO))) * HALF
    result = np.where(middle - one < 0, two, one)
    total = (least + middle) + most
    squares = _fma(most, most, _fma(middle, middle, least * least))
    three = (total + np.sqrt(larger(total * total - THREE * (squares - ONE), ZERO))) * F32(1.0 / 3.0)
    result = np.where(most - result < 0, three, result)
    old = distance[1:-1, 1:-1, 1:-1]
    return np.where(fixed, old, smaller(old, result))


def surf_distance(
    counts_in, last, outside, inside, grid_in, walls_in, picture_in, table_in, entry_in, value_in, value_out, table_out
):  # fmt: skip
    voxel = picture_in[k.PICTURE_VOXEL]
    band = THREE * voxel
    entries = entry_in[: counts_in[k.COUNT_SURFACE_BRICKS]]
    for brick, tile in enumerate(tiles(entries, grid_in, table_in, value_in, outside, inside)):
        entry = entries[brick]
        distance, fixed = first_distance(tile, voxel)
        distance = march(distance, fixed[1:-1, 1:-1, 1:-1])
        distance = march(distance, fixed[2:-2, 2:-2, 2:-2])
        phi = smaller(distance * voxel, band)
        phi = np.where(tile[3:-3, 3:-3, 3:-3] < 0, ZERO - phi, phi)
        if last:
            corner = np.unravel_index(entry, grid_in[:3])
            for axis in range(3):
                shape = [1, 1, 1]
                shape[axis] = 9
                x = ((8 * int(corner[axis]) + np.arange(9)).astype(F32) * voxel).reshape(shape)
                beyond = -band
                if walls_in[2 * axis] == k.WALL_CUT:
                    beyond = larger(picture_in[k.PICTURE_LOW_X + axis] - x, beyond)
                if walls_in[2 * axis + 1] == k.WALL_CUT:
                    beyond = larger(x - picture_in[k.PICTURE_HIGH_X + axis], beyond)
                phi = larger(smaller(beyond, band), phi) if k.WALL_CUT in walls_in[2 * axis :][:2] else phi
            table_out[entry] = brick
            if (phi >= TWO * voxel).all():
                table_out[entry] = k.BRICK_OUTSIDE
            elif (phi <= -(TWO * voxel)).all():
                table_out[entry] = k.BRICK_INSIDE
        value_out[brick, :, 0] = phi.reshape(-1)
        value_out[brick, :, 1] = value_in[brick, :, 1]


def surf_smooth(counts_in, grid_in, picture_in, table_in, entry_in, value_in, value_out):
    band, margin = THREE * picture_in[k.PICTURE_VOXEL], picture_in[k.PICTURE_MARGIN]
    entries = entry_in[: counts_in[k.COUNT_SURFACE_BRICKS]]
    for brick, tile in enumerate(tiles(entries, grid_in, table_in, value_in, band, -band)):
        for _ in range(3):
            for axis in (2, 1, 0):
                # What is rolled in from the other side never gets as far as the brick
                tile = _filter(np.roll(tile, 1, axis), tile, np.roll(tile, -1, axis))
        phi, raw = tile[3:-3, 3:-3, 3:-3].reshape(-1), value_in[brick, :, 0]
        phi = np.where(phi > raw + margin, raw + margin, phi)
        value_out[brick, :, 0] = np.where(phi < raw - margin, raw - margin, phi)
        value_out[brick, :, 1] = value_in[brick, :, 1]


def fog_bricks(cells_x, cells_y, cells_z, grid_in, picture_in, start_in, class_out):
    cells = (cells_x, cells_y, cells_z)
    count = np.diff(start_in).reshape(cells)
    edge, reach = F32(8) * picture_in[k.PICTURE_FOG_VOXEL], picture_in[k.PICTURE_FOG_REACH]
    inverse = ONE / picture_in[k.PICTURE_CELL]
    for entry, brick in enumerate(np.ndindex(*grid_in[3:])):
        around = tuple(
            slice(clamped((edge * F32(b) - reach) * inverse, n), clamped((edge * F32(b + 1) + reach) * inverse, n) + 1)
            for b, n in zip(brick, cells)
        )
        class_out[entry] = 0 if count[around].any() else k.BRICK_OUTSIDE


@njit(error_model="numpy")
def _fog(x, y, z, reach, particle, heat):
    square = reach * reach
    total, glow, hot = ZERO, ZERO, ZERO
    for p in range(len(particle)):
        dx, dy, dz, radius = x - particle[p, 0], y - particle[p, 1], z - particle[p, 2], particle[p, 3]
        t = fma(dx * dx + dy * dy + dz * dz, -ONE / square, ONE)
        if t > ZERO:
            w = t * t * t * (F32(315.0 / 64.0) * radius * radius / (square * reach))
            total += w
            if heat[p] > ZERO:
                glow += w
                hot = fma(w, heat[p], hot)
    return total, hot / glow if glow > ZERO else ZERO


def fog_field(
    counts_in, cells_x, cells_y, cells_z, grid_in, picture_in, entry_in, start_in, binned_in, binned_heat_in, value_out
):  # fmt: skip
    voxel, number = picture_in[k.PICTURE_FOG_VOXEL], start_in[-1]
    for brick in range(counts_in[k.COUNT_FOG_BRICKS]):
        corner = np.unravel_index(entry_in[brick], grid_in[3:])
        for node, step in enumerate(np.ndindex(9, 9, 9)):
            at = [F32(8 * int(c) + s) * voxel for c, s in zip(corner, step)]
            value_out[brick, node] = _fog(*at, picture_in[k.PICTURE_FOG_REACH], binned_in[:number], binned_heat_in)


def fog_majorant(counts_in, count_slot, value_in, majorant_out):
    number = counts_in[count_slot]
    majorant_out[:number] = value_in[:number, :, 0].max(axis=1, initial=0)
