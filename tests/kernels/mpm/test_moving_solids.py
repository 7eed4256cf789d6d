"""Solids that move: what they push and lift, and that going on from any state puts them in their place."""

from __future__ import annotations

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import UserError
from bench.check.validate.flow import LOOK, Flow
from bench.pipeline.scene.build import build_scene
from bench.pipeline.scene.motion import placed
from bench.pipeline.simulate import Simulation
from bench.shot.load import Shot, parse_shot
from kernels.base import constants as k
from tests.bench.check.any_shot import solid_distance

HEAD = """
schema = 1
[shot]
name = "moving"
title = "moving"
frames = 48
frame_rate = {rate}
[domain]
size_m = {size}
[size.S]
cells_x = {cells}
width = 64
height = 32
samples = 1
[material]
kind = "water"
speed_limit_m_per_s = {limit}
friction_factor = 0.0
[[body]]
kind = "box"
min_m = [0.0, 0.0, 0.0]
max_m = {water}
hydrostatic = true
[[collider]]
kind = "box"
"""


def scene_of(solid: str, *, size: list[float], cells: int, water: list[float], limit: float = 3.0, rate: float = 24.0):  # type: ignore[no-untyped-def]
    head = HEAD.format(size=size, cells=cells, water=water, limit=limit, rate=rate)
    return build_scene(Shot(path="moving.toml", file=parse_shot(head + solid + LOOK, "moving.toml")), "S", threads=1)


def deepest(flow: Flow) -> float:
    """How deep a particle stands in a solid, in cells."""
    scene = flow.scene
    rows = placed(scene.colliders, scene.collider_motion, flow.time_s, scene.frame_dt_s)
    return -float(solid_distance(scene, flow.position, rows).min()) / flow.cell


PISTON = """min_m = [-1.0, -1.0, -1.0]
max_m = [0.2, 2.0, 2.0]
motion = { kind = "constant", velocity_m_per_s = [0.8, 0.0, 0.0] }
"""


def test_a_piston_drives_a_bore() -> None:
    """Stoker 1957: behind a bore that runs at c into water h deep, c (h' - h) = V h', V = speed of the piston."""
    flow = Flow(scene_of(PISTON, size=[4.0, 0.2, 0.8], cells=80, water=[4.0, 0.2, 0.25]), NumbaBackend(1))
    flow.advance(24)
    x = flow.position[:, 0]
    piston = 0.2 + 0.8 * flow.time_s
    assert x.min() > piston - 0.5 * flow.cell
    behind = (x > piston + 0.1) & (x < piston + 0.6)  # waves follow the bore's front (Favre 1935), not the piston
    depth = behind.sum() * flow.particle_volume / (0.5 * 0.2)
    h, v, g = 0.25, 0.8, 9.81
    # Mass and momentum over the bore, r = h' / h: g h (r + 1) (r - 1)^2 = 2 v^2 r
    roots = np.roots([g * h, -g * h, -g * h - 2.0 * v * v, g * h])
    expected = h * float(max(root.real for root in roots))
    assert depth == pytest.approx(expected, rel=0.03)
    assert flow.velocity[behind, 0].mean() == pytest.approx(v, rel=0.05)


DIVER = """min_m = [0.3, 0.3, 0.6]
max_m = [0.7, 0.7, 1.2]
motion = { kind = "constant", velocity_m_per_s = [0.0, 0.0, -0.5], end_s = 1.0 }
"""


@pytest.mark.parametrize("boundary", ["stick", "slip", "separate"])
def test_a_box_that_dives_lifts_the_level_by_its_volume(boundary: str) -> None:
    text = DIVER + f'boundary = "{boundary}"\n'
    flow = Flow(scene_of(text, size=[1.0, 1.0, 1.4], cells=20, water=[1.0, 1.0, 0.5]), NumbaBackend(1))
    worst = 0.0
    for _ in range(48):
        flow.advance()
        worst = max(worst, deepest(flow))
    assert worst <= 0.55
    # 0.4 m x 0.4 m x 0.4 m are under water, and more as it rises
    level = (0.5 - 0.16 * 0.1) / (1.0 - 0.16)
    top = np.percentile(flow.position[:, 2], 99.0)
    assert top == pytest.approx(level, abs=0.6 * flow.cell)


@pytest.mark.parametrize("cells_thick", [1.0, 2.5])
@pytest.mark.parametrize("boundary", ["stick", "slip", "separate"])
def test_a_plate_that_is_drawn_through_water_lets_none_through(boundary: str, cells_thick: float) -> None:
    thick = cells_thick * 0.05
    text = f"""min_m = [0.3, -1.0, -1.0]
max_m = [{0.3 + thick}, 2.0, 2.0]
boundary = "{boundary}"
motion = {{ kind = "constant", velocity_m_per_s = [2.0, 0.0, 0.0], end_s = 0.3 }}
"""
    scene = scene_of(text, size=[1.6, 0.4, 1.2], cells=32, water=[1.6, 0.4, 0.4], limit=5.0)
    flow = Flow(scene, NumbaBackend(1))
    ahead = flow.position[:, 0] > 0.3 + thick
    names = np.arange(len(ahead))
    flow.advance(8)
    # Particles are moved about in memory: count those on either side
    assert int((flow.position[:, 0] > 0.9 + 0.5 * thick).sum()) == int(ahead.sum()), names.size
    assert deepest(flow) <= 0.55


MAKER = """min_m = [-1.0, -1.0, -1.0]
max_m = [0.25, 2.0, 2.0]
boundary = "slip"
motion = { kind = "oscillate", amplitude_m = [0.1, 0.0, 0.0], period_s = 1.0, start_s = 0.1 }
"""


def test_going_on_from_any_state_is_going_on() -> None:
    scene = scene_of(MAKER, size=[2.0, 0.4, 0.8], cells=32, water=[2.0, 0.4, 0.3])
    through = Simulation(scene, NumbaBackend(1))
    digests, kept = [], []
    for _ in range(4):
        kept.append(through.snapshot())
        through.advance_frame()
        digests.append(through.state_digest())
    for n in (2, 0, 3):
        again = Simulation(scene, NumbaBackend(1))
        again.restore(kept[n])
        again.advance_frame()
        assert again.state_digest() == digests[n]


def test_where_it_is_and_how_fast() -> None:
    scene = scene_of(MAKER, size=[2.0, 0.4, 0.8], cells=32, water=[2.0, 0.4, 0.3])
    at = [placed(scene.colliders, scene.collider_motion, t, 0.05)[0] for t in (0.0, 0.1, 0.35, 0.85)]
    middle = np.array([row[k.COLLIDER_A] for row in at]) - at[0][k.COLLIDER_A]
    assert middle == pytest.approx([0.0, 0.0, 0.1, -0.1], abs=1e-6)
    assert at[1][k.COLLIDER_VELOCITY] == pytest.approx(0.1 * np.sin(2 * np.pi * 0.05) / 0.05, rel=1e-5)
    assert at[0][k.COLLIDER_VELOCITY : k.COLLIDER_VELOCITY + 3] == pytest.approx([0.0, 0.0, 0.0])
    first = Simulation(scene, NumbaBackend(1))
    first.advance_frame()
    row = np.asarray(first._state.arrays["collider"])[0]
    assert row[k.COLLIDER_A] == placed(scene.solids, scene.solid_motion, 1 / 24, 1 / 24)[0][k.COLLIDER_A]


def test_a_box_that_goes_away_from_a_wall_is_not_joined_to_it() -> None:
    scene = scene_of(
        PISTON.replace("-1.0, -1.0, -1.0", "0.0, 0.0, 0.0"), size=[2.0, 0.4, 0.8], cells=40, water=[2.0, 0.4, 0.3]
    )
    row, cell = scene.solids[0], scene.cell_size_m
    assert row[k.COLLIDER_B] == pytest.approx(0.1)
    assert row[k.COLLIDER_B + 1] > 0.2 + 4 * cell


@pytest.mark.parametrize(
    ("motion", "said"),
    [
        ('{ kind = "constant", velocity_m_per_s = [3.1, 0.0, 0.0] }', r"collider\[0\]\.motion.*3 m/s"),
        ('{ kind = "oscillate", amplitude_m = [0.5, 0.0, 0.0], period_s = 1.0 }', r"collider\[0\]\.motion.*3\.142 m/s"),
        ('{ kind = "constant", velocity_m_per_s = [1.0, 0.0, 0.0], start_s = 2.0, end_s = 1.0 }', "end_s"),
        ('{ kind = "spin", velocity_m_per_s = [1.0, 0.0, 0.0] }', r"motion"),
        ('{ kind = "oscillate", amplitude_m = [0.5, 0.0, 0.0], period_s = 0.0 }', "period_s"),
    ],
)
def test_a_motion_that_cannot_be_run_is_refused(motion: str, said: str) -> None:
    text = PISTON.split("motion")[0] + f"motion = {motion}\n"
    with pytest.raises(UserError, match=said):
        scene_of(text, size=[2.0, 0.4, 0.8], cells=32, water=[2.0, 0.4, 0.3])
