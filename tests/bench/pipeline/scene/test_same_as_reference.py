"""Scenes that are built by compiled loops have, bit for bit, what NumPy makes of the same file array by array."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from bench.base.errors import UserError
from bench.pipeline.scene import needs, particles
from bench.pipeline.scene.build import build_scene
from bench.shot import schema, shapes
from bench.shot.load import Shot, load_shot, shot_names
from tests.reference.scene import build as reference
from tests.support.source_tree import ROOT

POOL = str(ROOT / "tests" / "fixtures" / "pool.toml")
DOMAIN = (2.4, 1.8, 1.5)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, width=64) | st.sampled_from([low, high, 0.5 * (low + high)])


X, Y, Z = (numbers(-0.3, side + 0.3) for side in DOMAIN)
POINT = st.tuples(X, Y, Z)
PLACE = st.tuples(X, Y)
SPEED = numbers(-3.0, 3.0)
VECTOR = st.tuples(SPEED, SPEED, SPEED)
LENGTH = numbers(0.05, 1.0)
SEED = st.integers(0, 2**31 - 1)
WIDTHS = st.lists(st.tuples(X, Y, LENGTH, numbers(0.0, 0.5)), min_size=2, max_size=5).map(tuple)


def rising(start: float, *others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Points whose first number rises, from ``start`` on."""

    def summed(rows: list[tuple[float, ...]]) -> tuple[tuple[float, ...], ...]:
        at, out = start, []
        for step, *rest in rows:
            at += step
            out.append((at, *rest))
        return tuple(out)

    return st.lists(st.tuples(LENGTH, *others), min_size=2, max_size=5).map(summed)


VELOCITIES: dict[str, st.SearchStrategy[Any]] = {
    "constant": st.builds(shapes.ConstantVelocity, velocity_m_per_s=VECTOR),
    "rotation": st.builds(shapes.Rotation, point_m=POINT, axis_rad_per_s=VECTOR, velocity_m_per_s=VECTOR),
    "shear": st.builds(
        shapes.Shear,
        point_m=POINT,
        direction=VECTOR | st.just((0.0, 0.0, 0.0)),
        gradient_per_s=VECTOR,
        velocity_m_per_s=VECTOR,
    ),
    "swirl": st.builds(shapes.Swirl, centre_m=PLACE, core_m=LENGTH, swirl_m_per_s=SPEED, updraft_m_per_s=SPEED),
}
KELVIN = numbers(300.0, 1500.0)
TEMPERATURES: dict[str, st.SearchStrategy[Any]] = {
    "constant": st.builds(shapes.ConstantTemperature, temperature_k=KELVIN),
    "depth": st.builds(shapes.DepthTemperature, surface_k=KELVIN, core_k=KELVIN, skin_m=LENGTH),
    "plates": st.builds(
        shapes.PlatesTemperature,
        core_k=KELVIN,
        plate_k=KELVIN,
        crack_k=KELVIN,
        plate_m=LENGTH,
        crack_m=numbers(0.0, 0.5),
        skin_m=numbers(0.02, 0.5),
        vent_m=POINT,
        vent_reach_m=LENGTH,
        vent_k=KELVIN,
        stretch=numbers(0.2, 3.0),
        seed=SEED,
    ),
}
STATE = {
    "velocity": st.one_of(*VELOCITIES.values()),
    "temperature": st.one_of(*TEMPERATURES.values()),
    "hydrostatic": st.booleans(),
}


def _between(kind: Any, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A kind with a lowest and a highest corner."""
    corners = st.tuples(POINT, st.tuples(LENGTH, LENGTH, LENGTH))
    made = st.tuples(corners, st.fixed_dictionaries(more))
    return made.map(
        lambda found: kind(min_m=found[0][0], max_m=tuple(a + b for a, b in zip(found[0][0], found[0][1])), **found[1])
    )


def bodies(state: dict[str, st.SearchStrategy[Any]]) -> dict[str, st.SearchStrategy[Any]]:
    """Every kind of body, moving and as hot as ``state`` says."""
    profile = rising(-0.2, numbers(0.0, 0.3), numbers(0.4, 0.9))
    return {
        "box": _between(shapes.Box, **state),
        "sphere": st.builds(shapes.Sphere, centre_m=POINT, radius_m=LENGTH, **state),
        "cylinder": st.builds(
            shapes.Cylinder,
            from_m=POINT,
            to_m=POINT.map(lambda p: (p[0], p[1], p[2] + 4.0)),
            radius_m=numbers(0.4, 1.0),
            inner_radius_m=numbers(0.0, 0.3),
            **state,
        ),
        "column": st.builds(
            shapes.Column,
            centre_m=PLACE,
            profile_m=profile,
            sway_m=numbers(0.0, 0.6),
            twist_radians=numbers(-9.0, 9.0),
            rough_m=st.just(0.0) | numbers(0.0, 0.3),
            rough_wavelength_m=LENGTH,
            core_m=LENGTH,
            core_growth=numbers(0.0, 1.0),
            swirl_m_per_s=SPEED,
            updraft_m_per_s=SPEED,
            **state,
        ),
        "sea": st.builds(
            shapes.Sea,
            level_m=Z,
            chop_m=st.just(0.0) | numbers(0.0, 0.3),
            chop_wavelength_m=LENGTH,
            min_m=st.none() | POINT,
            max_m=st.none() | POINT,
            dip_m=st.just(0.0) | numbers(0.0, 0.3),
            dip_radius_m=LENGTH,
            dip_centre_m=PLACE,
            swirl_m_per_s=st.just(0.0) | SPEED,
            **state,
        ),
        "breaking_wave": st.builds(
            shapes.BreakingWave,
            level_m=Z,
            height_m=LENGTH,
            crest_x_m=X,
            front_m=LENGTH,
            back_m=LENGTH,
            lean_m=numbers(0.0, 0.8),
            lean_power=numbers(1.0, 5.0) | st.just(3.0),
            trough_m=st.just(0.0) | numbers(0.0, 0.3),
            wave_speed_m_per_s=numbers(0.0, 5.0),
            lip_speed_m_per_s=numbers(0.0, 5.0),
            vary_height=numbers(0.0, 0.9),
            vary_crest_m=numbers(0.0, 0.5),
            vary_wavelength_m=LENGTH,
            chop_m=st.just(0.0) | numbers(0.0, 0.2),
            chop_wavelength_m=LENGTH,
            **state,
        ),
        "flow": st.builds(
            shapes.Flow,
            path_m=st.lists(st.tuples(X, Y, LENGTH, LENGTH), min_size=2, max_size=5).map(tuple),
            lump_m=st.just(0.0) | numbers(0.0, 0.3),
            lump_wavelength_m=LENGTH,
            surface_speed_m_per_s=SPEED,
            **state,
        ),
    }


SIGNED = numbers(-0.6, 0.6)
NOISE: dict[str, st.SearchStrategy[Any]] = {
    "amplitude_m": SIGNED,
    "wavelength_m": LENGTH,
    "octaves": st.integers(1, 6),
    "gain": numbers(0.0, 1.0),
    "style": st.sampled_from(["smooth", "ridged", "billow"]),
    "seed": SEED,
}
LAYERS: dict[str, st.SearchStrategy[Any]] = {
    "plane": st.builds(shapes.Plane, height_m=SIGNED, slope=st.tuples(SIGNED, SIGNED)),
    "ramp": st.builds(
        shapes.Ramp,
        point_m=PLACE,
        direction=st.just((1.0, 0.0)) | st.tuples(LENGTH, SPEED),
        profile_m=rising(0.0, SIGNED),
    ),
    "noise": st.builds(shapes.Noise, **NOISE) | st.builds(shapes.Noise, **NOISE, calm_m=WIDTHS),
    "channel": st.builds(shapes.Channel, path_m=WIDTHS, bank_m=numbers(0.0, 0.4)),
    "cone": st.builds(
        shapes.Cone,
        centre_m=PLACE,
        radius_m=LENGTH,
        height_m=SIGNED,
        crater_radius_m=st.just(0.0) | LENGTH,
        crater_depth_m=numbers(0.0, 0.3),
    ),
    "boulders": st.builds(
        shapes.Boulders,
        spacing_m=LENGTH,
        radius_m=LENGTH,
        height_m=numbers(0.0, 0.4),
        share=numbers(0.0, 1.0),
        seed=SEED,
    ),
    "steps": st.builds(shapes.Steps, rise_m=LENGTH, sharpness=numbers(0.0, 1.0)),
}
COLLIDERS: dict[str, st.SearchStrategy[Any]] = {
    "sphere": st.builds(schema.SphereCollider, centre_m=POINT, radius_m=LENGTH),
    "box": _between(schema.BoxCollider),
    "capsule": st.builds(schema.CapsuleCollider, from_m=POINT, to_m=POINT, radius_m=numbers(0.05, 0.4)),
    "cylinder": st.builds(schema.CylinderCollider, centre_m=POINT, radius_m=LENGTH, height_m=LENGTH),
}
BODIES = bodies(STATE)
GROUND = st.builds(
    schema.Terrain,
    origin_m=st.tuples(numbers(-1.0, 0.2), numbers(-1.0, 0.2)),
    size_m=st.tuples(numbers(1.0, 4.0), numbers(1.0, 4.0)),
    spacing_per_cell=numbers(0.5, 3.0),
    layer=st.lists(st.one_of(*LAYERS.values()), max_size=4).map(tuple),
)
ANY_SHOT = st.fixed_dictionaries(
    {
        "body": st.lists(st.one_of(*BODIES.values()), min_size=1, max_size=3).map(tuple),
        "collider": st.lists(st.one_of(*COLLIDERS.values()), max_size=2).map(tuple),
        "terrain": st.none() | GROUND,
    }
)
FEW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
)
# Of any speed: what a shot may say is tested elsewhere
LAVA = load_shot("lava").file.material.model_copy(update={"speed_limit_m_per_s": 1000.0})
WATER = load_shot(POOL).file.material.model_copy(update={"speed_limit_m_per_s": 1000.0})
WHOLE = shapes.Box(min_m=(0.0, 0.0, 0.0), max_m=DOMAIN, temperature=shapes.ConstantTemperature(temperature_k=900.0))


def small(**parts: Any) -> Shot:
    """A small shot of lava with these parts and nothing else."""
    shot = load_shot(POOL)
    size = next(iter(shot.sizes.values())).model_copy(update={"cells_x": 24})
    domain = shot.file.domain.model_copy(update={"size_m": DOMAIN})
    bare = {"body": (), "emitter": (), "collider": (), "terrain": None, "material": LAVA, "size": {"S": size}}
    return replace(shot, file=shot.file.model_copy(update={**bare, "domain": domain, **parts}))


def require_same(shot: Shot, size: str = "S", seed: int = 0, threads: int | None = None) -> int:
    """Build by both ways; returns how many particles there are."""
    try:
        with np.errstate(all="ignore"):  # a line of equal points has no width
            wanted = reference.fill(shot, size, seed)
    except UserError as error:
        with pytest.raises(UserError) as found:
            build_scene(shot, size, seed)
        assert str(found.value) == str(error)
        return 0
    scene = build_scene(shot, size, seed, threads=threads)
    for name in ("terrain", "position", "velocity", "temperature"):
        mine, other = getattr(scene, name), getattr(wanted, name)
        assert mine.shape == other.shape and mine.dtype == other.dtype, name
        # As whole numbers, so that -0 is not 0 and what is no number is equal to itself
        wrong = np.flatnonzero(mine.view(np.int32).ravel() != other.view(np.int32).ravel())
        assert wrong.size == 0, f"{name}: {wrong.size} words, the first {wrong[:3]}"
    grid = needs.block_grid(scene.cells)
    used = reference.blocks_in_use(wanted.position, scene.cell_size_m, grid)
    assert needs.block_count(scene) == used
    return scene.initial_count


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_every_kind_of_body(kind: str) -> None:
    shots = st.builds(lambda body, ground: small(body=(body,), terrain=ground), BODIES[kind], st.none() | GROUND)

    @FEW
    @given(shots)
    def check(shot: Shot) -> None:
        require_same(shot)

    check()
    # Which are drawn depends on what else was imported: one at least holds many particles
    many = settings(FEW, max_examples=500, phases=(Phase.generate,))
    find(shots, lambda shot: require_same(shot) > 1000, settings=many)


@pytest.mark.parametrize("kind", sorted(VELOCITIES))
def test_every_kind_of_velocity(kind: str) -> None:
    @FEW
    @given(VELOCITIES[kind])
    def check(velocity: Any) -> None:
        assert require_same(small(body=(WHOLE.model_copy(update={"velocity": velocity}),))) > 50_000

    check()


@pytest.mark.parametrize("kind", sorted(TEMPERATURES))
def test_every_kind_of_temperature(kind: str) -> None:
    @FEW
    @given(TEMPERATURES[kind])
    def check(temperature: Any) -> None:
        assert require_same(small(body=(WHOLE.model_copy(update={"temperature": temperature}),))) > 50_000

    check()


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_every_kind_of_terrain(kind: str) -> None:
    @FEW
    @given(LAYERS["noise"], LAYERS[kind])
    def check(below: Any, layer: Any) -> None:
        ground = schema.Terrain(origin_m=(-0.1, -0.2), size_m=(2.0, 2.2), spacing_per_cell=0.7, layer=(below, layer))
        require_same(small(body=(WHOLE,), terrain=ground))

    check()


@pytest.mark.parametrize("kind", sorted(COLLIDERS))
def test_every_kind_of_collider(kind: str) -> None:
    @FEW
    @given(COLLIDERS[kind])
    def check(collider: Any) -> None:
        require_same(small(body=(WHOLE,), collider=(collider,)))

    check()


@pytest.mark.slow
@settings(FEW, max_examples=150)
@given(ANY_SHOT, st.integers(0, 2**31 - 1), st.sampled_from([1, 2]), st.booleans())
def test_any_small_shot(parts: dict[str, Any], seed: int, threads: int, water: bool) -> None:
    material = {"material": WATER} if water else {}
    require_same(small(**parts, **material), seed=seed, threads=threads)


@pytest.mark.parametrize("name", [*shot_names(), POOL])
def test_the_shots_that_ship(name: str) -> None:
    assert require_same(load_shot(name)) > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("name", shot_names())
def test_the_shots_that_ship_at_the_next_size(name: str) -> None:
    assert require_same(load_shot(name), "M") > 500_000


def test_any_number_of_threads_gives_the_same_bits() -> None:
    code = (
        "import json, hashlib\n"
        "from bench.pipeline.scene.build import build_scene\n"
        "from bench.shot.load import load_shot, shot_names\n"
        "def digest(name, threads):\n"
        "    s = build_scene(load_shot(name), 'S', threads=threads)\n"
        "    parts = s.position, s.velocity, s.temperature, s.terrain\n"
        "    return hashlib.sha256(b''.join(a.tobytes() for a in parts)).hexdigest()\n"
        "print(json.dumps({n: [digest(n, t) for t in (1, 2, 3, 5)] for n in shot_names()}))\n"
    )
    env = {**os.environ, "NUMBA_NUM_THREADS": "5", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, cwd=ROOT)
    for name, digests in json.loads(done.stdout).items():
        assert len(set(digests)) == 1, name


def test_chunks_of_one_plane_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(particles, "CHUNK_POINTS", 1)
    assert require_same(load_shot("tornado")) > 10_000
