"""Particles of a shot's bodies, in lattice order: what the bodies say as tables, and the two passes over the lattice.

The first pass counts, the second fills arrays of just that length in place: nothing else is ever as large as they are.
Both go by chunks of whole lattice planes; between two of them progress is told, and Ctrl-C is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.base.errors import UserError
from bench.pipeline.scene import fill as f
from bench.pipeline.scene.bodies import column_ring, shape_words
from bench.pipeline.scene.exact import LINE_WORDS, Array
from bench.pipeline.scene.motion import temperature_words, velocity_words
from bench.pipeline.scene.terrain import HeightField
from bench.shot.extent import WALL_CELLS, body_bounds, cell_size_m, domain_cells, fitted
from bench.shot.load import Shot
from bench.shot.runnable import over
from bench.shot.schema import (
    PARTICLE_MAX,
    BoxCollider,
    CapsuleCollider,
    Collider,
    CylinderCollider,
    Lava,
    ShotFile,
    SphereCollider,
)
from bench.shot.shapes import Column, Flow

CHUNK_POINTS = 4_000_000  # lattice points of the box round the bodies between two reports
COLLIDER_GAP_CELLS = 0.25
COUNTING = 0.4  # share of the time that the first pass takes, about
SPEEDS = 10_000  # particles whose speeds are looked at at a time

Tell = Callable[[float], None]  # the share that is done


@dataclass(frozen=True)
class Particles:
    """Initial state of the liquid; grid-local, float32."""

    position: Array  # [n, 4] x, y, z (m), J
    velocity: Array  # [n, 12] m/s and, all 0, its gradients
    temperature: Array  # [n] K; [1] without heat


def build_particles(
    shot: Shot,
    size: str,
    field: HeightField | None,
    bulk_modulus_pa: float,
    seed: int,
    tell: Tell = lambda share: None,
) -> Particles:
    """Fill the bodies. Raises UserError where they hold no particle, or more than a run can index."""
    chosen = shot.file.size[size]
    cell = cell_size_m(shot.file.domain, chosen)
    half = 0.5 * cell
    ends = [2 * n for n in domain_cells(shot.file.domain, chosen)]
    file = fitted(shot.file, chosen)
    boxes = [body_bounds(body, file.domain) for body in file.body]
    low = [_lattice(min((b[0][k] for b in boxes), default=0.0), half, ends[k], -1) for k in range(3)]
    high = [max(low[k], _lattice(max((b[1][k] for b in boxes), default=0.0), half, ends[k], 1)) for k in range(3)]
    numbers = _numbers(file, field, cell, bulk_modulus_pa)
    kinds, bodies, lines = _bodies(file)
    heights = field.heights if field is not None else np.zeros((2, 2), np.float32)
    tables = f.Tables(kinds, bodies, lines, _rings(file, half, ends[2]), _colliders(file, cell), heights)
    planes = high[0] - low[0]
    chunks = list(_chunks(low, high))
    nothing = np.zeros(0, np.float32)
    room = nothing.reshape(0, 4), nothing.reshape(0, 12), nothing

    counts = np.zeros(planes * (high[1] - low[1]), np.int32)
    total = 0
    for corner, opposite, columns in chunks:
        start = np.zeros(columns.stop - columns.start, np.int64)
        f.sweep(corner, opposite, seed, numbers, tables, start, *room, counts[columns])
        total += int(counts[columns].sum())
        if total > PARTICLE_MAX:
            raise UserError(f"{shot.path}: size.{size}.cells_x: expected at most {PARTICLE_MAX} particles, got more")
        tell(COUNTING * (int(opposite[0]) - low[0]) / planes)
    if total == 0 and not file.emitter:
        raise UserError(f"{shot.path}: body: expected bodies that hold liquid inside the domain, got no particle")

    position, velocity = np.empty((total, 4), np.float32), np.empty((total, 12), np.float32)
    temperature = np.empty(total if isinstance(file.material, Lava) else 0, np.float32)
    before = 0
    for corner, opposite, columns in chunks:
        here = slice(before, before + int(counts[columns].sum()))
        start = np.cumsum(counts[columns], dtype=np.int64) - counts[columns]
        room = position[here], velocity[here], temperature[here]
        if here.stop > here.start:
            f.sweep(corner, opposite, seed, numbers, tables, start, *room, counts[columns])
            _require_slow(shot, room[0], room[1], float(numbers[f.OFFSET]))
        before = here.stop
        tell(COUNTING + (1.0 - COUNTING) * (int(opposite[0]) - low[0]) / planes)
    return Particles(position, velocity, temperature if isinstance(file.material, Lava) else np.zeros(1, np.float32))


def _require_slow(shot: Shot, position: Array, velocity: Array, offset: float) -> None:
    """Raise UserError where a particle is faster than the liquid is meant to be: not every shape says its speed."""
    limit = shot.file.material.speed_limit_m_per_s
    for first in range(0, len(velocity), SPEEDS):  # in pieces, so that nothing is as large as what stays
        v = velocity[first : first + SPEEDS, :3]
        speed = np.sqrt(np.einsum("ij,ij->i", v, v))
        worst = int(speed.argmax())
        if over(float(speed[worst]), limit):
            place = ", ".join(f"{x - offset:.4g}" for x in position[first + worst, :3])
            expected = f"bodies of at most material.speed_limit_m_per_s ({limit:g} m/s) everywhere"
            raise UserError(f"{shot.path}: body: expected {expected}, got {speed[worst]:.4g} m/s at [{place}]")


def _chunks(low: list[int], high: list[int]) -> Iterator[tuple[Array, Array, slice]]:
    """(low corner, high corner, which columns) of slabs of whole lattice planes."""
    across = high[1] - low[1]
    planes = max(1, CHUNK_POINTS // max(1, across * (high[2] - low[2])))
    for start in range(low[0], high[0], planes):
        stop = min(high[0], start + planes)
        columns = slice((start - low[0]) * across, (stop - low[0]) * across)
        yield np.array([start, *low[1:]], np.int64), np.array([stop, *high[1:]], np.int64), columns


def _lattice(bound: float, half: float, count: int, direction: int) -> int:
    index = int(np.floor(bound / half)) + (direction if direction < 0 else direction + 1)
    return min(max(index, 0), count)


def _numbers(file: ShotFile, field: HeightField | None, cell: float, bulk_modulus_pa: float) -> Array:
    out = np.zeros(f.NUMBERS)
    out[f.HALF] = 0.5 * cell
    out[f.OFFSET] = np.float32(WALL_CELLS * cell)
    if field is not None:
        out[f.GROUND_ON], out[f.PER_SPACING] = 1.0, 1.0 / field.spacing
        out[f.GROUND_X], out[f.GROUND_Y] = field.origin
    gravity = -file.force.gravity_m_per_s2[2]
    if gravity > 0.0:
        out[f.WEIGHT] = file.material.density_kg_per_m3 * gravity
    out[f.PER_BULK] = 1.0 / bulk_modulus_pa
    return out


def _bodies(file: ShotFile) -> tuple[Array, Array, Array]:
    """Kinds, words and lines of the bodies."""
    kinds = np.zeros((len(file.body), f.BODY_KINDS), np.int64)
    words = np.zeros((len(file.body), f.BODY_WORDS))
    lines: list[list[float]] = []
    for kind, row, body in zip(kinds, words, file.body):
        bounds = body_bounds(body, file.domain)
        row[f.LOW : f.LOW + 3], row[f.HIGH : f.HIGH + 3] = bounds
        row[f.HYDROSTATIC] = body.hydrostatic
        if isinstance(body, Flow):
            row[f.OVER_GROUND : f.LUMP + 1] = 1.0, max(p[3] for p in body.path_m), body.lump_m
        kind[f.SHAPE_KIND], row[f.SHAPE : f.VELOCITY] = shape_words(body, file.domain, lines)
        kind[f.VELOCITY_KIND], row[f.VELOCITY : f.TEMPERATURE] = velocity_words(body.velocity)
        kind[f.TEMPERATURE_KIND], row[f.TEMPERATURE :] = temperature_words(body.temperature)
    return kinds, words.reshape(-1), np.array(lines, np.float64).reshape(-1, LINE_WORDS)


def _rings(file: ShotFile, half: float, count: int) -> Array:
    """Rings that hold what each body has of a lattice plane, jitter included; none where no body is that slender."""
    if not any(isinstance(body, Column) for body in file.body):
        return np.zeros((0, 0, 4))
    out = np.zeros((len(file.body), count, 4))
    out[:, :, 2:] = 0.0, -1.0  # no radius is between these
    for ring, body in zip(out, file.body):
        low, high = body_bounds(body, file.domain)
        for k in range(count):
            z = (k + 0.5) * half
            if low[2] - half <= z <= high[2] + half:
                ring[k] = column_ring(body, z, half) if isinstance(body, Column) else (0.0, 0.0, 0.0, np.inf)
    return out


def _colliders(file: ShotFile, cell: float) -> Array:
    gap = COLLIDER_GAP_CELLS * cell
    out = np.zeros((len(file.collider), f.COLLIDER_WORDS))
    for row, collider in zip(out, file.collider):
        words = _collider(collider, gap)
        row[: len(words)] = words
    return out


def _collider(c: Collider, gap: float) -> tuple[float, ...]:
    match c:
        case BoxCollider():
            return (f.BOX, *(v - gap for v in c.min_m), *(v + gap for v in c.max_m))
        case SphereCollider():
            return (f.SPHERE, *c.centre_m, (c.radius_m + gap) * (c.radius_m + gap))
        case CylinderCollider():
            return (f.CYLINDER, *c.centre_m, (c.radius_m + gap) * (c.radius_m + gap), 0.5 * c.height_m + gap)
        case CapsuleCollider():
            axis = [t - b for b, t in zip(c.from_m, c.to_m)]
            length2 = max(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2], 1.0e-12)
            return (f.CAPSULE, *c.from_m, *axis, 1.0 / length2, (c.radius_m + gap) * (c.radius_m + gap))
