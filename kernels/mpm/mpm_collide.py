"""Boundary conditions and driven forces at one grid node, as device functions.

Order at a node: driven vortex, colliders, terrain, walls of the box. All positions are grid-local metres, velocities
m/s. A collider is a signed distance d (m, negative inside the solid): a node with d <= CONTACT cells takes the
boundary's velocity condition. ``stick`` sets v = 0, ``slip`` removes v.n, ``separate`` removes v.n only where it points
into the solid (Stomakhin et al. 2013, section 8). The normal n is that of the nearest face, exactly; where there is
none (a sphere's middle, an axis) v = 0. Inside a box or cylinder nothing goes in by any face within DEEP. A solid of
at most THIN cells across is ``slip`` where it is ``separate``: its two sides share nodes, and what leaves one side
would be what enters by the other.

Liquid that lies on a solid of kind ``separate`` feels its skin: a shear stress of s density |v|^2 against v, with s an
eighth of Darcy's friction factor (Colebrook 1939), over a cell's square of each of the outermost nodes that the solid
holds. Implicitly, v /= 1 + grip |v| with grip = dt s (mass of a full node) / (cell x the node's mass), which never
turns v around. ``slip`` has none: it is a plane of symmetry.

A solid may move, by a straight line in a frame: its row says where it stands as the frame begins, and how fast it is.
What a boundary leaves is then relative to the solid.

A node's B-spline lies in part inside a solid: ``free_share`` is the part outside. The grid counts the rest as full of
liquid at rest density, so that the density of particles can be told next to a solid too.

The vortex relaxes the flow to a target: Kaufmann (Scully) swirl v_t = V 2q / (1 + q^2) with q = r / core(z), an inflow
that gathers water on the core radius, an updraft V_z / (1 + q^4). The centripetal acceleration of the target,
v_t u_t / r, is added too: it stands for the low pressure of the air column, and lets the target be a steady flow.
Relaxation is implicit, v += (target - v) k dt / (1 + k dt), so it is stable for any rate k.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.base.common import F32, HALF, ONE, TWO, ZERO, device, sin_cos_f32
from kernels.base.constants import (
    BOUNDARY_SEPARATE,
    BOUNDARY_SLIP,
    BOUNDARY_STICK,
    COLLIDER_A,
    COLLIDER_B,
    COLLIDER_BOX,
    COLLIDER_C,
    COLLIDER_CAPSULE,
    COLLIDER_FRICTION,
    COLLIDER_KIND,
    COLLIDER_SPHERE,
    COLLIDER_VELOCITY,
    COLLIDER_VESSEL,
    STEP_DT,
    STEP_FRAME_TIME,
    STEP_TIME,
    VORTEX_CORE,
    VORTEX_FLARE,
    VORTEX_INFLOW,
    VORTEX_ON,
    VORTEX_RATE,
    VORTEX_REACH,
    VORTEX_SWAY,
    VORTEX_SWIRL,
    VORTEX_UPDRAFT,
    VORTEX_X,
    VORTEX_Y,
    VORTEX_Z_HIGH,
    VORTEX_Z_LOW,
    WALL_CELLS,
)
from kernels.solid.solid_face import collider_normal_one, free_share, kept_out

FAR = F32(1.0e30)
THREE = F32(3.0)
TINY = F32(1.0e-20)
SWAY_RATE, SWAY_TWIST = F32(1.7), F32(2.6)  # rad/s; rad from the foot of the axis to its top
FADE_BAND = F32(0.5)  # beyond the reach the vortex fades over half the reach
TOP_BAND = F32(0.2)  # and over the top fifth of its height
NEAR = F32(16.0)  # cells above terrain within which a node asks how far away it is: three slopes of 5
CONTACT = F32(0.96875)  # cells: just not the second layer of nodes outside of a face that lies on nodes
SETTLED = F32(-0.09375)  # cells that liquid comes into a solid, on average; it keeps a little away from it
DEEP = F32(1.5)  # cells: a node so deep in a solid is the last that liquid at its face touches
THIN = F32(3.0)  # cells: nodes within CONTACT of the far face move particles that touch the near one


@device
def _clamp01(x):
    if x < ZERO:
        return ZERO
    if x > ONE:
        return ONE
    return x


@device
def _smooth(x):
    x = _clamp01(x)
    return x * x * (THREE - TWO * x)


@device
def vortex_level(force_in, time_s, z):
    """(core radius, axis x and y, weight at the foot, weight at the top) of the vortex at one height; core 0: none."""
    z_low, z_high = force_in[VORTEX_Z_LOW], force_in[VORTEX_Z_HIGH]
    core = force_in[VORTEX_CORE] + force_in[VORTEX_FLARE] * (z - z_low)
    if z <= z_low or z >= z_high or core <= ZERO:
        return ZERO, ZERO, ZERO, ZERO, ZERO
    height = (z - z_low) / (z_high - z_low)
    sway = force_in[VORTEX_SWAY] * height
    sine, cosine = sin_cos_f32(SWAY_RATE * time_s + SWAY_TWIST * height)
    axis_x, axis_y = force_in[VORTEX_X] + sway * sine, force_in[VORTEX_Y] + sway * cosine
    return core, axis_x, axis_y, _smooth((z - z_low) / core), _smooth((ONE - height) / TOP_BAND)


@device
def vortex_at(force_in, level, x, y):
    """(u, v, w, e_x, e_y, centripetal 1/s, weight 0..1): the driven flow at a point; e is the radial direction."""
    core, axis_x, axis_y, foot, top = level
    dx, dy = x - axis_x, y - axis_y
    r = math.sqrt(dx * dx + dy * dy)
    reach = force_in[VORTEX_REACH]
    beyond = (r - reach) / (FADE_BAND * reach)
    if core <= ZERO or beyond >= ONE:
        return ZERO, ZERO, ZERO, ONE, ZERO, ZERO, ZERO
    weight = (ONE - _smooth(beyond)) * foot * top
    inverse_r = ONE / (r + TINY)
    e_x, e_y = dx * inverse_r, dy * inverse_r
    q = r / core
    # Swirl is anticlockwise seen from above; angular = v_t / r stays finite on the axis
    angular = force_in[VORTEX_SWIRL] * TWO / (core * (ONE + q * q))
    excess = q - ONE
    distance = excess
    if distance < ZERO:
        distance = -distance
    radial = -force_in[VORTEX_INFLOW] * excess / (ONE + distance)
    u = radial * e_x - angular * dy
    v = radial * e_y + angular * dx
    q2 = q * q
    return u, v, force_in[VORTEX_UPDRAFT] / (ONE + q2 * q2), e_x, e_y, angular, weight


@device
def vortex_target(force_in, time_s, x, y, z):
    """What ``vortex_at`` gives, at any point."""
    return vortex_at(force_in, vortex_level(force_in, time_s, z), x, y)


@device
def apply_vortex(x, y, vx, vy, vz, dt, force_in, level):
    """Velocity of a node after one step of the vortex."""
    u, v, w, e_x, e_y, angular, weight = vortex_at(force_in, level, x, y)
    if weight <= ZERO:
        return vx, vy, vz
    rate = force_in[VORTEX_RATE] * weight * dt
    gain = rate / (ONE + rate)
    tangential = vy * e_x - vx * e_y
    pull = angular * tangential * weight * dt
    vx = vx + (u - vx) * gain - pull * e_x
    vy = vy + (v - vy) * gain - pull * e_y
    return vx, vy, vz + (w - vz) * gain


@device
def terrain_height(terrain_geometry_in, terrain_in, x, y):
    """Height of the terrain (m) at (x, y): bilinear between the points, clamped outside them."""
    count_x, count_y = terrain_in.shape
    spacing = terrain_geometry_in[2]
    a = (x - terrain_geometry_in[0]) / spacing
    b = (y - terrain_geometry_in[1]) / spacing
    last_a, last_b = F32(count_x - 1), F32(count_y - 1)
    if not a > ZERO:  # NaN too, which is the number of no height
        a = ZERO
    if a > last_a:
        a = last_a
    if not b > ZERO:
        b = ZERO
    if b > last_b:
        b = last_b
    i, j = np.int32(a), np.int32(b)
    if i > count_x - 2:
        i = np.int32(count_x - 2)
    if j > count_y - 2:
        j = np.int32(count_y - 2)
    fa, fb = a - F32(i), b - F32(j)
    low = terrain_in[i, j] + (terrain_in[i + 1, j] - terrain_in[i, j]) * fa
    high = terrain_in[i, j + 1] + (terrain_in[i + 1, j + 1] - terrain_in[i, j + 1]) * fa
    return low + (high - low) * fb


@device
def terrain_normal(terrain_geometry_in, terrain_in, x, y):
    """Unit normal of the terrain at (x, y), by central differences over one spacing."""
    half = HALF * terrain_geometry_in[2]
    slope_x = terrain_height(terrain_geometry_in, terrain_in, x + half, y) - terrain_height(
        terrain_geometry_in, terrain_in, x - half, y
    )
    slope_y = terrain_height(terrain_geometry_in, terrain_in, x, y + half) - terrain_height(
        terrain_geometry_in, terrain_in, x, y - half
    )
    spacing = terrain_geometry_in[2]
    inverse = ONE / math.sqrt(slope_x * slope_x + slope_y * slope_y + spacing * spacing)
    return -slope_x * inverse, -slope_y * inverse, spacing * inverse


@device
def collider_distance_one(collider_in, c, x, y, z):
    """Signed distance (m) to collider ``c``; very far for a row of kind 0."""
    kind = np.int32(collider_in[c, COLLIDER_KIND])
    if kind == 0:
        return FAR
    px = x - collider_in[c, COLLIDER_A]
    py = y - collider_in[c, COLLIDER_A + 1]
    pz = z - collider_in[c, COLLIDER_A + 2]
    if kind == COLLIDER_SPHERE:
        return math.sqrt(px * px + py * py + pz * pz) - collider_in[c, COLLIDER_B]
    if kind == COLLIDER_CAPSULE:
        bx = collider_in[c, COLLIDER_B] - collider_in[c, COLLIDER_A]
        by = collider_in[c, COLLIDER_B + 1] - collider_in[c, COLLIDER_A + 1]
        bz = collider_in[c, COLLIDER_B + 2] - collider_in[c, COLLIDER_A + 2]
        h = _clamp01((px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + TINY))
        qx, qy, qz = px - bx * h, py - by * h, pz - bz * h
        return math.sqrt(qx * qx + qy * qy + qz * qz) - collider_in[c, COLLIDER_C]
    if kind == COLLIDER_VESSEL:
        return collider_in[c, COLLIDER_B] - math.sqrt(px * px + py * py)
    rounding = collider_in[c, COLLIDER_C]
    if kind == COLLIDER_BOX:
        qx = math.fabs(px) - (collider_in[c, COLLIDER_B] - rounding)
        qy = math.fabs(py) - (collider_in[c, COLLIDER_B + 1] - rounding)
    else:  # COLLIDER_CYLINDER
        qx = math.sqrt(px * px + py * py) - (collider_in[c, COLLIDER_B] - rounding)
        qy = -FAR
    qz = math.fabs(pz) - (collider_in[c, COLLIDER_B + 2] - rounding)
    # Outside: length of the positive parts; inside: the least negative part
    inside = qx
    if qy > inside:
        inside = qy
    if qz > inside:
        inside = qz
    if inside > ZERO:
        inside = ZERO
    if qx < ZERO:
        qx = ZERO
    if qy < ZERO:
        qy = ZERO
    if qz < ZERO:
        qz = ZERO
    return math.sqrt(qx * qx + qy * qy + qz * qz) + inside - rounding


@device
def collider_distance(collider_in, x, y, z):
    """Signed distance (m) to the nearest of all colliders."""
    nearest = FAR
    for c in range(collider_in.shape[0]):
        d = collider_distance_one(collider_in, c, x, y, z)
        if d < nearest:
            nearest = d
    return nearest


@device
def skin_of(grip, depth):
    """The grip of a node so many cells below the outermost that a solid holds: of one layer, its surface's."""
    if depth < ONE:
        return grip
    return ZERO


@device
def at_solid(boundary, grip, collider_in, c, cell_size_m, x, y, z, vx, vy, vz):
    """Velocity that collider ``c`` leaves at a node that it holds."""
    nx, ny, nz, thickness = collider_normal_one(collider_in, c, x, y, z)
    if nx == ZERO and ny == ZERO and nz == ZERO:
        boundary = np.int32(BOUNDARY_STICK)
    elif boundary == BOUNDARY_SEPARATE and thickness <= THIN * cell_size_m:
        boundary = np.int32(BOUNDARY_SLIP)
    vx, vy, vz = at_boundary(boundary, grip, nx, ny, nz, vx, vy, vz)
    return kept_out(collider_in, c, DEEP * cell_size_m, x, y, z, vx, vy, vz)


@device
def at_boundary(boundary, grip, nx, ny, nz, vx, vy, vz):
    """Velocity that the boundary kind leaves at a node inside a solid with outward normal n; grip (s/m) of its skin."""
    if boundary == BOUNDARY_STICK:
        return ZERO, ZERO, ZERO
    into = vx * nx + vy * ny + vz * nz
    if boundary == BOUNDARY_SLIP or into < ZERO:
        vx, vy, vz = vx - into * nx, vy - into * ny, vz - into * nz
        if boundary == BOUNDARY_SEPARATE and grip > ZERO:
            slowed = ONE / (ONE + grip * math.sqrt(vx * vx + vy * vy + vz * vz))
            vx, vy, vz = vx * slowed, vy * slowed, vz * slowed
    return vx, vy, vz


@device
def level_of_node(z, step_in, force_in):
    """What the vortex has in common at all nodes of one height."""
    if force_in[VORTEX_ON] == ZERO:
        return ZERO, ZERO, ZERO, ZERO, ZERO
    return vortex_level(force_in, step_in[STEP_TIME], z)


@device
def apply_forces_and_boundaries(
    x, y, z, vx, vy, vz, grip, level, cells_x, cells_y, cells_z, cell_size_m, step_in, force_in, walls_in, collider_in,
    terrain_geometry_in, terrain_in,
):  # fmt: skip
    """(vx, vy, vz, free share) of a node after vortex, colliders, terrain, walls; level: ``level_of_node(z, ...)``.

    ``cells`` along each axis are ``mpm_common.walled_cells``.
    """
    if level[0] > ZERO:
        vx, vy, vz = apply_vortex(x, y, vx, vy, vz, step_in[STEP_DT], force_in, level)
    contact, inverse = CONTACT * cell_size_m, ONE / cell_size_m
    share, since_s = ONE, step_in[STEP_TIME] - step_in[STEP_FRAME_TIME]
    for c in range(collider_in.shape[0]):
        if collider_in[c, COLLIDER_KIND] != ZERO:
            wx, wy = collider_in[c, COLLIDER_VELOCITY], collider_in[c, COLLIDER_VELOCITY + 1]
            wz = collider_in[c, COLLIDER_VELOCITY + 2]
            px, py, pz = x - wx * since_s, y - wy * since_s, z - wz * since_s
            d = collider_distance_one(collider_in, c, px, py, pz)
            share = share * free_share(d * inverse + SETTLED)
            if d <= contact:
                boundary = np.int32(collider_in[c, COLLIDER_FRICTION])
                skin = skin_of(grip, (contact - d) * inverse)
                moves = wx != ZERO or wy != ZERO or wz != ZERO
                if moves:
                    vx, vy, vz = vx - wx, vy - wy, vz - wz
                vx, vy, vz = at_solid(boundary, skin, collider_in, c, cell_size_m, px, py, pz, vx, vy, vz)
                if moves:
                    vx, vy, vz = vx + wx, vy + wy, vz + wz
    if terrain_geometry_in[3] != ZERO:
        above = z - terrain_height(terrain_geometry_in, terrain_in, x, y)
        if above <= NEAR * cell_size_m:
            nx, ny, nz = terrain_normal(terrain_geometry_in, terrain_in, x, y)
            share = share * free_share(above * nz * inverse + SETTLED)
            if above <= contact:
                skin = skin_of(grip, (contact - above) * nz * inverse)
                vx, vy, vz = at_boundary(np.int32(terrain_geometry_in[3]) - 1, skin, nx, ny, nz, vx, vy, vz)
    # Walls: nodes are whole cells away from them
    i, j, k = x * inverse, y * inverse, z * inverse
    beyond_x, beyond_y, beyond_z = F32(cells_x - WALL_CELLS), F32(cells_y - WALL_CELLS), F32(cells_z - WALL_CELLS)
    low = F32(WALL_CELLS)
    if i < low + HALF:
        vx, vy, vz = at_boundary(walls_in[0], skin_of(grip, low + HALF - i), ONE, ZERO, ZERO, vx, vy, vz)
    if i > beyond_x - HALF:
        vx, vy, vz = at_boundary(walls_in[1], skin_of(grip, i - beyond_x + HALF), -ONE, ZERO, ZERO, vx, vy, vz)
    if j < low + HALF:
        vx, vy, vz = at_boundary(walls_in[2], skin_of(grip, low + HALF - j), ZERO, ONE, ZERO, vx, vy, vz)
    if j > beyond_y - HALF:
        vx, vy, vz = at_boundary(walls_in[3], skin_of(grip, j - beyond_y + HALF), ZERO, -ONE, ZERO, vx, vy, vz)
    if k < low + HALF:
        vx, vy, vz = at_boundary(walls_in[4], skin_of(grip, low + HALF - k), ZERO, ZERO, ONE, vx, vy, vz)
    if k > beyond_z - HALF:
        vx, vy, vz = at_boundary(walls_in[5], skin_of(grip, k - beyond_z + HALF), ZERO, ZERO, -ONE, vx, vy, vz)
    share = share * (free_share(i - low) * free_share(beyond_x - i))
    share = share * (free_share(j - low) * free_share(beyond_y - j))
    share = share * (free_share(k - low) * free_share(beyond_z - k))
    return vx, vy, vz, share
