"""Faces of colliders: exact normals, how thick a collider is behind a face, and how much of a node it takes.

A collider is a row of ``kernels.base.constants`` (COLLIDER_KIND and so on), in grid-local metres. ``free_share`` is the
integral of a node's quadratic B-spline (Steffen, Kirby, Berzins 2008) over what lies outside a flat face.

Paper: none; closed forms of the shapes.
"""

from __future__ import annotations

import math

import numpy as np

from kernels.base.common import F32, HALF, ONE, TWO, ZERO, device
from kernels.base.constants import (
    COLLIDER_A,
    COLLIDER_B,
    COLLIDER_BOX,
    COLLIDER_C,
    COLLIDER_CAPSULE,
    COLLIDER_CYLINDER,
    COLLIDER_KIND,
    COLLIDER_SPHERE,
    COLLIDER_VESSEL,
)

UNBOUNDED = F32(1.0e30)  # m
SHORTEST = F32(1.0e-20)  # m; below it a vector has no direction
SIXTEENTH = F32(1.0 / 16.0)
SIXTH, THIRD, THREE_QUARTERS, ONE_AND_A_HALF = F32(1.0 / 6.0), F32(1.0 / 3.0), F32(0.75), F32(1.5)


@device
def _away(x, y, z):
    """A vector at length 1; 0 where it has no direction."""
    length = math.sqrt(x * x + y * y + z * z)
    if length < SHORTEST:
        return ZERO, ZERO, ZERO
    return x / length, y / length, z / length


@device
def _clamped(x):
    return min(max(x, ZERO), ONE)


@device
def _sign(x):
    return -ONE if x < ZERO else ONE


@device
def collider_normal_one(collider_in, c, x, y, z):
    """(outward normal x y z of the nearest face of collider ``c``, 0 where there is none; thickness behind it, m)."""
    kind = np.int32(collider_in[c, COLLIDER_KIND])
    px = x - collider_in[c, COLLIDER_A]
    py = y - collider_in[c, COLLIDER_A + 1]
    pz = z - collider_in[c, COLLIDER_A + 2]
    if kind == COLLIDER_SPHERE:
        nx, ny, nz = _away(px, py, pz)
        return nx, ny, nz, TWO * collider_in[c, COLLIDER_B]
    if kind == COLLIDER_CAPSULE:
        bx = collider_in[c, COLLIDER_B] - collider_in[c, COLLIDER_A]
        by = collider_in[c, COLLIDER_B + 1] - collider_in[c, COLLIDER_A + 1]
        bz = collider_in[c, COLLIDER_B + 2] - collider_in[c, COLLIDER_A + 2]
        h = _clamped((px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + SHORTEST))
        nx, ny, nz = _away(px - bx * h, py - by * h, pz - bz * h)
        return nx, ny, nz, TWO * collider_in[c, COLLIDER_C]
    if kind == COLLIDER_VESSEL:
        nx, ny, nz = _away(-px, -py, ZERO)
        return nx, ny, nz, UNBOUNDED
    rounding = collider_in[c, COLLIDER_C]
    half_z = collider_in[c, COLLIDER_B + 2]
    qz = math.fabs(pz) - (half_z - rounding)
    if kind == COLLIDER_BOX:
        half_x, half_y = collider_in[c, COLLIDER_B], collider_in[c, COLLIDER_B + 1]
        qx, qy = math.fabs(px) - (half_x - rounding), math.fabs(py) - (half_y - rounding)
        ax, ay, bx, by = _sign(px), ZERO, ZERO, _sign(py)
    else:  # COLLIDER_CYLINDER: across the axis it has one direction
        half_x, half_y = collider_in[c, COLLIDER_B], UNBOUNDED
        qx, qy = math.sqrt(px * px + py * py) - (half_x - rounding), -UNBOUNDED
        ax, ay, _ = _away(px, py, ZERO)
        bx, by = ZERO, ZERO
    if qx > ZERO or qy > ZERO or qz > ZERO:
        # Outside: away from the nearest point, which is on a face, an edge or a corner
        ux, uy, uz = max(qx, ZERO), max(qy, ZERO), max(qz, ZERO)
        nx, ny, nz = _away(ux * ax + uy * bx, ux * ay + uy * by, uz * _sign(pz))
    elif qx >= qy and qx >= qz:
        nx, ny, nz = ax, ay, ZERO
    elif qy >= qz:
        nx, ny, nz = bx, by, ZERO
    else:
        nx, ny, nz = ZERO, ZERO, _sign(pz)
    half = half_z
    if qx >= qy and qx >= qz:
        half = half_x
    elif qy >= qz:
        half = half_y
    return nx, ny, nz, TWO * half


@device
def _kept_out(p, half, deep, v):
    """A velocity along an axis, without what goes in by a face at +-half that is no farther than ``deep``."""
    if half - math.fabs(p) <= deep and v * p < ZERO:
        return ZERO
    return v


@device
def kept_out(collider_in, c, deep, x, y, z, vx, vy, vz):
    """Velocity at a node inside a box or cylinder without what goes in by any face no farther than ``deep`` (m).

    Inside is what is not a sixteenth of that outside: nodes lie on edges, but for rounding.

    By the nearest face alone, liquid would go in at an edge: along the one face, under the other.
    """
    kind = np.int32(collider_in[c, COLLIDER_KIND])
    if kind != COLLIDER_BOX and kind != COLLIDER_CYLINDER:
        return vx, vy, vz
    px = x - collider_in[c, COLLIDER_A]
    py = y - collider_in[c, COLLIDER_A + 1]
    pz = z - collider_in[c, COLLIDER_A + 2]
    half_x, half_z = collider_in[c, COLLIDER_B], collider_in[c, COLLIDER_B + 2]
    edge = deep * SIXTEENTH
    if math.fabs(pz) > half_z + edge:
        return vx, vy, vz
    if kind == COLLIDER_BOX:
        half_y = collider_in[c, COLLIDER_B + 1]
        if math.fabs(px) <= half_x + edge and math.fabs(py) <= half_y + edge:
            vx, vy = _kept_out(px, half_x, deep, vx), _kept_out(py, half_y, deep, vy)
            vz = _kept_out(pz, half_z, deep, vz)
        return vx, vy, vz
    r = math.sqrt(px * px + py * py)
    if r <= half_x + edge:
        vz = _kept_out(pz, half_z, deep, vz)
        ax, ay, _ = _away(px, py, ZERO)
        inward = vx * ax + vy * ay
        if half_x - r <= deep and inward < ZERO:
            vx, vy = vx - inward * ax, vy - inward * ay
    return vx, vy, vz


@device
def free_share(t):
    """Share of a node's B-spline outside a solid whose flat face is ``t`` cells away; negative: the node is inside."""
    if t >= ONE_AND_A_HALF:
        return ONE
    if t >= HALF:
        u = ONE_AND_A_HALF - t
        return ONE - u * u * u * SIXTH
    if t >= -HALF:
        return HALF + t * (THREE_QUARTERS - t * t * THIRD)
    if t > -ONE_AND_A_HALF:
        u = t + ONE_AND_A_HALF
        return u * u * u * SIXTH
    return ZERO
