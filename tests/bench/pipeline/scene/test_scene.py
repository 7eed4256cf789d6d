"""Scenes: counts, places, determinism, camera, estimates."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.protocol import Direct
from bench.base.errors import UserError
from bench.pipeline.scene import needs, particles, terrain
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.scene.estimate import estimate, probe
from bench.pipeline.scene.look import GLOW_HIGH_K, GLOW_LOW_K, glow_lut
from bench.shot.load import load_shot, parse_shot, shot_names
from kernels.base import constants as k
from tests.reference import blackbody
from tests.reference.scene.terrain import HeightField
from tests.support.source_tree import ROOT

POOL = ROOT / "tests" / "fixtures" / "pool.toml"
ORDER = {"S": 1.0e5, "M": 1.0e6, "L": 1.6e7, "XL": 1.3e8}
ALL = [*shot_names(), str(POOL)]


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {name: build_scene(load_shot(name), "S") for name in ALL}


def digest(scene: Scene) -> str:
    """SHA-256 of all arrays of a scene."""
    sha = hashlib.sha256()
    for name in sorted(vars(scene)):
        value = getattr(scene, name)
        if isinstance(value, np.ndarray):
            sha.update(name.encode() + str(value.dtype).encode() + str(value.shape).encode() + value.tobytes())
    sha.update(scene.effects.effect_params.tobytes())
    for frame in (1, 2, 17, scene.frame_count):
        sha.update(scene.camera(frame).tobytes())
    return sha.hexdigest()


@pytest.mark.parametrize("name", ALL)
def test_layout(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]
    n = scene.initial_count
    assert scene.position.shape == (n, 4) and scene.velocity.shape == (n, 12)
    assert scene.temperature.shape == ((n,) if scene.has_heat else (1,))
    assert scene.material.shape == (k.MATERIAL_WORDS,) and scene.force.shape == (k.FORCE_WORDS,)
    assert scene.sky.shape == (k.SKY_WORDS,) and scene.look.shape == (k.LOOK_WORDS,)
    assert scene.walls.dtype == np.int32 and scene.walls.shape == (k.WALLS_WORDS,)
    assert scene.colliders.shape[0] >= 1 and scene.colliders.shape[1] == k.COLLIDER_WORDS
    for array in (scene.position, scene.velocity, scene.temperature, scene.terrain, scene.sky, scene.look):
        assert array.dtype == np.float32 and array.flags.c_contiguous and np.isfinite(array).all()
    assert all(cells % 4 == 0 for cells in scene.cells)
    assert scene.particle_capacity >= n
    assert scene.frame_dt_s * scene.frame_rate == 1.0


@pytest.mark.parametrize("name", ALL)
def test_particles_are_inside_the_domain_and_above_ground(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]
    cell = scene.cell_size_m
    low, high = 4.0 * cell, (np.array(scene.cells) - 4) * cell
    xyz = scene.position[:, 0:3].astype(np.float64)
    assert (xyz > low).all() and (xyz < high).all()
    if scene.terrain_geometry[3] > 0.0:
        x, y, spacing = (float(v) for v in scene.terrain_geometry[:3])
        field = HeightField(scene.terrain, (x, y), spacing)
        assert (xyz[:, 2] - field.at(xyz[:, 0], xyz[:, 1])).min() > 0.0
    j = scene.position[:, 3]
    assert j.min() > 0.95 and j.max() <= 1.0


@pytest.mark.parametrize("name", ALL)
def test_eight_particles_a_cell(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]
    cell = np.floor(scene.position[:, 0:3] / scene.cell_size_m).astype(np.int64)
    key = (cell[:, 0] << 40) | (cell[:, 1] << 20) | cell[:, 2]
    counts = np.unique(key, return_counts=True)[1]
    assert np.median(counts) == 8 and counts.max() <= 8
    assert scene.material[k.MATERIAL_PARTICLE_VOLUME] == np.float32(scene.cell_size_m**3 / 8.0)


@pytest.mark.parametrize("name", ALL)
def test_speeds_are_within_the_design(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]
    v = scene.velocity[:, 0:3].astype(np.float64)
    fastest = float(np.sqrt((v * v).sum(axis=1)).max())
    assert 0.5 < fastest < scene.speed_limit_m_per_s  # in mid-action, and not beyond the design speed
    assert scene.sound_speed_m_per_s >= 8.0 * scene.speed_limit_m_per_s
    bulk = float(scene.material[k.MATERIAL_BULK_MODULUS])
    density = float(scene.material[k.MATERIAL_DENSITY])
    assert np.sqrt(7.0 * bulk / density) == pytest.approx(scene.sound_speed_m_per_s, rel=1e-6)


@pytest.mark.parametrize("name", shot_names())
def test_sizes_have_their_order_of_particles(name: str) -> None:
    shot = load_shot(name)
    found = probe(shot)
    for size, order in ORDER.items():
        assert 0.5 * order <= estimate(shot, size, found).particle_capacity <= 2.0 * order


@pytest.mark.parametrize("name", ALL)
def test_estimate_is_what_is_built(scenes: dict[str, Scene], name: str) -> None:
    shot, scene = load_shot(name), scenes[name]
    stated = estimate(shot, "S")
    assert stated.particle_count == scene.initial_count
    assert stated.particle_capacity == pytest.approx(scene.particle_capacity, rel=0.01)
    assert stated.substeps_per_frame > 1
    assert stated.sample_count == scene.picture.width * scene.picture.height * scene.picture.samples
    sizes = [estimate(shot, size) for size in shot.sizes]
    assert all(a.memory_bytes["numba"] < b.memory_bytes["numba"] for a, b in pairwise(sizes))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_estimate_of_the_next_size(name: str) -> None:
    shot = load_shot(name)
    stated, scene = estimate(shot, "M"), build_scene(shot, "M")
    assert stated.particle_count == pytest.approx(scene.initial_count, rel=0.1)
    assert stated.active_block_count == pytest.approx(needs.block_count(scene), rel=0.2)


class Ledger:
    """A back-end that only adds up what is asked of it."""

    name, threads, is_gpu, observer = "ledger", 2, False, None

    def __init__(self) -> None:
        self.total_bytes = 0

    def zeros(self, shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
        made = np.zeros(shape, dtype)
        self.total_bytes += made.nbytes
        return made

    def array(self, values: np.ndarray) -> np.ndarray:
        self.total_bytes += values.nbytes
        return values

    def host(self, array: np.ndarray) -> np.ndarray:
        return array

    def fill(self, array: np.ndarray, values: np.ndarray) -> None:
        array[: len(values)] = values

    def recording(self) -> Direct:
        return Direct()


@pytest.mark.parametrize("name", ALL)
def test_memory_is_what_is_allocated(scenes: dict[str, Scene], name: str) -> None:
    """Simulation and renderer at their start; the bricks, which come later, are the part that is only estimated."""
    from bench.pipeline.render import Renderer
    from bench.pipeline.simulate import Simulation

    ledger: Any = Ledger()
    Simulation(scenes[name], ledger), Renderer(scenes[name], ledger)
    stated = estimate(load_shot(name), "S").memory_bytes["numba"]
    assert 0.95 * ledger.total_bytes < stated < 2.0 * ledger.total_bytes


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("threads", [2, 5, None])
def test_bytes_of_a_simulation_are_what_it_allocates(
    scenes: dict[str, Scene], name: str, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.pipeline.simulate import Simulation

    monkeypatch.setattr(Ledger, "threads", threads)
    monkeypatch.setattr(Ledger, "is_gpu", threads is None)
    ledger: Any = Ledger()
    Simulation(scenes[name], ledger)
    assert needs.simulation_bytes(scenes[name], threads) == pytest.approx(ledger.total_bytes, rel=2e-3)


@pytest.mark.parametrize("name", ALL)
def test_bytes_of_a_picture_are_what_it_allocates(scenes: dict[str, Scene], name: str) -> None:
    """Before there are bricks and pixel sums: they are made room for picture by picture."""
    from bench.pipeline.render import Renderer

    scene, ledger = scenes[name], Ledger()
    Renderer(scene, ledger)  # type: ignore[arg-type]
    room = needs.Room(scene.particle_capacity, scene.effects.effect_capacity, 0.0, scene.has_heat)
    brick_cells = k.BRICK_EDGE * scene.picture.voxel_size_m / scene.cell_size_m
    pixels = scene.picture.width * scene.picture.height
    stated = needs.picture_bytes(room, needs.PictureRoom(math.prod(scene.cells), brick_cells, 0.0, pixels))
    stated += 2 * scene.terrain.nbytes  # one is the simulation's
    held = ledger.total_bytes + 4 * k.PIXEL_WORDS * pixels
    assert stated == pytest.approx(held, rel=0.03)
    # A brick more: the values of 9^3 nodes, twice
    more = needs.picture_bytes(room, needs.PictureRoom(math.prod(scene.cells), brick_cells, 1.0, pixels))
    assert more + 2 * scene.terrain.nbytes - stated == 2 * 729 * 2 * 4


@pytest.mark.parametrize("name", ALL)
def test_bytes_on_the_host_are_a_scene_s_and_a_kept_state_s(scenes: dict[str, Scene], name: str) -> None:
    from bench.pipeline.simulate import Simulation

    scene, ledger = scenes[name], Ledger()
    simulation = Simulation(scene, ledger)  # type: ignore[arg-type]
    heat = scene.temperature.nbytes if scene.has_heat else 0
    built = needs.BUILDING * (scene.position.nbytes + scene.velocity.nbytes + heat)
    # Every particle that an emitter adds, and every effects particle, once they are there
    arrays = simulation._state.arrays
    kept = sum(arrays[name].nbytes for name in simulation._state.kept_names if name not in ("peak", "counts", "step"))
    room = needs.Room(scene.particle_capacity, scene.effects.effect_capacity, 0.0, scene.has_heat)
    assert needs.host_bytes(room, scene.initial_count) == pytest.approx(built + kept, rel=1e-6)
    stated = estimate(load_shot(name), "S")
    assert stated.host_bytes["cupy"] == pytest.approx(built + kept, rel=0.01)
    assert stated.host_bytes["numba"] == stated.memory_bytes["numba"] + stated.host_bytes["cupy"]


@pytest.mark.parametrize("name", ALL)
def test_steps_and_blocks_are_the_simulation_s(scenes: dict[str, Scene], name: str) -> None:
    scene, stated = scenes[name], estimate(load_shot(name), "S")
    found = needs.scene_steps(scene, scene.speed_limit_m_per_s)
    assert (stated.substeps_per_frame, stated.sound_steps_per_substep) == (found.substeps, found.sound_steps)
    assert stated.active_block_count == pytest.approx(needs.block_count(scene), rel=0.01)


def test_memory_on_a_large_card() -> None:
    for name in shot_names():
        shot = load_shot(name)
        found = probe(shot)
        assert estimate(shot, "L", found).memory_bytes["cupy"] < 11e9
        assert estimate(shot, "XL", found).memory_bytes["cupy"] < 130e9
        assert estimate(shot, "XL", found).host_bytes["cupy"] < 32e9, "on a host of 64 GB"


@pytest.mark.parametrize("name", ALL)
def test_chunks_do_not_show(scenes: dict[str, Scene], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(particles, "CHUNK_POINTS", 20_000)
    monkeypatch.setattr(terrain, "CHUNK_POINTS", 5_000)
    assert digest(build_scene(load_shot(name), "S")) == digest(scenes[name])


@pytest.mark.parametrize("processor", ["", pytest.param("generic", marks=pytest.mark.slow)])
def test_another_process_thread_count_and_processor_give_the_same_bits(
    scenes: dict[str, Scene], processor: str
) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.bench.pipeline.scene.test_scene import ALL, build_scene, digest, load_shot\n"
        "for name in ALL: print(digest(build_scene(load_shot(name), 'S')))"
    )
    env = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    env["NPY_DISABLE_CPU_FEATURES"] = "AVX512F AVX512_SKX"  # other code paths of numpy, where it has them
    if processor:  # without vectors of more than two numbers, and without fused multiply-adds
        env["NUMBA_CPU_NAME"] = processor
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(ROOT)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [digest(scenes[name]) for name in ALL]


def test_the_seed_changes_the_particles() -> None:
    shot = load_shot(POOL)
    a, b = build_scene(shot, "S", seed=0), build_scene(shot, "S", seed=1)
    assert digest(a) != digest(b)
    assert a.initial_count == pytest.approx(b.initial_count, rel=0.05)


@pytest.mark.parametrize("name", ALL)
def test_camera_is_orthogonal(scenes: dict[str, Scene], name: str) -> None:
    scene = scenes[name]
    for frame in range(1, scene.frame_count + 1):
        c = scene.camera(frame).astype(np.float64)
        assert c.shape == (k.CAMERA_WORDS,)
        f, r, u = (c[o : o + 3] for o in (k.CAMERA_FORWARD, k.CAMERA_RIGHT, k.CAMERA_UP))
        assert np.linalg.norm(f) == pytest.approx(1.0, abs=1e-6)
        assert abs(f @ r) < 1e-6 and abs(f @ u) < 1e-6 and abs(r @ u) < 1e-6
        assert np.cross(r, f) @ u > 0.0 or np.cross(f, r) @ u < 0.0
        assert np.linalg.norm(u) / np.linalg.norm(r) == pytest.approx(
            scene.picture.height / scene.picture.width, rel=1e-5
        )
        # The camera is in the air: above ground and outside colliders
        if scene.terrain_geometry[3] > 0.0:
            x, y, spacing = (float(v) for v in scene.terrain_geometry[:3])
            ground = HeightField(scene.terrain, (x, y), spacing).at(c[0:1], c[1:2])[0]
            assert c[2] > ground + 0.1


def test_camera_keys() -> None:
    scene = build_scene(load_shot(POOL), "S")
    offset = 4.0 * scene.cell_size_m
    first, middle, last = (scene.camera(f)[0:3].astype(np.float64) - offset for f in (1, 6, 12))
    assert first == pytest.approx([5.5, -1.5, 1.6], abs=1e-5)
    assert last == pytest.approx([5.0, -1.0, 1.8], abs=1e-5)
    assert middle == pytest.approx(first + (last - first) * 5.0 / 11.0, abs=1e-5)
    assert scene.camera(0)[0:3] == pytest.approx(scene.camera(1)[0:3])
    assert scene.camera(99)[0:3] == pytest.approx(scene.camera(12)[0:3])
    half_width = np.linalg.norm(scene.camera(1)[k.CAMERA_RIGHT : k.CAMERA_RIGHT + 3])
    assert half_width == pytest.approx(0.5 * 24.0 / 24.0, rel=1e-5)


def test_everything_is_moved_into_the_grid() -> None:
    scene = build_scene(load_shot(POOL), "S")
    offset = 4.0 * scene.cell_size_m
    assert scene.colliders[0, k.COLLIDER_KIND] == k.COLLIDER_CYLINDER
    assert scene.colliders[0, k.COLLIDER_A] == pytest.approx(1.8 + offset)
    assert scene.colliders[1, k.COLLIDER_B] == pytest.approx(0.2)
    assert scene.emitters[0].centre[2] == pytest.approx(1.6 + offset)
    assert np.linalg.norm(scene.emitters[0].direction) == pytest.approx(1.0)
    assert scene.terrain_geometry[0] == pytest.approx(-2.0 + offset)
    assert scene.terrain_geometry[3] == 1 + k.BOUNDARY_SEPARATE
    tornado = build_scene(load_shot("tornado"), "S")
    offset = 4.0 * tornado.cell_size_m
    assert tornado.force[k.VORTEX_X] == pytest.approx(4.0 + offset)
    assert tornado.look[k.LOOK_PLANE_Z] == pytest.approx(0.8 + offset)


def test_no_particle_is_in_a_collider() -> None:
    scene = build_scene(load_shot(POOL), "S")
    offset = 4.0 * scene.cell_size_m
    p = scene.position[:, 0:3].astype(np.float64) - offset
    assert np.linalg.norm(p - [0.5, 1.0, 0.2], axis=1).min() > 0.25


def test_rest_pressure_carries_the_water() -> None:
    scene = build_scene(load_shot(POOL), "S")
    offset = 4.0 * scene.cell_size_m
    p = scene.position.astype(np.float64)
    box = p[p[:, 0] < 1.0 + offset]
    density, bulk = (float(scene.material[s]) for s in (k.MATERIAL_DENSITY, k.MATERIAL_BULK_MODULUS))
    pressure = bulk * (box[:, 3] ** -7.0 - 1.0)
    depth = 1.0 + offset - box[:, 2]
    assert np.abs(pressure - density * 9.81 * depth).max() < 0.01 * density * 9.81


def test_black_body_table() -> None:
    stored, made = glow_lut(), blackbody.table()
    assert stored.shape == (k.GLOW_LUT_SIZE, 3) and stored.dtype == np.float32
    assert np.allclose(stored, made[:, 1:], rtol=1e-6, atol=0.0)
    assert (made[0, 0], made[-1, 0]) == (GLOW_LOW_K, GLOW_HIGH_K)
    luminance = stored.astype(np.float64) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0.0).all()
    assert np.interp(1400.0, made[:, 0], luminance) == pytest.approx(1.0, rel=0.06)
    assert (stored[:, 0] >= stored[:, 1]).all() and (stored[:, 1] >= stored[:, 2]).all()


def test_a_shot_without_a_particle_is_refused() -> None:
    text = POOL.read_text(encoding="utf-8").split("[[body]]")
    tail = text[-1].split("[[collider]]", 1)[1]
    body = '[[body]]\nkind = "sphere"\ncentre_m = [90.0, 0.0, 0.0]\nradius_m = 0.5\n\n[[collider]]'
    shot = load_shot(POOL)
    file = parse_shot(text[0] + body + tail, "f.toml")
    with pytest.raises(UserError, match=r"f\.toml: body: expected bodies that hold liquid"):
        build_scene(type(shot)(path="f.toml", file=file), "S")
