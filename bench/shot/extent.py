"""How large a shot is, before anything is built: cells, blocks, upper bounds of particles."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, hypot, prod, sqrt

from bench.shot.joined import joined
from bench.shot.problem import Got, Problem
from bench.shot.schema import (
    GRID_BLOCK_MAX,
    PARTICLE_MAX,
    BoxCollider,
    Collider,
    CylinderCollider,
    Domain,
    Emitter,
    ShotFile,
    Size,
)
from bench.shot.shapes import Body, BreakingWave, Column, Cylinder, Flow, Sea, Sphere
from bench.shot.shapes import Box as BoxBody

WALL_CELLS = 4
BLOCK_EDGE = 4  # cells along the edge of a block of the grid
BEHIND_CELLS = 4  # that a solid goes on behind a wall's own cells
DISC_MARGIN_CELLS = 0.1  # from a wall to an emitter's disc; liquid is less than 0.06 ahead of it when it appears
SAME_LENGTH = 1.0e-9  # share of a length within which a whole number of cells is that length
AXIS_CELLS_MAX = 16384
BRICK_COUNT_MAX = 2**31 - 1  # a brick's number is an int32
BRICK_VOXELS = 8  # along a brick's edge
HEIGHT_COUNT_MAX = 2**28
PIXEL_COUNT_MAX = 2**28
Bounds = tuple[list[float], list[float]]


def cell_size_m(domain: Domain, size: Size) -> float:
    return domain.size_m[0] / size.cells_x


def domain_cells(domain: Domain, size: Size) -> tuple[int, int, int]:
    """Cells of the domain, as near to its size as whole cells come: exact along x."""
    cell = cell_size_m(domain, size)
    x, y, z = (max(1, int(length / cell + 0.5)) for length in domain.size_m)
    return x, y, z


def grid_cells(domain: Sequence[int]) -> tuple[int, int, int]:
    """Cells of the grid's box round a domain of so many: whole blocks, the walls' cells on both sides at the least."""
    x, y, z = (BLOCK_EDGE * ceil((n + 2 * WALL_CELLS) / BLOCK_EDGE) for n in domain)
    return x, y, z


def fitted(shot: ShotFile, size: Size) -> ShotFile:
    """The shot as a size's grid holds it: what reaches the domain's walls as it is written reaches the grid's.

    The domain is as long as its whole cells. Boxes of liquid that reached its far walls reach them still. Solids that
    end at a wall go on behind it: what the liquid does at the wall is theirs alone then, and no slit is left. Boxes
    that touch are joined. A disc that pours out of a wall lies just inside it.
    """
    domain, cell = shot.domain, cell_size_m(shot.domain, size)
    made = [n * cell for n in domain_cells(domain, size)]
    length = tuple(s if abs(m - s) <= SAME_LENGTH * s else m for m, s in zip(made, domain.size_m))
    bodies = tuple(_reaching(body, domain.size_m, length) for body in shot.body)
    colliders = joined([_going_on(collider, length, cell) for collider in shot.collider], length, cell)
    emitters = tuple(_inside(emitter, length, cell) for emitter in shot.emitter)
    if (length, bodies, colliders, emitters) == (domain.size_m, shot.body, shot.collider, shot.emitter):
        return shot
    changed = {
        "domain": domain.model_copy(update={"size_m": length}),
        "body": bodies,
        "collider": colliders,
        "emitter": emitters,
    }
    return shot.model_copy(update=changed)


def _reaching(body: Body, stated: Sequence[float], length: Sequence[float]) -> Body:
    """A body with its box up to the far walls that it is said to reach."""
    if not isinstance(body, (BoxBody, Sea)) or body.max_m is None:
        return body
    far = tuple(max(v, m) if v >= s else v for v, s, m in zip(body.max_m, stated, length))
    return body if far == body.max_m else body.model_copy(update={"max_m": far})


def _going_on(collider: Collider, length: Sequence[float], cell: float) -> Collider:
    """A box or cylinder whose flat faces within half a cell of a wall, or beyond it, lie far behind it."""
    near, beyond = 0.5 * cell, (WALL_CELLS + BEHIND_CELLS) * cell
    way = [0.0, 0.0, 0.0] if collider.motion is None else collider.motion.way

    def ends(low: float, high: float, axis: int) -> tuple[float, float]:
        if way[axis] != 0.0:  # it goes away from the wall
            return low, high
        last = length[axis]
        return min(low, -beyond) if low <= near else low, max(high, last + beyond) if high >= last - near else high

    if isinstance(collider, BoxCollider):
        low, high = zip(*(ends(*faces, axis) for axis, faces in enumerate(zip(collider.min_m, collider.max_m))))
        return collider.model_copy(update={"min_m": low, "max_m": high})
    if isinstance(collider, CylinderCollider):
        x, y, z = collider.centre_m
        foot, top = z - 0.5 * collider.height_m, z + 0.5 * collider.height_m
        low_z, high_z = ends(foot, top, 2)
        if (low_z, high_z) != (foot, top):
            return collider.model_copy(update={"centre_m": (x, y, 0.5 * (low_z + high_z)), "height_m": high_z - low_z})
    return collider


def disc_reach(emitter: Emitter) -> list[float]:
    """How far the rim of an emitter's disc is from its middle along each axis (m)."""
    length = hypot(*emitter.direction)
    return [emitter.radius_m * sqrt(max(0.0, 1.0 - (d / length) ** 2)) for d in emitter.direction]


def _inside(emitter: Emitter, length: Sequence[float], cell: float) -> Emitter:
    """A disc so far inside the walls that what has just left it is too."""
    margin = DISC_MARGIN_CELLS * cell
    reach = disc_reach(emitter)
    most = min((0.5 * side - margin) / r for side, r in zip(length, reach) if r > 0.0)
    reach = [min(1.0, most) * r for r in reach]
    centre = tuple(min(max(c, r + margin), side - r - margin) for c, r, side in zip(emitter.centre_m, reach, length))
    if centre == emitter.centre_m and most >= 1.0:
        return emitter
    return emitter.model_copy(update={"centre_m": centre, "radius_m": min(1.0, most) * emitter.radius_m})


def body_bounds(body: Body, domain: Domain) -> Bounds:
    """A box round the body, clipped to the domain (m)."""
    low, high = [0.0, 0.0, 0.0], list(domain.size_m)
    box: Bounds = ([-1.0e30] * 3, [1.0e30] * 3)
    if isinstance(body, BoxBody):
        box = (list(body.min_m), list(body.max_m))
    elif isinstance(body, Sphere):
        box = ([c - body.radius_m for c in body.centre_m], [c + body.radius_m for c in body.centre_m])
    elif isinstance(body, Cylinder):
        ends = list(zip(body.from_m, body.to_m))
        box = ([min(e) - body.radius_m for e in ends], [max(e) + body.radius_m for e in ends])
    elif isinstance(body, Column):
        reach = max(outer for _, _, outer in body.profile_m) + body.sway_m + body.rough_m
        box[0][:] = [body.centre_m[0] - reach, body.centre_m[1] - reach, body.profile_m[0][0]]
        box[1][:] = [body.centre_m[0] + reach, body.centre_m[1] + reach, body.profile_m[-1][0]]
    elif isinstance(body, Sea):
        if body.min_m is not None:
            box[0][:] = list(body.min_m)
        if body.max_m is not None:
            box[1][:] = list(body.max_m)
        box[1][2] = min(box[1][2], body.level_m + body.chop_m)
    elif isinstance(body, BreakingWave):
        box[1][2] = body.level_m + body.height_m * (1.0 + body.vary_height) + body.chop_m
    elif isinstance(body, Flow):
        wide = [max(p[2], 0.0) for p in body.path_m]
        box[0][:2] = [min(p[axis] - w for p, w in zip(body.path_m, wide)) for axis in (0, 1)]
        box[1][:2] = [max(p[axis] + w for p, w in zip(body.path_m, wide)) for axis in (0, 1)]
    return [max(a, b) for a, b in zip(low, box[0])], [min(a, b) for a, b in zip(high, box[1])]


def validate_extent(shot: ShotFile) -> None:
    """Raise a Problem where a size would need more cells, heights, pixels or particles than any machine holds."""
    length = shot.domain.size_m
    for name, size in shot.size.items():
        cell = cell_size_m(shot.domain, size)
        counts = [int(side / cell + 0.5) for side in length]
        if min(counts) < 4 or max(counts) > AXIS_CELLS_MAX:
            expected = f"a number that gives 4 to {AXIS_CELLS_MAX} cells on every axis of the domain"
            raise Problem(f"size.{name}.cells_x", expected, Got(f"{min(counts)} to {max(counts)} cells"))
        box = grid_cells(domain_cells(shot.domain, size))
        blocks = prod(n // BLOCK_EDGE for n in box)
        if blocks > GRID_BLOCK_MAX:
            raise Problem(f"size.{name}.cells_x", f"at most {GRID_BLOCK_MAX} blocks of 4^3 cells", Got(f"{blocks}"))
        bricks = prod(ceil(n / (BRICK_VOXELS * size.voxel_per_cell)) for n in box)
        if bricks > BRICK_COUNT_MAX:
            expected = f"a number that gives at most {BRICK_COUNT_MAX} bricks of 8^3 voxels"
            raise Problem(f"size.{name}.voxel_per_cell", expected, Got(f"{bricks}"))
        if size.width * size.height > PIXEL_COUNT_MAX:
            expected = f"a picture of at most {PIXEL_COUNT_MAX} pixels"
            raise Problem(f"size.{name}.width", expected, Got(f"{size.width} x {size.height}"))
        _validate_terrain(shot, name, cell)
        for i, body in enumerate(shot.body):
            low, high = body_bounds(body, shot.domain)
            volume = 1.0
            for a, b in zip(low, high):
                volume *= max(0.0, b - a)
            count = 8.0 * volume / (cell * cell * cell)
            if count > 8.0 * PARTICLE_MAX:  # the box round a body; what is really filled is counted when it is built
                expected = f"a body of fewer than {PARTICLE_MAX} particles at size {name}"
                raise Problem(f"body[{i}]", expected, Got(f"about {count:.1e}"))


def _validate_terrain(shot: ShotFile, name: str, cell: float) -> None:
    terrain = shot.terrain
    if terrain is None:
        return
    spacing = cell * terrain.spacing_per_cell
    heights = (terrain.size_m[0] / spacing + 2.0) * (terrain.size_m[1] / spacing + 2.0)
    if heights > HEIGHT_COUNT_MAX:
        expected = f"a number that gives at most {HEIGHT_COUNT_MAX} heights"
        raise Problem("terrain.spacing_per_cell", expected, Got(f"about {heights:.1e} at size {name}"))
    if min(terrain.size_m) < spacing:
        raise Problem("terrain.size_m", f"at least the spacing of size {name} ({spacing:g} m)", list(terrain.size_m))
