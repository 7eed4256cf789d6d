"""How much free surface a node of the grid stands for, as device functions: where heat is radiated from.

The magnitude of a smoothed step's gradient is the delta function of the surface (Brackbill, Kothe and Zemach 1992):
its integral is the surface's area, however wide the step is (co-area formula). The step here is h = min(f / (F o), 1)
of a node's fill f, with the share o of the node's spline that lies in no solid: 1 where liquid fills what is open, also
on a floor, so that only free surfaces count. F below 1 leaves the outermost nodes alone to radiate, and sees no surface
where particles are a little apart. The area of a node is the sum over its six neighbours n of

    max(h - h_n, 0) min(o, o_n) |m_axis| dx^2,    m = grad(f / o) / |grad(f / o)|.

One-sided differences add up to exactly 1 across any step, and put no area where there is no liquid; weighted with the
normal m they give flat surfaces of any direction within 0.5 %. A node whose surface looks into a solid is covered.
Divided by the volume f dx^3 of the node's liquid it becomes 1/m, which a particle takes with its weights: the
particles' areas add up to the nodes' whatever their places and number.

Paper: Brackbill, Kothe and Zemach 1992 (surface delta function).
"""

from __future__ import annotations

import math

import numba

from kernels.base.common import F32, HALF, ONE, ZERO, device
from kernels.base.constants import TERRAIN_OFF
from kernels.mpm.mpm_collide import collider_distance, collider_distance_one, terrain_height, terrain_normal

THREE_QUARTERS, SIXTH, THIRD = F32(0.75), F32(1.0 / 6.0), F32(1.0 / 3.0)
FILLED = F32(0.5)  # F: fill from which a node is full of liquid
OPEN_MIN = F32(0.421875) * SIXTH  # open share 3/4 of a cell inside a solid: it says nothing on the surface's direction
STEEP = F32(0.05)  # change of fill over two cells from which a surface has a direction
LOOK_FIRST, LOOK_STEP, LOOKS = F32(-0.5), HALF, 5  # cells along the normal; the look begins one cell inside
TOUCH = F32(0.125)  # cells from a solid that count as in it: no plate of half a cell slips through between two looks
FACING = HALF  # cosine: a solid that falls off less along the look stands beside the surface and does not cover it
SPLINE_REACH = F32(1.5)  # cells


@device
def terrain_level(terrain_geometry_in, terrain_in, x, y):
    """Cosine of the terrain's slope: what a height over it has to be multiplied by to be a distance."""
    if terrain_geometry_in[3] == F32(TERRAIN_OFF):
        return ONE
    return terrain_normal(terrain_geometry_in, terrain_in, x, y)[2]


@device
def open_share(distance, cell_size_m):
    """Share of a node's quadratic B-spline on the near side of a plane at a signed distance (m)."""
    t = distance / cell_size_m
    a = math.fabs(t)
    beyond = ZERO
    if a < SPLINE_REACH:
        if a > HALF:
            beyond = (SPLINE_REACH - a) * (SPLINE_REACH - a) * (SPLINE_REACH - a) * SIXTH
        else:
            beyond = HALF - a * (THREE_QUARTERS - a * a * THIRD)
    return ONE - beyond if t > ZERO else beyond


@numba.njit(error_model="numpy")
def open_share_at(x, y, z, cell_size_m, level, wall, high_x, high_y, collider_in, terrain_geometry_in, terrain_in):
    """Share of the spline of a node at (x, y, z) in no solid: exact for flat ones that are square to each other."""
    share = open_share(x - wall, cell_size_m) * open_share(high_x - x, cell_size_m)
    share *= open_share(y - wall, cell_size_m) * open_share(high_y - y, cell_size_m)
    share *= open_share(z - wall, cell_size_m)
    if terrain_geometry_in[3] != F32(TERRAIN_OFF):
        height = terrain_height(terrain_geometry_in, terrain_in, x, y)
        share *= open_share((z - height) * level, cell_size_m)
    return share * open_share(collider_distance(collider_in, x, y, z), cell_size_m)


@device
def _covers(near, start, facing, touch):
    """Whether a solid at a distance (m) faces the surface, with its distance (m) at the look's start."""
    return near < touch and start - near > facing


@numba.njit(error_model="numpy")
def is_covered(
    x, y, z, out_x, out_y, out_z, cell_size_m, level, wall, high_x, high_y, collider_in, terrain_geometry_in, terrain_in
):
    """Whether the outward normal, a cell long, leads into a solid that faces the surface; the domain's top is open."""
    from_x, from_y, from_z = x - out_x, y - out_y, z - out_z
    touch = TOUCH * cell_size_m
    for n in range(LOOKS):
        look = LOOK_FIRST + LOOK_STEP * F32(n)
        facing = FACING * (ONE + look) * cell_size_m
        to_x, to_y, to_z = x + look * out_x, y + look * out_y, z + look * out_z
        if _covers(to_x - wall, from_x - wall, facing, touch) or _covers(high_x - to_x, high_x - from_x, facing, touch):
            return True
        if _covers(to_y - wall, from_y - wall, facing, touch) or _covers(high_y - to_y, high_y - from_y, facing, touch):
            return True
        if _covers(to_z - wall, from_z - wall, facing, touch):
            return True
        if terrain_geometry_in[3] != F32(TERRAIN_OFF):
            near = (to_z - terrain_height(terrain_geometry_in, terrain_in, to_x, to_y)) * level
            start = (from_z - terrain_height(terrain_geometry_in, terrain_in, from_x, from_y)) * level
            if _covers(near, start, facing, touch):
                return True
        for c in range(collider_in.shape[0]):
            near = collider_distance_one(collider_in, c, to_x, to_y, to_z)
            if _covers(near, collider_distance_one(collider_in, c, from_x, from_y, from_z), facing, touch):
                return True
    return False


@device
def filled_share(fill, opened):
    """h: how far a node's open share holds liquid; 1 inside a solid."""
    enough = FILLED * opened
    return ONE if fill >= enough else fill / enough


@device
def _drop(own, own_open, fill, opened):
    """How much emptier a neighbour is, times the open share of the face between."""
    less = own - filled_share(fill, opened)
    if less <= ZERO:
        return ZERO
    return less * (opened if opened < own_open else own_open)


@device
def _density(fill, opened, own):
    return own if opened <= OPEN_MIN else fill / opened


@device
def free_surface(
    x, y, z, fill, around, cell_size_m, level, wall, high_x, high_y, collider_in, terrain_geometry_in, terrain_in
):
    """Free surface (m^2) over liquid (m^3) of the node at (x, y, z), 1/m.

    ``around`` has its neighbours' fills: x- x+ y- y+ z- z+.
    """
    own_open = open_share_at(
        x, y, z, cell_size_m, level, wall, high_x, high_y, collider_in, terrain_geometry_in, terrain_in
    )
    own = filled_share(fill, own_open)
    own_density = fill / (OPEN_MIN if own_open < OPEN_MIN else own_open)
    drop_x, drop_y, drop_z, slope_x, slope_y, slope_z = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for n in range(6):
        step = -cell_size_m if n % 2 == 0 else cell_size_m
        beside_x = x + step if n < 2 else x
        beside_y = y + step if n == 2 or n == 3 else y
        beside_z = z + step if n >= 4 else z
        opened = open_share_at(
            beside_x, beside_y, beside_z, cell_size_m, level, wall, high_x, high_y, collider_in, terrain_geometry_in,
            terrain_in,
        )  # fmt: skip
        drop = _drop(own, own_open, around[n], opened)
        density = _density(around[n], opened, own_density)
        if n % 2 == 0:
            density = -density
        if n < 2:
            drop_x += drop
            slope_x += density
        elif n < 4:
            drop_y += drop
            slope_y += density
        else:
            drop_z += drop
            slope_z += density
    steep = math.sqrt(slope_x * slope_x + slope_y * slope_y + slope_z * slope_z)
    if steep < STEEP:  # both sides of a sheet, a drop
        return math.sqrt(drop_x * drop_x + drop_y * drop_y + drop_z * drop_z) / (fill * cell_size_m)
    area = (drop_x * math.fabs(slope_x) + drop_y * math.fabs(slope_y) + drop_z * math.fabs(slope_z)) / steep
    if area <= ZERO:
        return ZERO
    scale = cell_size_m / steep
    if is_covered(
        x, y, z, -slope_x * scale, -slope_y * scale, -slope_z * scale, cell_size_m, level, wall, high_x, high_y,
        collider_in, terrain_geometry_in, terrain_in,
    ):  # fmt: skip
        return ZERO
    return area / (fill * cell_size_m)
