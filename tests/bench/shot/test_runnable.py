"""What cannot run is refused before it runs, in one line with its key; what can is not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.base.errors import UserError
from bench.cli.main import main
from bench.pipeline.scene.build import build_scene
from bench.shot.load import load_shot, shot_names
from bench.shot.runnable import distance_to, over
from bench.shot.schema import BoxCollider, CapsuleCollider, Collider, CylinderCollider, SphereCollider
from bench.shot.speeds import fastest_of_shape, fastest_own
from kernels.base import constants as k
from kernels.base.common import F32
from kernels.mpm.mpm_collide import collider_distance_one
from tests.support.tiny_shot import box_body, plain_shot, water

POOL = box_body("[0.0, 0.0, 0.0]", "[1.6, 1.6, 0.4]", "hydrostatic = true")
BLOCK = '[[collider]]\nkind = "box"\nmin_m = [0.4, 0.4, 0.9]\nmax_m = [1.0, 1.0, 1.3]\n'


def emitter(**said: Any) -> str:
    """An [[emitter]] in the middle of the upper half, pouring down."""
    values = {"centre_m": [0.8, 0.8, 1.2], "radius_m": 0.2, "direction": [0.0, 0.0, -1.0], "speed_m_per_s": 2.0} | said
    return "[[emitter]]\n" + "\n".join(f"{name} = {value}" for name, value in values.items()) + "\n"


def moving(shape: str, velocity: str) -> str:
    return f"[[body]]\n{shape}\nvelocity = {velocity}\n"


BOX = 'kind = "box"\nmin_m = [0.2, 0.2, 0.2]\nmax_m = [1.2, 0.8, 0.8]'
BALL = 'kind = "sphere"\ncentre_m = [0.8, 0.8, 0.8]\nradius_m = 0.4'
ROD = 'kind = "cylinder"\nfrom_m = [0.4, 0.8, 0.8]\nto_m = [1.2, 0.8, 0.8]\nradius_m = 0.3'
THROWN = '{ kind = "constant", velocity_m_per_s = [RATE, 0.0, -4.0] }'
ROTATION = '{ kind = "rotation", point_m = [0.8, 0.8, 0.8], axis_rad_per_s = [0.0, 0.0, RATE] }'
SHEAR = '{ kind = "shear", point_m = [0.8, 0.8, 0.8], direction = [0.0, 2.0, 0.0], gradient_per_s = [RATE, 0.0, 0.0] }'
SWIRL = '{ kind = "swirl", centre_m = [0.8, 0.8], core_m = 0.2, swirl_m_per_s = RATE }'
COLUMN = (
    '[[body]]\nkind = "column"\ncentre_m = [0.8, 0.8]\nprofile_m = [[0.2, 0.1, 0.4], [1.4, 0.1, 0.5]]\n'
    "core_m = 0.25\nswirl_m_per_s = RATE\n"
)
SEA = (
    '[[body]]\nkind = "sea"\nlevel_m = 0.4\ndip_m = 0.05\ndip_radius_m = 0.3\ndip_centre_m = [0.8, 0.8]\n'
    "swirl_m_per_s = RATE\n"
)
FLOW = '[[body]]\nkind = "flow"\npath_m = [[0.2, 0.8, 0.3, 0.2], [1.4, 0.8, 0.3, 0.2]]\nsurface_speed_m_per_s = RATE\n'
GROUND = '[terrain]\norigin_m = [-2.0, -2.0]\nsize_m = [6.0, 6.0]\n[[terrain.layer]]\nkind = "plane"\nheight_m = 0.3\n'
WAVE = (
    '[[body]]\nkind = "breaking_wave"\nlevel_m = 0.5\nheight_m = 0.5\ncrest_x_m = 0.8\nfront_m = 0.3\nback_m = 0.5\n'
    "lean_m = 0.3\nwave_speed_m_per_s = 1.0\nlip_speed_m_per_s = RATE\n"
)

# What a shot says beside a limit of 6 m/s, the key that it is refused with, and a part of the line
REFUSED = {
    "a body thrown": (moving(BOX, THROWN.replace("RATE", "5.0")), "body[0].velocity", "6.403 m/s"),
    "a box turning": (moving(BOX, ROTATION.replace("RATE", "8.5")), "body[0].velocity", "at most material.speed_limit"),
    "a ball turning": (moving(BALL, ROTATION.replace("RATE", "15.1")), "body[0].velocity", "6.04 m/s"),
    "a rod turning": (moving(ROD, ROTATION.replace("RATE", "12.1")), "body[0].velocity", "6.05 m/s"),
    "a ball sheared": (moving(BALL, SHEAR.replace("RATE", "15.1")), "body[0].velocity", "6.04 m/s"),
    "a ball in a whirl": (moving(BALL, SWIRL.replace("RATE", "6.1")), "body[0].velocity", "6.1 m/s"),
    "a second body": (POOL + moving(BALL, SWIRL.replace("RATE", "-7.0")), "body[1].velocity", "7 m/s"),
    "a column": (COLUMN.replace("RATE", "6.1"), "body[0].swirl_m_per_s", "6.1 m/s"),
    "a sea": (SEA.replace("RATE", "-6.1"), "body[0].swirl_m_per_s", "6.1 m/s"),
    "a flow": (FLOW.replace("RATE", "6.1"), "body[0].surface_speed_m_per_s", "6.1 m/s"),
    "a fast emitter": (POOL + emitter(speed_m_per_s=6.1), "emitter[0].speed_m_per_s", "6.1"),
    "a slow emitter": (POOL + emitter(speed_m_per_s=0.0), "emitter[0].speed_m_per_s", "from 0.001"),
    "an emitter outside": (POOL + emitter(centre_m=[5.0, 5.0, 5.0]), "emitter[0].centre_m", "0.2 to 1.4 along x"),
    "a rim outside": (POOL + emitter(centre_m=[0.8, 1.41, 1.2]), "emitter[0].centre_m", "along y"),
    "an emitter too large": (POOL + emitter(radius_m=0.81), "emitter[0].radius_m", "1.6 m along x"),
    "one that looks out": (
        POOL + emitter(centre_m=[0.8, 0.8, 1.6], direction=[0, 0, 1]),
        "emitter[0].direction",
        "along z",
    ),
    "one in a solid": (POOL + BLOCK + emitter(centre_m=[0.7, 0.7, 1.1]), "emitter[0].centre_m", "collider[0]"),
    "a rim in a solid": (POOL + BLOCK + emitter(centre_m=[1.1, 0.7, 1.1]), "emitter[0].centre_m", "collider[0]"),
    "one that ends at once": (POOL + emitter(start_s=0.5, end_s=0.5), "emitter[0].end_s", "0.5 s"),
    "one that comes too late": (POOL + emitter(start_s=1.0), "emitter[0].start_s", "before the shot's end (1 s)"),
    "a pinhole": (
        POOL + emitter(radius_m=1e-4, speed_m_per_s=0.01),
        "emitter[0].radius_m",
        "at least a particle at size S",
    ),
    "a vortex": (
        POOL + "[force.vortex]\ncentre_m = [0.8, 0.8]\nz_low_m = 0.0\nz_high_m = 1.6\ncore_m = 0.2\n"
        "swirl_m_per_s = 1.0\nupdraft_m_per_s = 7.0\nrate_per_s = 1.0\nreach_m = 1.0\n",
        "force.vortex.updraft_m_per_s",
        "got 7",
    ),
}
# Near the same edges, and allowed
ALLOWED = {
    "a body thrown": moving(BOX, THROWN.replace("RATE", "4.4")),
    "a box turning": moving(BOX, ROTATION.replace("RATE", "7.0")),
    "a ball turning": moving(BALL, ROTATION.replace("RATE", "14.9")),
    "a rod turning": moving(ROD, ROTATION.replace("RATE", "11.9")),
    "a ball sheared": moving(BALL, SHEAR.replace("RATE", "-14.9")),
    "a ring beyond a whirl's core": moving(
        'kind = "cylinder"\nfrom_m = [0.8, 0.8, 0.2]\nto_m = [0.8, 0.8, 0.4]\nradius_m = 0.7\ninner_radius_m = 0.5',
        SWIRL.replace("RATE", "6.0"),
    ),
    "a column": COLUMN.replace("RATE", "-6.0"),
    "a sea": SEA.replace("RATE", "6.0"),
    "a flow": FLOW.replace("RATE", "6.0") + GROUND,
    "a wave": WAVE.replace("RATE", "1.0"),
    "an emitter at the limit": POOL + emitter(speed_m_per_s=6.0),
    "one in a wall": POOL + emitter(centre_m=[0.0, 0.8, 1.2], direction=[1.0, 0.0, 0.0]),
    "one in the far wall": POOL + emitter(centre_m=[1.6, 0.8, 1.2], direction=[-1.0, 0.0, 0.0], radius_m=0.1),
    "one in the ceiling": POOL + emitter(centre_m=[0.8, 0.8, 1.6]),
    "one as large as the domain": POOL + emitter(centre_m=[0.8, 0.8, 1.0], radius_m=0.8, speed_m_per_s=0.1),
    "one on a solid's face": POOL + BLOCK + emitter(centre_m=[0.7, 0.7, 0.9]),
    "one under water": POOL + emitter(centre_m=[0.8, 0.8, 0.2]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_is_refused_with_its_key(name: str) -> None:
    text, key, part = REFUSED[name]
    with pytest.raises(UserError) as error:
        plain_shot(water() + text)
    line = str(error.value)
    assert line.startswith(f"plain.toml: {key}: expected ") and part in line and "\n" not in line


@pytest.mark.parametrize("name", ALLOWED)
def test_what_can_run_is_not(name: str) -> None:
    """And its particles are no faster than was found without them."""
    shot = plain_shot(water() + ALLOWED[name])
    scene = build_scene(shot, "S", threads=1)
    speed = np.linalg.norm(scene.velocity[:, :3].astype(np.float64), axis=1).max(initial=0.0)
    bodies = shot.file.body
    bound = max(fastest_own(b, shot.file.domain) + fastest_of_shape(b, shot.file.domain)[1] for b in bodies)
    assert speed <= bound * (1 + 1e-6) or name == "a wave"


def test_a_wave_s_speed_is_known_when_its_water_is() -> None:
    shot = plain_shot(water() + WAVE.replace("RATE", "9.0"))
    with pytest.raises(
        UserError, match=r"plain\.toml: body: expected bodies of at most .*6 m/s.* everywhere, got .* m/s at \["
    ):
        build_scene(shot, "S", threads=1)


def test_sound_is_ten_times_the_limit_at_the_least() -> None:
    with pytest.raises(UserError, match=r"material\.sound_speed_m_per_s: expected at least 10 x .*\(60\), got 59"):
        plain_shot(water() + "sound_speed_m_per_s = 59.0\n" + POOL)
    plain_shot(water() + "sound_speed_m_per_s = 60.0\n" + POOL)
    plain_shot(water(5.1) + "sound_speed_m_per_s = 51.0\n" + POOL)


@pytest.mark.parametrize(("height_m", "refused"), [(0.1, True), (0.31, False)])
def test_an_emitter_in_the_ground_is_refused_when_the_ground_is_known(height_m: float, refused: bool) -> None:
    shot = plain_shot(water() + emitter(centre_m=[0.8, 0.8, height_m], direction=[0, 0, 1]) + GROUND)
    if not refused:
        assert build_scene(shot, "S", threads=1).particle_capacity > 0
        return
    with pytest.raises(
        UserError, match=r"plain\.toml: emitter\[0\]\.centre_m: expected a disc above the terrain.* 0\.2 m deep"
    ):
        build_scene(shot, "S", threads=1)


def test_a_refusal_is_exit_code_two(tmp_path: Path) -> None:
    path = tmp_path / "fast.toml"
    text = (Path(__file__).parents[2] / "fixtures" / "pool.toml").read_text()
    path.write_text(text.replace("velocity_m_per_s = [0.0, 0.0, -2.0]", "velocity_m_per_s = [30.0, 0.0, 0.0]"))
    result = CliRunner().invoke(main, ["shots", str(path)])
    assert result.exit_code == 2 and result.output.count("\n") == 1
    assert (
        "body[1].velocity: expected at most material.speed_limit_m_per_s (5 m/s) everywhere in the body"
        in result.output
    )


@pytest.mark.parametrize("name", shot_names())
def test_shipped_shots_are_not_refused(name: str) -> None:
    shot = load_shot(name)
    for body in shot.file.body:
        assert not over(fastest_own(body, shot.file.domain), shot.file.material.speed_limit_m_per_s)


NEAR = st.floats(-2.0, 2.0, width=32)
POINT = st.tuples(NEAR, NEAR, NEAR)
SIZE = st.floats(0.125, 1.0, width=32)
SOLIDS: dict[str, Any] = {
    "sphere": st.builds(SphereCollider, centre_m=POINT, radius_m=SIZE),
    "capsule": st.builds(CapsuleCollider, from_m=POINT, to_m=POINT, radius_m=SIZE),
    "cylinder": st.builds(
        CylinderCollider, centre_m=POINT, radius_m=SIZE, height_m=SIZE, rounding_m=st.floats(0.0, 0.0625, width=32)
    ),
    "box": st.builds(
        lambda low, edges, rounding: BoxCollider(
            min_m=low, max_m=tuple(a + b for a, b in zip(low, edges)), rounding_m=rounding
        ),
        POINT, st.tuples(SIZE, SIZE, SIZE), st.floats(0.0, 0.0625, width=32),
    ),
}  # fmt: skip


def row_of(solid: Collider) -> np.ndarray:
    from bench.pipeline.scene.motion import collider_rows

    return collider_rows([solid], 0.0)


@pytest.mark.parametrize("kind", SOLIDS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_distance_to_a_solid_is_the_liquid_s(kind: str, data: Any) -> None:
    solid, point = data.draw(SOLIDS[kind]), data.draw(POINT)
    found = float(collider_distance_one(row_of(solid), 0, *(F32(p) for p in point)))
    assert math.isclose(distance_to(solid, point), found, abs_tol=2e-5)
    assert row_of(solid)[0, k.COLLIDER_KIND] != 0
