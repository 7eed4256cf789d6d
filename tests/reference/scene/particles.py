"""Particles of a shot's bodies: eight a cell on a jittered 2 x 2 x 2 lattice, in chunks of whole lattice planes.

A particle depends only on its lattice index, the seed and the shot, and particles stand in lattice order: neither the
chunk size nor the number of threads can change them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.base.errors import UserError
from bench.shot.extent import body_bounds, cell_size_m, domain_cells
from bench.shot.load import Shot
from bench.shot.schema import PARTICLE_MAX, BoxCollider, CapsuleCollider, CylinderCollider, SphereCollider
from bench.shot.shapes import Flow
from tests.reference.scene.bodies import Points, fill, ground_under, temperature_at, velocity_at
from tests.reference.scene.exact import Array, hash4, root7_inverse, unit
from tests.reference.scene.terrain import HeightField

JITTER = 0.35  # share of the lattice spacing within which a particle is displaced
CHUNK_POINTS = 1_500_000
COLLIDER_GAP_CELLS = 0.25


@dataclass(frozen=True)
class Particles:
    """Initial state of the liquid in the shot's frame; float32."""

    position: Array  # [n, 4] x, y, z (m), J
    velocity: Array  # [n, 3] m/s
    temperature: Array  # [n] K


def build_particles(
    shot: Shot,
    size: str,
    field: HeightField | None,
    bulk_modulus_pa: float,
    seed: int,
) -> Particles:
    """Fill the bodies. Raises UserError where they hold no particle, or more than a run can index."""
    file = shot.file
    cell = cell_size_m(file.domain, file.size[size])
    half = 0.5 * cell
    counts = [2 * n for n in domain_cells(file.domain, file.size[size])]
    boxes = [body_bounds(body, file.domain) for body in file.body]
    first = [_lattice(min((b[0][k] for b in boxes), default=0.0), half, counts[k], -1) for k in range(3)]
    last = [_lattice(max((b[1][k] for b in boxes), default=0.0), half, counts[k], 1) for k in range(3)]
    last = [max(a, b) for a, b in zip(first, last)]  # of bodies beside the domain nothing is left
    span = [b - a for a, b in zip(first, last)]
    planes = max(1, CHUNK_POINTS // max(1, span[1] * span[2]))
    parts: list[Particles] = []
    total = 0
    for start in range(first[0], last[0], planes):
        stop = min(last[0], start + planes)
        part = _chunk(
            shot,
            field,
            bulk_modulus_pa,
            seed,
            half,
            counts,
            boxes,
            (start, first[1], first[2]),
            (stop, last[1], last[2]),
        )
        total += len(part.position)
        if total > PARTICLE_MAX:
            raise UserError(f"{shot.path}: size.{size}.cells_x: expected at most {PARTICLE_MAX} particles, got more")
        parts.append(part)
    if total == 0 and not file.emitter:
        raise UserError(f"{shot.path}: body: expected bodies that hold liquid inside the domain, got no particle")
    if not parts:
        return Particles(np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    return Particles(
        np.concatenate([p.position for p in parts]),
        np.concatenate([p.velocity for p in parts]),
        np.concatenate([p.temperature for p in parts]),
    )


def _lattice(bound: float, half: float, count: int, direction: int) -> int:
    index = int(np.floor(bound / half)) + (direction if direction < 0 else direction + 1)
    return min(max(index, 0), count)


def _chunk(
    shot: Shot,
    field: HeightField | None,
    bulk_modulus_pa: float,
    seed: int,
    half: float,
    counts: list[int],
    boxes: list[tuple[list[float], list[float]]],
    low: tuple[int, int, int],
    high: tuple[int, int, int],
) -> Particles:
    """Particles of the lattice planes low[0] .. high[0]."""
    file = shot.file
    i, j, k = _candidates(shot, field, half, boxes, low, high)
    # Jitter each lattice point within its half cell
    x, y, z = (
        (index + 0.5 + JITTER * (unit(word) - 0.5)) * half for index, word in zip((i, j, k), hash4(i, j, k, seed))
    )
    # Leave free what lies below the ground or in a collider
    ground = ground_under(field, x, y)
    free = z >= ground + 0.25 * half if field is not None else np.ones(x.shape, bool)
    for collider in file.collider:
        free &= outside(collider, x, y, z, COLLIDER_GAP_CELLS * 2.0 * half)
    density = file.material.density_kg_per_m3
    gravity = -file.force.gravity_m_per_s2[2]
    keep: list[Array] = []
    values: list[Array] = []  # one row a particle: x y z J vx vy vz T
    for body, box in zip(file.body, boxes):
        near = free.copy()
        for v, a, b in zip((x, y, z), *box):
            near &= (v >= a) & (v < b)
        index = np.flatnonzero(near)
        if index.size == 0:
            continue
        points = Points(x[index], y[index], z[index], ground[index])
        found = fill(body, points, file.domain)
        index = index[found.inside]
        free[index] = False
        inside = points.pick(found.inside)
        surface = found.surface[found.inside]
        row = np.empty((index.size, 8), np.float32)
        row[:, 0], row[:, 1], row[:, 2], row[:, 3] = inside.x, inside.y, inside.z, 1.0
        if body.hydrostatic and gravity > 0.0:
            pressure = density * gravity * np.clip(surface - inside.z, 0.0, None)
            row[:, 3] = root7_inverse(1.0 + np.minimum(pressure * (1.0 / bulk_modulus_pa), 4.0))
        extra = velocity_at(body.velocity, inside)
        for axis in range(3):
            row[:, 4 + axis] = found.velocity[axis][found.inside] + extra[axis]
        row[:, 7] = temperature_at(body.temperature, inside, surface)
        keep.append(index)
        values.append(row)
    if not keep:
        return Particles(np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    order = np.argsort(np.concatenate(keep), kind="stable")
    rows = np.concatenate(values)[order]
    return Particles(rows[:, 0:4], rows[:, 4:7], rows[:, 7])


def _candidates(
    shot: Shot,
    field: HeightField | None,
    half: float,
    boxes: list[tuple[list[float], list[float]]],
    low: tuple[int, int, int],
    high: tuple[int, int, int],
) -> tuple[Array, Array, Array]:
    """Lattice points that a body may hold, in lattice order: cheap bounds per column, never too tight.

    A column's ground is bounded by the heights at its own and the eight neighbouring columns, less what terrain finer
    than the lattice could add between them.
    """
    ci, cj = np.arange(low[0] - 1, high[0] + 1), np.arange(low[1] - 1, high[1] + 1)
    x, y = (ci[:, None] + 0.5) * half, (cj[None, :] + 0.5) * half
    shape = (len(ci) - 2, len(cj) - 2)
    floor, roof = np.full(shape, -1.0e30), np.full(shape, 1.0e30)
    if field is not None:
        ground = field.at(x + np.zeros_like(y), y + np.zeros_like(x))
        floor, roof = ground[1:-1, 1:-1], ground[1:-1, 1:-1]
        for a in range(3):
            for b in range(3):
                near = ground[a : a + shape[0], b : b + shape[1]]
                floor, roof = np.minimum(floor, near), np.maximum(roof, near)
        margin = half + (roof - floor)
        floor, roof = floor - margin, roof + margin
    top = np.full(shape, -1.0e30)
    inner_x, inner_y = x[1:-1], y[:, 1:-1]
    for body, (box_low, box_high) in zip(shot.file.body, boxes):
        held = (inner_x >= box_low[0] - half) & (inner_x < box_high[0] + half)
        held = held & (inner_y >= box_low[1] - half) & (inner_y < box_high[1] + half)
        ceiling = np.full(shape, box_high[2])
        if isinstance(body, Flow):
            ceiling = np.minimum(ceiling, roof + max(p[3] for p in body.path_m) + body.lump_m)
        top = np.where(held, np.maximum(top, ceiling), top)
    z = (np.arange(low[2], high[2]) + 0.5) * half
    mask = (z >= floor[:, :, None] - half) & (z < top[:, :, None] + half)
    i, j, k = np.nonzero(mask)
    return i + low[0], j + low[1], k + low[2]


def outside(collider: object, x: Array, y: Array, z: Array, gap: float) -> Array:
    """Which points are farther than ``gap`` from the collider's inside (m)."""
    if isinstance(collider, SphereCollider):
        dx, dy, dz = x - collider.centre_m[0], y - collider.centre_m[1], z - collider.centre_m[2]
        reach = collider.radius_m + gap
        return np.asarray(dx * dx + dy * dy + dz * dz > reach * reach)
    if isinstance(collider, BoxCollider):
        grown = np.zeros(x.shape, bool)
        for v, low, high in zip((x, y, z), collider.min_m, collider.max_m):
            grown |= (v < low - gap) | (v > high + gap)
        return grown
    if isinstance(collider, CapsuleCollider):
        axis = [t - f for f, t in zip(collider.from_m, collider.to_m)]
        length2 = max(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2], 1.0e-12)
        dx, dy, dz = x - collider.from_m[0], y - collider.from_m[1], z - collider.from_m[2]
        t = np.clip((dx * axis[0] + dy * axis[1] + dz * axis[2]) * (1.0 / length2), 0.0, 1.0)
        dx, dy, dz = dx - t * axis[0], dy - t * axis[1], dz - t * axis[2]
        reach = collider.radius_m + gap
        return np.asarray(dx * dx + dy * dy + dz * dz > reach * reach)
    assert isinstance(collider, CylinderCollider)
    dx, dy = x - collider.centre_m[0], y - collider.centre_m[1]
    reach, half_height = collider.radius_m + gap, 0.5 * collider.height_m + gap
    return (dx * dx + dy * dy > reach * reach) | (np.abs(z - collider.centre_m[2]) > half_height)
