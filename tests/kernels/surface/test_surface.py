"""From particles to picture grids: bins, level set, fog; exact, watertight, and where the liquid is."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from kernels.base import constants as k
from kernels.fog import fog_bricks, fog_field, fog_majorant
from kernels.surface import (
    surf_box,
    surf_bricks,
    surf_count,
    surf_distance,
    surf_field,
    surf_number,
    surf_place,
    surf_scan,
    surf_smooth,
    surf_sort,
)
from tests.reference import surface as plain
from tests.support.bricks import bricks_from_dense, dense_from_bricks

F32 = np.float32
CELL = F32(0.125)
SPACING = CELL / F32(2)
MODULES = (
    surf_count, surf_scan, surf_place, surf_sort, surf_bricks, surf_number, surf_field, surf_distance, surf_smooth,
    surf_box, fog_bricks, fog_field, fog_majorant,
)  # fmt: skip
OPEN = (k.WALL_OPEN,) * 6


def lattice(low, high, rng, jitter=0.25):
    """Particles at 8 per cell between two corners, each moved by up to ``jitter`` spacings."""
    spacing = float(SPACING)
    axes = [np.arange(a + spacing / 2, b, spacing) for a, b in zip(low, high)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return points + rng.uniform(-jitter, jitter, points.shape) * spacing


def bins(points, cells, temperature=None, kinds=0, kind=None, radius=1.0):
    """(start, binned, binned heat) of points float64[n, 3]."""
    number = len(points)
    position = np.full((max(1, number), 4), radius, F32)
    position[:number, :3] = points
    counts = np.zeros(k.COUNT_WORDS, np.int32)
    counts[k.COUNT_PARTICLES] = number
    heat = np.zeros(1, F32) if temperature is None else temperature
    kind = np.zeros(1, np.int32) if kind is None else kind
    start, order = np.full(int(np.prod(cells)) + 1, 7, np.int32), np.zeros(len(position), np.int32)
    binned, binned_heat = np.zeros_like(position), np.zeros(len(position), F32)
    select = (counts, k.COUNT_PARTICLES, kinds, *cells, CELL, position, kind)
    surf_count.cpu(*select, start)
    surf_scan.cpu(start)
    surf_place.cpu(*select, start, order)
    surf_sort.cpu(kinds, *cells, CELL, position, kind, heat, start, order, binned, binned_heat)
    return start, binned, binned_heat


class Made:
    """A level set made of points, stage by stage."""

    def __init__(self, points, cells, walls=OPEN, temperature=None, foam=None, terrain=None, voxel=SPACING, low=0.5):
        low, high = np.full(3, low), np.array(cells) * float(CELL) - low
        self.picture = surf_bricks.picture_parameters(CELL, SPACING, voxel, CELL, low, high, temperature is not None)
        self.grid = surf_bricks.picture_grid(cells, self.picture)
        self.cells, self.walls = cells, np.array(walls, np.int32)
        self.start, self.binned, self.heat = bins(points, cells, temperature)
        foam_start, foam_binned, _ = bins(np.zeros((0, 3)) if foam is None else foam, cells, radius=float(SPACING) / 2)
        entries = int(np.prod(self.grid[:3]))
        self.counts = np.zeros(k.COUNT_WORDS, np.int32)
        self.build, self.table = np.zeros(entries, np.int32), np.zeros(entries, np.int32)
        self.entry = np.zeros(entries, np.int32)
        geometry, heights = (np.zeros(4, F32), np.zeros((2, 2), F32)) if terrain is None else terrain
        shared = (self.grid, self.walls, self.picture)
        surf_bricks.cpu(*cells, *shared, self.start, self.build)
        surf_number.cpu(
            k.COUNT_SURFACE_BRICKS, k.ERROR_SURFACE_CAPACITY, self.counts, self.build, self.table, self.entry
        )
        self.field, self.distance, self.smooth, self.value = (
            np.zeros((max(1, self.bricks), k.BRICK_NODES, k.SURFACE_CHANNELS), F32) for _ in range(4)
        )
        surf_field.cpu(
            self.counts, *cells, *shared, geometry, heights, self.entry, self.start, self.binned, self.heat,
            foam_start, foam_binned, self.field,
        )  # fmt: skip
        self.outside = F32(self.picture[k.PICTURE_REACH] - self.picture[k.PICTURE_RADIUS])
        self.inside = F32(-self.picture[k.PICTURE_RADIUS])
        self.band = F32(3) * self.picture[k.PICTURE_VOXEL]
        arrays = (*shared, self.build, self.entry)
        surf_distance.cpu(self.counts, 0, self.outside, self.inside, *arrays, self.field, self.distance, self.table)
        surf_smooth.cpu(self.counts, self.grid, self.picture, self.build, self.entry, self.distance, self.smooth)
        surf_distance.cpu(self.counts, 1, self.band, -self.band, *arrays, self.smooth, self.value, self.table)

    @property
    def bricks(self):
        return int(self.counts[k.COUNT_SURFACE_BRICKS])

    def dense(self, value=None):
        """Distance at every node, the thinned table's for the final value."""
        if value is None:
            return dense_from_bricks(self.grid, self.table, self.value, self.band, -self.band)
        return dense_from_bricks(self.grid, self.build, value, self.band, -self.band)

    def nodes(self):
        shape = [8 * int(n) + 1 for n in self.grid[:3]]
        return np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1) * float(
            self.picture[k.PICTURE_VOXEL]
        )


def ball(radius, rng, cells=(24, 24, 24)):
    centre = np.array(cells) * float(CELL) / 2
    points = lattice(np.zeros(3), np.array(cells) * float(CELL), rng)
    return points[np.linalg.norm(points - centre, axis=1) < radius], centre


def assert_aprons_equal(grid, table, value):
    """Nodes that several bricks hold have equal bits in all of them."""
    gx, gy, gz = (int(n) for n in grid[:3])
    bits = value.view(np.int32).reshape(len(value), 9, 9, 9, 2)
    faces = 0
    for entry, (i, j, kk) in enumerate(np.ndindex(gx, gy, gz)):
        for axis, (di, dj, dk) in enumerate(np.eye(3, dtype=int)):
            if i + di >= gx or j + dj >= gy or kk + dk >= gz:
                continue
            one, two = table[entry], table[((i + di) * gy + j + dj) * gz + kk + dk]
            if one >= 0 and two >= 0:
                assert np.array_equal(np.take(bits[one], 8, axis), np.take(bits[two], 0, axis))
                faces += 1
    assert faces


@pytest.mark.parametrize("module", MODULES)
def test_threads_do_not_change_a_bit(module):
    results = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        arguments = module.KERNEL.example(np.random.default_rng(3), 4000)
        assert tuple(arguments) == module.KERNEL.argument_names
        module.cpu(*arguments.values())
        results.append({name: arguments[name].tobytes() for name in module.KERNEL.output_names})
        traffic = module.KERNEL.traffic(**arguments)
        assert traffic.items > 0 and traffic.bytes_read > 0 and traffic.bytes_written >= 0
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    # The order that surf_place leaves within a cell is surf_sort's to put right
    if module is surf_place:
        results = [result["start_inout"] for result in results]
    assert results[0] == results[1]


def test_bins_are_a_stable_sort_by_cell():
    rng = np.random.default_rng(1)
    points = rng.uniform(0.0, 1.0, (5000, 3)) ** 3  # thousands in one cell, none in others
    kind = rng.integers(0, 4, 5000).astype(np.int32)
    temperature = rng.uniform(500, 1500, 5000).astype(F32)
    cells = (8, 8, 8)
    kinds = (1 << k.EFFECT_SPRAY) | (1 << k.EFFECT_EMBER)
    start, binned, heat = bins(points, cells, temperature, kinds, kind)
    cell = np.floor(points.astype(F32) * (F32(1) / CELL)).astype(int)
    key = (cell[:, 0] * 8 + cell[:, 1]) * 8 + cell[:, 2]
    chosen = np.flatnonzero((kind == k.EFFECT_SPRAY) | (kind == k.EFFECT_EMBER))
    order = chosen[np.argsort(key[chosen], kind="stable")]
    assert np.array_equal(binned[: len(order), :3], points.astype(F32)[order])
    assert np.array_equal(heat[: len(order)], np.where(kind == k.EFFECT_EMBER, temperature, F32(0))[order])
    assert np.array_equal(np.diff(start), np.bincount(key[chosen], minlength=512))


def test_bins_take_what_lies_outside_or_is_no_number():
    points = np.array([[-1.0, 0.1, 0.1], [99.0, 0.1, 0.1], [np.nan, 0.1, 0.1]])
    start, _, _ = bins(points, (4, 4, 4))
    assert start[-1] == 3 and start[1] == 2


@pytest.mark.parametrize("heat", [False, True])
def test_equals_the_plain_reading(heat):
    rng = np.random.default_rng(2)
    cells = (12, 12, 12)
    points, _ = ball(0.4, rng, cells)
    points = np.concatenate([points, rng.uniform(0.1, 1.4, (60, 3))])
    temperature = rng.uniform(800, 1400, len(points)).astype(F32) if heat else None
    made = Made(points, cells, temperature=temperature)
    full = plain.full_around(cells, made.start, int(made.picture[k.PICTURE_FULL]))
    shape = tuple(8 * int(n) + 1 for n in made.grid[:3])
    expected = plain.field(shape, made.picture, full, made.binned[: len(points)], made.heat)
    got = dense_from_bricks(made.grid, made.build, made.field, made.outside, made.inside)
    assert np.array_equal(expected[..., 0], got[..., 0])
    if heat:
        near = got[..., 1] > 0
        assert near.any() and np.array_equal(expected[..., 1][near], got[..., 1][near])
    # Smoothing a dense grid gives what smoothing bricks gives
    dense = made.dense(made.distance)[..., 0]
    expected = plain.smooth(np.pad(dense, 8, constant_values=made.band), made.picture[k.PICTURE_MARGIN])
    expected = expected[8:-8, 8:-8, 8:-8]
    smooth = made.dense(made.smooth)[..., 0]
    held = dense_from_bricks(made.grid, made.build, np.ones_like(made.smooth))[..., 0] == 1
    assert np.array_equal(expected[held], smooth[held])


def test_aprons_are_equal_and_bricks_enclosed():
    rng = np.random.default_rng(4)
    cells = (40, 40, 40)
    points, _ = ball(2.2, rng, cells)
    foam = rng.uniform(1.0, 4.0, (500, 3))
    made = Made(points, cells, foam=foam)
    for value in (made.field, made.distance, made.smooth, made.value):
        assert_aprons_equal(made.grid, made.build, value)
    assert (made.table == k.BRICK_INSIDE).sum() > 20
    # No inside brick touches air, not even at a corner, before or after thinning
    for table in (made.build, made.table):
        solid = np.pad(table.reshape(made.grid[:3]), 1, constant_values=k.BRICK_OUTSIDE)
        for i, j, kk in np.argwhere(solid == k.BRICK_INSIDE):
            around = solid[i - 1 : i + 2, j - 1 : j + 2, kk - 1 : kk + 2]
            assert (around != k.BRICK_OUTSIDE).all()
    # The liquid's side of every face to an inside brick is liquid
    sign = made.dense()[..., 0]
    for i, j, kk in np.argwhere(made.table.reshape(made.grid[:3]) == k.BRICK_INSIDE):
        assert (sign[8 * i : 8 * i + 9, 8 * j : 8 * j + 9, 8 * kk : 8 * kk + 9] < 0).all()


def test_ball_of_particles_is_a_ball():
    points, centre = ball(1.0, np.random.default_rng(5))
    made = Made(points, (24, 24, 24))
    voxel = float(made.picture[k.PICTURE_VOXEL])
    phi = made.dense()[..., 0].astype(float)
    exact = np.linalg.norm(made.nodes() - centre, axis=-1) - 1.0
    near = np.abs(exact) < voxel
    error = (phi - exact)[near] / voxel
    assert abs(error.mean()) < 0.15 and error.std() < 0.1 and np.abs(error).max() < 0.5
    # Distances hold through the band, and the volume is the particles'
    far = (np.abs(exact) < 1.5 * voxel) & ~near
    assert np.abs((phi - exact)[far]).max() < 0.6 * voxel
    volume = np.clip(0.5 - phi / voxel, 0, 1).sum() * voxel**3
    assert volume == pytest.approx(len(points) * float(SPACING) ** 3, rel=0.05)


def test_flat_pool_is_flat_and_meets_walls_at_a_right_angle():
    rng = np.random.default_rng(6)
    cells, height = (20, 20, 20), 1.25
    points = lattice(np.full(3, 0.5), np.array([2.0, 2.0, height]), rng)
    made = Made(points, cells, walls=(k.WALL_CONTINUE,) * 5 + (k.WALL_OPEN,))
    voxel = float(made.picture[k.PICTURE_VOXEL])
    phi = made.dense()[..., 0]
    # From wall to wall and beyond
    columns = phi[6:-6, 6:-6].reshape(-1, phi.shape[2]).astype(float)
    first = np.argmax(columns > 0, axis=1)
    rows = np.arange(len(columns))
    low, high = columns[rows, first - 1], columns[rows, first]
    surface = (first - 1 + low / (low - high)) * voxel
    assert abs(surface.mean() - height) < 0.1 * voxel and surface.std() < 0.1 * voxel
    assert np.abs(surface - height).max() < 0.4 * voxel
    # Liquid goes on under the floor
    assert (phi[20:-20, 20:-20, 6:12] < 0).all()


def test_cut_wall_closes_flush():
    points = lattice(np.full(3, 0.5), np.array([2.0, 2.0, 1.25]), np.random.default_rng(7))
    made = Made(points, (20, 20, 20), walls=(k.WALL_CUT,) * 4 + (k.WALL_CONTINUE, k.WALL_OPEN))
    phi = made.dense()[..., 0].astype(float)
    x = made.nodes()[..., 0]
    deep = (slice(None), slice(14, -14), slice(12, 16))
    expected = np.maximum(0.5 - x, x - 2.0)[deep]
    near = np.abs(expected) < 0.12
    assert np.abs(phi[deep] - expected)[near].max() < 1e-5


def test_lone_particle_and_thin_sheet_survive():
    rng = np.random.default_rng(8)
    made = Made(np.array([[1.0, 1.0, 1.0]]), (16, 16, 16))
    phi = made.dense()[..., 0]
    assert (phi < 0).any() and (phi[0] > 0).all()
    sheet = lattice(np.array([0.3, 0.3, 0.9]), np.array([1.7, 1.7, 0.9 + float(SPACING)]), rng, 0.1)
    made = Made(sheet, (16, 16, 16))
    middle = made.dense()[10:-10, 10:-10, :, 0]
    assert (middle.min(axis=2) < 0).all()


@pytest.mark.parametrize("cells", [(8, 8, 8), (4, 12, 8)])
def test_nothing_gives_nothing(cells):
    made = Made(np.zeros((0, 3)), cells)
    assert made.bricks == 0 and (made.table == k.BRICK_OUTSIDE).all()


def test_terrain_leaves_no_gap():
    rng = np.random.default_rng(9)
    ground = 0.8
    points = lattice(np.array([0.5, 0.5, ground]), np.array([2.0, 2.0, 1.4]), rng)
    terrain = (np.array([0.0, 0.0, 1.0, 1.0], F32), np.full((4, 4), ground, F32))
    made = Made(points, (20, 20, 20), walls=(k.WALL_CONTINUE,) * 4 + (k.WALL_OPEN,) * 2, terrain=terrain)
    phi = made.dense()[..., 0]
    voxel = float(made.picture[k.PICTURE_VOXEL])
    level = int(ground / voxel)
    assert (phi[14:-14, 14:-14, level - 1 : level + 4] < 0).all()


def test_second_channel_is_temperature_or_foam():
    points, centre = ball(0.8, np.random.default_rng(10))
    made = Made(points, (24, 24, 24), temperature=(1000 + 100 * points[:, 0]).astype(F32))
    dense = made.dense()
    near = np.abs(dense[..., 0]) < 0.5 * float(SPACING)
    expected = 1000 + 100 * made.nodes()[..., 0]
    assert np.abs(dense[..., 1] - expected)[near].max() < 10
    # Foam spread over a plane through the centre, one particle of half a spacing per spacing squared
    plane = lattice(centre - 0.5, centre + 0.5, np.random.default_rng(0), 0.0)
    plane = plane[np.abs(plane[:, 2] - centre[2]) < 0.6 * float(SPACING)]
    made = Made(points, (24, 24, 24), foam=plane)
    foam = made.field[..., 1]
    assert foam.min() == 0 and 0.3 < foam.max() <= 1


def test_too_many_bricks_are_an_error():
    classes = np.zeros(10, np.int32)
    table, entry, counts = np.zeros(10, np.int32), np.zeros(4, np.int32), np.zeros(k.COUNT_WORDS, np.int32)
    surf_number.cpu(k.COUNT_SURFACE_BRICKS, k.ERROR_SURFACE_CAPACITY, counts, classes, table, entry)
    assert counts[k.COUNT_ERROR] == k.ERROR_SURFACE_CAPACITY and counts[k.COUNT_SURFACE_BRICKS] == 4
    assert list(table) == [0, 1, 2, 3] + [k.BRICK_OUTSIDE] * 6
    assert counts[k.COUNT_BRICKS_NEEDED] == 10
    # With room for all of them the error is gone, and others stay
    classes, entry = np.zeros(10, np.int32), np.zeros(10, np.int32)
    counts[k.COUNT_ERROR] |= k.ERROR_FOG_CAPACITY
    surf_number.cpu(k.COUNT_SURFACE_BRICKS, k.ERROR_SURFACE_CAPACITY, counts, classes, table, entry)
    assert counts[k.COUNT_ERROR] == k.ERROR_FOG_CAPACITY and counts[k.COUNT_SURFACE_BRICKS] == 10


@pytest.mark.parametrize("used", [[], [(0, 0, 0)], [(3, 4, 5)], [(1, 3, 2), (2, 0, 4)]])
def test_box_holds_the_bricks_in_use(used):
    table = np.full((4, 5, 6), k.BRICK_OUTSIDE, np.int32)
    for at in used:
        table[at] = k.BRICK_INSIDE
    box = np.ones(6, np.int32)
    surf_box.cpu(*table.shape, table.reshape(-1), box)
    assert np.array_equal(box, plain.box(table))


def test_fog_keeps_its_cross_section_and_equals_the_plain_reading():
    arguments = fog_field.KERNEL.example(np.random.default_rng(11), 1500)
    fog_field.cpu(*arguments.values())
    value, binned = arguments["value_out"], arguments["binned_in"]
    bricks = int(arguments["counts_in"][k.COUNT_FOG_BRICKS])
    grid, picture = arguments["grid_in"][3:], arguments["picture_in"]
    table = np.full(int(np.prod(grid)), k.BRICK_OUTSIDE, np.int32)
    table[arguments["entry_in"][:bricks]] = np.arange(bricks)
    assert_aprons_equal(grid, table, value)
    dense = dense_from_bricks(grid, table, value)
    expected = plain.fog(dense.shape[:3], picture, binned, arguments["binned_heat_in"])
    assert np.array_equal(expected, dense)
    voxel = float(picture[k.PICTURE_FOG_VOXEL])
    section = np.pi * (binned[:, 3].astype(float) ** 2).sum()
    assert dense[..., 0].astype(float).sum() * voxel**3 == pytest.approx(section, rel=0.02)
    glow = dense[..., 1][dense[..., 1] > 0]
    assert glow.min() >= 900 * 0.999 and glow.max() <= 1400 * 1.001
    majorant = np.zeros(bricks, F32)
    fog_majorant.cpu(arguments["counts_in"], k.COUNT_FOG_BRICKS, value, majorant)
    assert np.array_equal(majorant, value[:bricks, :, 0].max(axis=1))


def test_dense_and_bricks_are_two_ways_to_write_the_same():
    rng = np.random.default_rng(12)
    dense = np.clip(rng.normal(0, 1, (17, 9, 25)), -0.3, 0.3).astype(F32)
    grid, table, value = bricks_from_dense(dense, 0.1)
    assert np.array_equal(dense_from_bricks(grid, table, value, F32(0.3), F32(-0.3))[..., 0], dense)
