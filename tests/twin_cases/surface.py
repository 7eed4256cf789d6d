"""Inputs of the surface's and the fog's kernels at their edges.

CASES[kernel][label](rng) gives the kernel's arguments by name. Most come from one small scene each, run through the
kernels before; outputs hold 7 beforehand, so that a stray or missing write shows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import constants as k
from kernels.base.registry import kernel_named
from kernels.surface.surf_bricks import picture_grid, picture_parameters

F32 = np.float32
Arguments = dict[str, Any]
Maker = Callable[[np.random.Generator], Arguments]
CELL = F32(0.125)
SPACING = CELL / F32(2)
DENORMAL = F32(1e-42)
LIQUID = 0
RADIUS = SPACING / F32(2)
FOAM = 1 << k.EFFECT_FOAM
FOG = (1 << k.EFFECT_SPRAY) | (1 << k.EFFECT_EMBER)
OPEN, GOES_ON, CUT = (k.WALL_OPEN,) * 6, (k.WALL_CONTINUE,) * 5 + (k.WALL_OPEN,), (k.WALL_CUT,) * 5 + (k.WALL_OPEN,)
MIXED = (k.WALL_CUT, k.WALL_OPEN, k.WALL_CONTINUE, k.WALL_CUT, k.WALL_OPEN, k.WALL_CUT)
TURNED = (k.WALL_OPEN, k.WALL_CUT, k.WALL_CONTINUE, k.WALL_OPEN, k.WALL_CUT, k.WALL_CONTINUE)
KINDS = (k.EFFECT_FOAM, k.EFFECT_SPRAY, k.EFFECT_EMBER, k.EFFECT_NONE)


class Chain:
    """The arguments of each kernel of a picture's surface and fog, as they were before it ran."""

    def __init__(
        self,
        points: np.ndarray,  # of the liquid, m
        effects: np.ndarray | None = None,  # kinds take turns
        cells: tuple[int, int, int] = (8, 8, 8),
        walls: tuple[int, ...] = OPEN,
        heat: np.ndarray | None = None,
        terrain: tuple[np.ndarray, np.ndarray] | None = None,
        voxel: Any = SPACING,
        stale: int = 0,  # rows behind the particles
        radius: Any = RADIUS,
        scale: float = 1,  # of everything
        rim: tuple[int, int] = (2, 2),  # cells outside of the walls, at the low and the high sides
        full: int | None = None,  # particles that make a cell full, when not the usual number
    ) -> None:
        self.before: dict[str, Arguments] = {}
        self.cells = cells
        self.cell = CELL * F32(scale)
        points, effects = points * scale, np.zeros((0, 3)) if effects is None else effects * scale
        low, high = np.full(3, rim[0], F32) * self.cell, (np.array(cells, F32) - F32(rim[1])) * self.cell
        spacing, voxel, radius = SPACING * F32(scale), voxel * F32(scale), radius * F32(scale)
        picture = picture_parameters(self.cell, spacing, voxel, self.cell, low, high, heat is not None)
        if full is not None:
            picture[k.PICTURE_FULL] = full
        grid, self.counts = picture_grid(cells, picture), np.full(k.COUNT_WORDS, 3, np.int32)
        self.counts[k.COUNT_PARTICLES], self.counts[k.COUNT_EFFECTS] = len(points), len(effects)
        self.counts[k.COUNT_ERROR] = 0
        geometry, heights = (np.zeros(4, F32), np.zeros((2, 2), F32)) if terrain is None else terrain
        shared = {"grid_in": grid, "picture_in": picture, "walls_in": np.array(walls, np.int32)}
        box: Arguments = dict(zip(("cells_x", "cells_y", "cells_z"), cells))
        number = len(effects) + stale
        kind = np.resize(np.array(KINDS, np.int32), max(1, number))
        warm = (900 + 7 * np.arange(max(2, number)) % 500).astype(F32)
        warm[6::16] = 0.5  # hardly glows
        no_heat, no_kind = np.zeros(1, F32), np.zeros(1, np.int32)
        liquid = self.bin("", LIQUID, k.COUNT_PARTICLES, points, no_kind, heat if heat is not None else no_heat, stale)
        foam = self.bin(" foam", FOAM, k.COUNT_EFFECTS, effects, kind, warm, stale, radius)
        fog = self.bin(" fog", FOG, k.COUNT_EFFECTS, effects, kind, warm, stale, radius)

        def numbered(label: str, classify: str, slot: int, error: int, edges: np.ndarray, start: Any) -> Any:
            classes, table = np.full(int(np.prod(edges)), 7, np.int32), np.full(int(np.prod(edges)), 7, np.int32)
            self.launch(classify, **box, **shared, start_in=start, class_out=classes)
            entry = np.full(classes.size, 7, np.int32)
            self.launch(
                "surf_number", label, count_slot=slot, error_bit=error, counts_inout=self.counts, class_inout=classes,
                table_out=table, entry_out=entry,
            )  # fmt: skip
            shape = (int(self.counts[slot]) + 1, k.BRICK_NODES, 2)
            return classes, table, entry, [np.full(shape, 7, F32) for _ in range(4)]

        classes, table, entry, (one, two, three, four) = numbered(
            "", "surf_bricks", k.COUNT_SURFACE_BRICKS, k.ERROR_SURFACE_CAPACITY, grid[:3], liquid[0]
        )
        self.launch(
            "surf_field", **box, **shared, counts_in=self.counts, terrain_geometry_in=geometry, terrain_in=heights,
            entry_in=entry, start_in=liquid[0], binned_in=liquid[1], binned_heat_in=liquid[2], foam_start_in=foam[0],
            foam_in=foam[1], value_out=one,
        )  # fmt: skip
        shared |= {"counts_in": self.counts, "table_in": classes, "entry_in": entry}
        outside, inside = F32(picture[k.PICTURE_REACH] - picture[k.PICTURE_RADIUS]), F32(-picture[k.PICTURE_RADIUS])
        band = F32(3) * picture[k.PICTURE_VOXEL]
        first = {"last": 0, "outside": outside, "inside": inside, "table_out": table}
        self.launch("surf_distance", " first", **shared, **first, value_in=one, value_out=two)
        self.launch("surf_smooth", **shared, value_in=two, value_out=three)
        last = {"last": 1, "outside": band, "inside": F32(-band), "table_out": table}
        self.launch("surf_distance", **shared, **last, value_in=three, value_out=four)
        gx, gy, gz = (int(n) for n in grid[:3])
        self.launch("surf_box", grid_x=gx, grid_y=gy, grid_z=gz, table_in=table, box_out=np.full(6, 7, np.int32))
        _, _, entry, (one, *_) = numbered(
            " fog", "fog_bricks", k.COUNT_FOG_BRICKS, k.ERROR_FOG_CAPACITY, grid[3:], fog[0]
        )
        shared["entry_in"] = entry
        self.counts[k.COUNT_BRICKS_NEEDED] = 1  # as if it were of something else: who takes it for theirs is seen
        self.launch(
            "fog_field", **box, **shared, start_in=fog[0], binned_in=fog[1], binned_heat_in=fog[2], value_out=one
        )
        self.launch(
            "fog_majorant", counts_in=self.counts, count_slot=k.COUNT_FOG_BRICKS, value_in=one,
            majorant_out=np.full(len(one), 7, F32),
        )  # fmt: skip

    def launch(self, kernel: str, label: str = "", **given: Any) -> None:
        made = kernel_named(kernel)
        arguments = {name: given[name] for name in made.argument_names}
        self.before[kernel + label] = copy.deepcopy(arguments)
        made.cpu(*arguments.values())

    def bin(
        self, label: str, kinds: int, slot: int, points: Any, kind: Any, heat: Any, stale: int, radius: Any = 1.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(start, binned, binned heat)"""
        rows = max(1, len(points) + stale)
        position = np.full((rows, 4), 0.4, F32)
        position[: len(points), :3] = points
        position[:, 3] = radius
        start, order = np.full(int(np.prod(self.cells)) + 1, 7, np.int32), np.full(rows, 7, np.int32)
        binned, binned_heat = np.full((rows, 4), 7, F32), np.full(rows, 7, F32)
        given = {
            "counts_in": self.counts, "count_slot": slot, "kinds": kinds, "cell_size_m": self.cell,
            "position_in": position, "kind_in": kind,
            "temperature_in": heat, **dict(zip(("cells_x", "cells_y", "cells_z"), self.cells)),
        }  # fmt: skip
        self.launch("surf_count", label, **given, start_out=start)
        self.launch("surf_scan", label, start_inout=start)
        self.launch("surf_place", label, **given, start_inout=start, order_out=order)
        arrays = {"order_inout": order, "binned_out": binned, "binned_heat_out": binned_heat}
        self.launch("surf_sort", label, **given, start_in=start, **arrays)
        return start, binned, binned_heat


def pool(rng: np.random.Generator, low: Any = 0.25, high: Any = (0.75, 0.75, 0.6)) -> np.ndarray:
    """A jittered pool, 8 particles a cell."""
    axes = [np.arange(a + float(SPACING) / 2, b, float(SPACING)) for a, b in zip(np.broadcast_to(low, 3), high)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return rng.permutation(points + rng.uniform(-0.25, 0.25, points.shape) * float(SPACING))


def spread(rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.uniform(0.05, 0.95, (number, 3))


def plain(rng: np.random.Generator) -> Chain:
    points = np.concatenate([pool(rng, 0.4, (0.65,) * 3), spread(rng, 40)])
    return Chain(points, 1.4 * spread(rng, 160), cells=(12, 8, 12), stale=5)


def none(rng: np.random.Generator) -> Chain:
    return Chain(np.zeros((0, 3)), stale=3)


def one(rng: np.random.Generator) -> Chain:
    return Chain(np.full((1, 3), 0.51), np.full((2, 3), 0.3))


def one_cell(rng: np.random.Generator) -> Chain:
    """All particles in one cell, many of them at one place."""
    points = 0.5 + 0.12 * rng.random((150, 3))
    points[::3] = points[0]
    return Chain(points, points[:80].copy())


def edges(rng: np.random.Generator) -> Chain:
    """On the corners and faces of box and cells, outside of them, and next to 0."""
    at = np.array([-1.0, -DENORMAL, 0.0, DENORMAL, 0.125, 0.25, np.nextafter(F32(0.5), F32(0)), 1.0, 3e9])
    return Chain(rng.choice(at, (60, 3)), rng.choice(at, (60, 3)))


def walls_go_on(rng: np.random.Generator) -> Chain:
    return Chain(pool(rng, high=(0.75,) * 3), pool(rng, 0.3, (0.7, 0.7, 0.7))[::4], walls=GOES_ON)


def walls_cut(rng: np.random.Generator) -> Chain:
    return Chain(pool(rng), spread(rng, 30), walls=CUT)


def walls_mixed(rng: np.random.Generator) -> Chain:
    return Chain(pool(rng, high=(0.75,) * 3), walls=MIXED)


def hot(rng: np.random.Generator) -> Chain:
    points = pool(rng, 0.3, (0.7, 0.6, 0.5))
    return Chain(points, spread(rng, 40), walls=GOES_ON, heat=rng.uniform(900, 1400, len(points)).astype(F32))


def terrain(rng: np.random.Generator) -> Chain:
    """A slope under a pool, ending inside the box."""
    heights = np.add.outer(np.linspace(0.1, 0.55, 5), np.linspace(0.0, 0.1, 4)).astype(F32)
    points = pool(rng, 0.2, (0.8, 0.8, 0.6))
    points = points[points[:, 2] > 0.1 + 0.5 * points[:, 0]]
    return Chain(points, walls=GOES_ON, terrain=(np.array([0.05, 0.1, 0.2, k.TERRAIN_SLIP], F32), heights))


def coarse(rng: np.random.Generator) -> Chain:
    """Voxels of a cell, and a box that bricks do not fill."""
    return Chain(pool(rng, high=(0.75, 0.75, 1.1)), spread(rng, 50), cells=(8, 8, 12), walls=GOES_ON, voxel=CELL)


def deep(rng: np.random.Generator) -> Chain:
    """Full to the rim at the sides, with bricks that hold nothing but liquid, others at the top and nothing above."""
    return Chain(pool(rng, 0.0, (1.0, 1.0, 1.3)), cells=(8, 8, 24), walls=GOES_ON)


def tiny(rng: np.random.Generator) -> Chain:
    """Foam, spray and embers with denormal radii: denormal weights and extinctions."""
    return Chain(pool(rng, 0.4, (0.6,) * 3), spread(rng, 60), radius=F32(2e-22))


def wide(rng: np.random.Generator) -> Chain:
    """Liquid at two corners of a box that is different along each axis, effects at the others: most bricks are air."""
    corner = np.array([[0.3, 0.3, 0.3], [1.55, 0.85, 2.55]])
    liquid = np.concatenate([at + 0.1 * rng.random((50, 3)) for at in corner])
    effects = np.concatenate([at * (1, 1, 0.2) + 0.1 * rng.random((12, 3)) for at in corner[::-1]])
    return Chain(liquid, np.concatenate([effects, [[0.1, 1.4, 2.9]] * 4]), cells=(16, 12, 24), walls=CUT)


def vast(rng: np.random.Generator) -> Chain:
    """Cells of 4 m: what is less than 1 elsewhere is more here. Walls close to the rim of the box, all different."""
    liquid, effects = np.concatenate([pool(rng, 0.25, (0.6, 0.5, 0.5)), 1.5 * spread(rng, 9)]), 1.6 * spread(rng, 90)
    return Chain(liquid, effects, cells=(12, 12, 12), walls=TURNED, scale=32, rim=(2, 0))


SCENES = (
    plain, none, one, one_cell, edges, walls_go_on, walls_cut, walls_mixed, hot, terrain, coarse, deep, tiny, wide,
    vast,
)  # fmt: skip
ALONE = {"surf_count", "surf_place", "surf_sort", "fog_bricks", "fog_field"}  # walls and terrain do not concern these
LABELS = {"surf_count": (" foam", " fog"), "surf_place": (" fog",), "surf_sort": (" foam", " fog")}


def _of(scene: Callable[[np.random.Generator], Chain], kernel: str, label: str = "") -> Maker:
    return lambda rng: scene(rng).before[kernel + label]


def _scenes(kernel: str) -> dict[str, Maker]:
    scenes = (plain, none, one, one_cell, edges, hot, coarse, tiny, wide, vast) if kernel in ALONE else SCENES
    made = {scene.__name__: _of(scene, kernel) for scene in scenes}
    for label in LABELS.get(kernel, ()):
        made |= {scene.__name__ + label: _of(scene, kernel, label) for scene in (plain, none, one_cell, edges)}
    return made


def scan(size: int, most: int) -> Maker:
    def make(rng: np.random.Generator) -> Arguments:
        start = rng.integers(0, most + 1, size + 1).astype(np.int32)
        start[-1] = 0
        return {"start_inout": start}

    return make


def numbered(size: int, room: int, share: float, errors: int = 0) -> Maker:
    def make(rng: np.random.Generator) -> Arguments:
        classes = np.where(rng.random(size) < share, 0, rng.integers(-2, 0, size)).astype(np.int32)
        counts = np.full(k.COUNT_WORDS, 7, np.int32)
        counts[k.COUNT_ERROR] = errors
        return {
            "count_slot": k.COUNT_FOG_BRICKS, "error_bit": k.ERROR_FOG_CAPACITY, "counts_inout": counts,
            "class_inout": classes, "table_out": np.full(size, 7, np.int32), "entry_out": np.full(room, 7, np.int32),
        }  # fmt: skip

    return make


def box(shape: tuple[int, int, int], used: float, at: Any = None) -> Maker:
    def make(rng: np.random.Generator) -> Arguments:
        table = np.where(rng.random(shape) < used, rng.integers(-2, 9, shape), k.BRICK_OUTSIDE).astype(np.int32)
        if at is not None:
            table[at] = k.BRICK_INSIDE
        x, y, z = shape
        table = table.reshape(-1)
        return {"grid_x": x, "grid_y": y, "grid_z": z, "table_in": table, "box_out": np.full(6, 7, np.int32)}

    return make


def values(kernel: str, kind: str, label: str = "") -> Maker:
    """Made-up node values, whose copies on shared faces differ."""

    def make(rng: np.random.Generator) -> Arguments:
        arguments = walls_cut(rng).before[kernel + label]
        value = arguments["value_in"]
        noise = rng.normal(0, float(SPACING), value.shape)
        zeros = rng.choice(np.array([0.0, -0.0, DENORMAL, -DENORMAL, 1e-38, -0.05, 0.05], F32), value.shape)
        value[:] = noise if kind == "noise" else zeros
        return arguments

    return make


def majorants(kind: str, bricks: int) -> Maker:
    def make(rng: np.random.Generator) -> Arguments:
        counts = np.zeros(k.COUNT_WORDS, np.int32)
        counts[k.COUNT_FOG_BRICKS] = bricks
        value = rng.random((bricks + 1, k.BRICK_NODES, k.FOG_CHANNELS)).astype(F32)
        if kind == "denormal":
            value *= DENORMAL
        elif kind == "one node":
            value[..., 0] = 0
            value[np.arange(bricks), rng.integers(0, k.BRICK_NODES, bricks), 0] = 1
        elif kind == "last node":
            value[:, -1, 0] = 2
        majorant = np.full(bricks + 1, 7, F32)
        return {
            "counts_in": counts, "count_slot": k.COUNT_FOG_BRICKS, "value_in": value, "majorant_out": majorant,
        }  # fmt: skip

    return make


CHUNK = 4096  # entries that a block scans
CASES: dict[str, dict[str, Maker]] = {
    **{
        kernel: _scenes(kernel)
        for kernel in (
            "surf_count",
            "surf_place",
            "surf_sort",
            "surf_bricks",
            "surf_field",
            "surf_distance",
            "surf_smooth",
            "fog_bricks",
            "fog_field",
        )
    },
    "surf_scan": {
        "one cell": scan(1, 5),
        "few": scan(37, 90),
        "nothing": scan(5000, 0),
        "a chunk": scan(CHUNK - 1, 3),
        "a chunk and one": scan(CHUNK, 3),
        "two chunks but one": scan(2 * CHUNK - 2, 3),
        "odd": scan(3 * CHUNK + 1029, 9),
    },
    "surf_number": {
        "one": numbered(1, 1, 1.0),
        "nothing": numbered(700, 4, 0.0, k.ERROR_FOG_CAPACITY | k.ERROR_OUTSIDE),
        "all": numbered(700, 700, 1.0),
        "some": numbered(2 * CHUNK + 77, 2 * CHUNK, 0.4, k.ERROR_SURFACE_CAPACITY),
        "a chunk": numbered(CHUNK, CHUNK, 0.5),
        "too many": numbered(CHUNK + 300, 100, 0.5, k.ERROR_SURFACE_CAPACITY),
        "too many by one": numbered(300, 299, 1.0),
        "room for one": numbered(50, 1, 0.5),
    },
    "surf_box": {
        "nothing": box((3, 4, 5), 0.0),
        "one entry": box((1, 1, 1), 0.0, (0, 0, 0)),
        "first": box((3, 4, 5), 0.0, (0, 0, 0)),
        "last": box((3, 4, 5), 0.0, (2, 3, 4)),
        "middle": box((9, 8, 11), 0.0, (4, 2, 7)),
        "few": box((9, 8, 11), 0.01),
        "all": box((6, 7, 8), 1.0),
        "two for one thread": box((16, 15, 14), 0.0, (np.array([0, 9]), np.array([0, 12]), np.array([13, 3]))),
    },
    "fog_majorant": {
        "nothing": majorants("", 0),
        "plain": majorants("", 9),
        "one node": majorants("one node", 5),
        "last node": majorants("last node", 1),
        "denormal": majorants("denormal", 2),
    },
}
CASES["surf_distance"] |= {
    **{f"{scene.__name__} first": _of(scene, "surf_distance", " first") for scene in (plain, walls_cut, hot, deep)},
    "noise": values("surf_distance", "noise"),
    "noise first": values("surf_distance", "noise", " first"),
    "zeros": values("surf_distance", "zeros"),
}
CASES["surf_smooth"] |= {"noise": values("surf_smooth", "noise"), "zeros": values("surf_smooth", "zeros")}
