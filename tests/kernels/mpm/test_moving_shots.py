"""Whole shots whose solids move: both sides alike, drawn where they are, and the kinds that people write."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import UserError
from bench.pipeline.frame import make_picture
from bench.pipeline.render import Renderer
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.scene.motion import moved_m
from bench.pipeline.simulate import Simulation
from bench.shot.schema import Swing
from tests.bench.check.any_shot import LOOK, Bounds, Outcome, outcome
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
from tests.support.tiny_shot import box_body, plain_shot, water

STANDS = '[[collider]]\nkind = "sphere"\nradius_m = 0.125\n'


def plain(solids: str, body: str, frame_rate: float = 32.0) -> Scene:
    return build_scene(plain_shot(water(4.0) + body + solids, frame_rate=frame_rate), "S", threads=1)


# --- Where it is ----------------------------------------------------------------------------------


def swing(period_s: float, start_s: float = 0.0) -> Swing:
    return Swing(amplitude_m=(0.5, 0.0, -0.25), period_s=period_s, start_s=start_s)


@pytest.mark.parametrize("time_s", [0.0, 0.3, 0.7, 1.1, 2.9, 17.0])
def test_a_swing_is_a_sine(time_s: float) -> None:
    sine = math.sin(2.0 * math.pi * max(time_s - 0.3, 0.0) / 1.7)
    assert moved_m(swing(1.7, start_s=0.3), time_s) == pytest.approx([0.5 * sine, 0.0, -0.25 * sine], abs=1e-12)


@pytest.mark.parametrize("turns", [1, 1000, 2**19])
def test_a_swing_has_the_bits_of_its_first_turn(turns: int) -> None:
    """Binary fractions, so that times are exact."""
    for n in range(16):
        assert moved_m(swing(0.5), n / 32 + 0.5 * turns) == moved_m(swing(0.5), n / 32)
    assert [moved_m(swing(0.5), 0.125 * n)[0] for n in range(4)] == pytest.approx([0.0, 0.5, 0.0, -0.5], abs=1e-12)


def test_a_swing_too_fast_for_its_frames_is_refused() -> None:
    """With two frames a swing it would seem to stand still."""
    text = STANDS + "centre_m = [0.8, 0.8, 1.2]\nmotion = {{ kind = 'oscillate', amplitude_m = [0.01, 0.0, 0.0], "
    text += "period_s = {} }}\n"
    plain(text.format(0.125), box_body("[0.2, 0.2, 0.0]", "[0.4, 0.4, 0.2]"))
    with pytest.raises(UserError, match=r"collider\[0\]\.motion\.period_s.*at least 4 frames \(0\.125 s\)"):
        plain(text.format(0.12), box_body("[0.2, 0.2, 0.0]", "[0.4, 0.4, 0.2]"))


# --- In empty space, and in the picture -------------------------------------------------------------

FAR_OFF = box_body("[0.0, 0.0, 0.0]", "[0.4, 0.4, 0.3]")
FLIES = STANDS + (
    "centre_m = [0.5, 1.25, 1.0]\n"
    "motion = { kind = 'constant', velocity_m_per_s = [2.0, 0.0, -1.0], start_s = 0.03125 }\n"
)
ARRIVED = STANDS + "centre_m = [0.75, 1.25, 0.875]\n"  # as FLIES is after five frames of 1/32 s


def pictures(solids: str, frames: tuple[int, ...]) -> tuple[str, list[np.ndarray]]:
    """Digest of the state after five frames, and its pictures as that of so many frames."""
    scene = plain(solids, FAR_OFF)
    simulation, renderer = Simulation(scene, NumbaBackend(1)), Renderer(scene, NumbaBackend(1))
    for _ in range(5):
        simulation.advance_frame()
    return simulation.state_digest(), [make_picture(simulation, renderer, n, 4).picture.rgb for n in frames]


def test_a_solid_in_empty_space_moves_nothing_and_is_drawn_where_it_is() -> None:
    """Whatever picture was drawn before: of a frame's time alone."""
    flown, (first, late, again, early) = pictures(FLIES, (5, 3, 5, 1))
    stood, (there, there_early) = pictures(ARRIVED, (5, 1))
    assert flown == stood
    assert np.array_equal(first, there) and np.array_equal(again, there)
    assert not np.array_equal(late, first) and not np.array_equal(early, there_early)


# --- On both sides ----------------------------------------------------------------------------------

STIRRED = (
    """
[effects]
reference_cell_m = 0.1
spray_per_s = 200.0
speed_m_per_s = [0.2, 1.0]
radius_m = [0.002, 0.006]
"""
    + STANDS
    + """centre_m = [0.6, 0.8, 0.5]
motion = { kind = "constant", velocity_m_per_s = [1.5, 0.3, -0.4], start_s = 0.02 }
[[collider]]
kind = "capsule"
from_m = [1.1, 0.5, 0.1]
to_m = [1.1, 0.9, 0.9]
radius_m = 0.15
boundary = "stick"
motion = { kind = "oscillate", amplitude_m = [0.1, 0.0, 0.05], period_s = 0.4 }
[[collider]]
kind = "cylinder"
centre_m = [0.4, 1.2, 0.6]
radius_m = 0.2
height_m = 0.5
boundary = "slip"
motion = { kind = "oscillate", amplitude_m = [0.0, 0.0, 0.1], period_s = 0.5 }
[[collider]]
kind = "box"
min_m = [-1.0, -1.0, -1.0]
max_m = [0.1, 3.0, 3.0]
motion = { kind = "oscillate", amplitude_m = [0.08, 0.0, 0.0], period_s = 0.6 }
"""
)


POOL = box_body("[0.0, 0.0, 0.0]", "[1.6, 1.6, 0.5]", "hydrostatic = true")


def run(backend: Any, frames: int) -> tuple[list[str], int]:
    """Digest after each frame, and how many effects particles there are at last."""
    simulation, digests, effects = Simulation(plain(STIRRED, POOL), backend), [], 0
    for _ in range(frames):
        effects = simulation.advance_frame().effect_count
        digests.append(simulation.state_digest())
    return digests, effects


@NEEDS_COMPILER
def test_every_kind_of_solid_moves_with_the_same_bits_on_an_emulated_gpu(tmp_path: Path) -> None:
    """On recorded launches: a recording is of one place in memory, which each frame fills with where they are."""
    on_cpu = run(NumbaBackend(1), 3)
    assert run(emulated_gpu(tmp_path), 3) == on_cpu
    digests, effects = on_cpu
    assert len(set(digests)) == 3 and effects > 0


# --- The kinds that people write --------------------------------------------------------------------

SHOT = """
schema = 1
[shot]
name = "moving"
title = "moving"
frames = 24
[domain]
size_m = [1.6, 0.8, 1.0]
[size.S]
cells_x = 24
width = 32
height = 16
samples = 1
[material]
kind = "water"
speed_limit_m_per_s = 4.0
[[body]]
kind = "box"
min_m = [0.0, 0.0, 0.0]
max_m = [{length}, 0.8, 0.4]
hydrostatic = true
[[collider]]
"""
# Of water that a solid goes on to stir: over 30 s the wave maker's and the plunger's volume is 2 to 2.5 % too
# large in the mean, and does not grow; in a single frame 3.9 % was found
STIRRED_ON = Bounds(volume_share=0.045)
WRITTEN = {
    "wave maker": """kind = "box"
min_m = [-1.0, -0.1, -0.1]
max_m = [0.1, 0.9, 1.2]
motion = { kind = "oscillate", amplitude_m = [0.1, 0.0, 0.0], period_s = 0.6 }""",
    "gate that opens": """kind = "box"
min_m = [0.5, -0.1, -0.1]
max_m = [0.6, 0.9, 1.2]
motion = { kind = "constant", velocity_m_per_s = [0.0, 0.0, 2.0], start_s = 0.1 }""",
    "sphere that comes in by a wall": """kind = "sphere"
centre_m = [-0.3, 0.4, 0.3]
radius_m = 0.2
motion = { kind = "constant", velocity_m_per_s = [1.2, 0.0, 0.0] }""",
    "plunger": """kind = "cylinder"
centre_m = [0.8, 0.4, 0.5]
radius_m = 0.2
height_m = 0.4
motion = { kind = "oscillate", amplitude_m = [0.0, 0.0, 0.15], period_s = 0.7 }""",
    "stirrer": """kind = "capsule"
from_m = [0.8, 0.4, 0.1]
to_m = [0.8, 0.4, 0.9]
radius_m = 0.08
boundary = "stick"
motion = { kind = "oscillate", amplitude_m = [0.3, 0.2, 0.0], period_s = 1.0 }""",
    "paddle half a cell thick": """kind = "box"
min_m = [0.7, 0.2, 0.1]
max_m = [0.735, 0.6, 0.6]
motion = { kind = "oscillate", amplitude_m = [0.3, 0.0, 0.0], period_s = 1.0 }""",
    "floor that heaves": """kind = "box"
min_m = [-0.1, -0.1, -0.2]
max_m = [1.7, 0.9, 0.15]
motion = { kind = "oscillate", amplitude_m = [0.0, 0.0, 0.1], period_s = 1.0 }""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITTEN)
def test_a_shot_that_someone_writes_runs(name: str) -> None:
    """No particle is half a cell deep in a solid or outside, and the volume stays."""
    length = 0.5 if name.startswith("gate") else 1.6
    text = SHOT.format(length=length) + WRITTEN[name] + LOOK
    assert outcome(text, settle=24, bounds=STIRRED_ON) == Outcome(None, ())
