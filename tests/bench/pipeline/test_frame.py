"""The one frame: its order, its laps, its hashes; and a simulation that is put back where it was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import CheckFailed, UserError
from bench.pipeline import makers
from bench.pipeline.frame import STAGES, Picture, make_frame, make_picture, proved_digest, require_hashes
from bench.pipeline.scene.blocks_of_water import box_points, water_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import Workshop, digest
from tests.support.source_tree import ROOT, sources
from tests.support.tiny_shot import POOL

FAKES = ("simulate 1", "surface", "trace", "resolve")


def fakes() -> tuple[Workshop, Any, Any]:
    workshop, backend = Workshop(), FakeBackend()
    fake = workshop.makers()
    scene: Any = None
    return workshop, fake.simulation(scene, backend), fake.renderer(scene, backend)


def test_a_frame_is_five_stages_each_with_its_lap_behind_it() -> None:
    workshop, simulation, renderer = fakes()
    log = workshop.log
    made = make_frame(
        simulation, renderer, 1, encode=lambda picture: log.append("encode"), lap=lambda stage: log.append(f"/{stage}")
    )
    steps = [*FAKES, "encode"]
    assert log == [line for step, stage in zip(steps, STAGES, strict=True) for line in (step, f"/{stage}")]
    assert made.simulated.frame == 1 and made.picture.digest == digest("picture 1")


def test_nothing_is_encoded_unless_asked_for() -> None:
    workshop, simulation, renderer = fakes()
    laps: list[str] = []
    make_frame(simulation, renderer, 1, lap=laps.append)
    assert workshop.log == list(FAKES) and laps == list(STAGES[:-1])


def test_a_picture_of_a_state_leaves_the_state_alone() -> None:
    workshop, simulation, renderer = fakes()
    simulation.restore(7)
    assert make_picture(simulation, renderer, 7).picture.digest == digest("picture 7")
    assert workshop.log == ["restore", *FAKES[1:]] and simulation.frame == 7


def test_hashes_that_are_not_the_expected_ones_are_one_line() -> None:
    found = {"state": "a" * 64, "picture": "b" * 64}
    for expected in (None, {}, {"state": "a" * 64}, found):
        require_hashes(found, expected)
    with pytest.raises(
        CheckFailed, match=r"^frame 3: the picture's SHA-256 bbbbbbbbbbbb is not the golden cccccccccccc$"
    ):
        require_hashes(found, {"picture": "c" * 64}, where="frame 3: ")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["rgb", "variance"])
def test_a_picture_that_is_not_finite_is_no_proof(what: str, wrong: float) -> None:
    made = {name: np.full((4, 6, 3), 3.0e38, np.float32) for name in ("rgb", "variance")}
    good = Picture(**made, samples=2)
    assert proved_digest(good, 7) == good.digest
    made[what][2, 4, 1] = made[what][3, 0] = wrong
    with pytest.raises(CheckFailed) as error:
        proved_digest(Picture(**made, samples=2), 7)
    named = "picture" if what == "rgb" else "variance"
    assert str(error.value) == (
        f"frame 7: 2 of 24 pixels of the {named} are not finite, the first in row 3 from the top, column 5; look in the"
        " shot file for lengths of [look] far below a pixel, and for radiances and gains at their limits"
    )


def test_no_proof_goes_by_a_picture_that_was_not_looked_at() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in sources("bench")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "picture.digest" in line and "made.picture.digest)" not in line  # of rounds that were looked at before
    }
    # The proof's; a note in an EXR's header
    assert found == {"bench/pipeline/frame.py", "bench/pipeline/folder/pictures.py"}


def water(height: int = 4, width: int = 12) -> Simulation:
    cell = 0.05
    points = box_points((3, 3, 2), (6, 6, 2 + height), cell)
    return Simulation(water_scene(points, (width, 12, 12), cell, sound_speed_m_per_s=8.0), NumbaBackend(1))


def test_a_state_that_is_put_back_goes_on_with_the_same_bits() -> None:
    simulation = water()
    simulation.advance_frame()
    kept, at_one = simulation.snapshot(), simulation.state_digest()
    simulation.advance_frame()
    at_two = simulation.state_digest()
    other = water()
    for again in (simulation, other):
        again.restore(kept)
        assert (again.frame, again.state_digest()) == (1, at_one)
        again.advance_frame()
        assert again.state_digest() == at_two


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("emitted", np.zeros(3, np.int64)),
        ("position", np.zeros((1, 4), np.float32)),
        ("velocity", np.zeros((0, 12), np.float64)),
        ("key", None),
    ],
)
def test_another_scene_s_state_is_refused_and_changes_nothing(name: str, value: np.ndarray | None) -> None:
    simulation = water()
    before, state = simulation.state_digest(), dict(water().snapshot())
    if value is None:
        del state[name]
    else:
        state[name] = value
    with pytest.raises((KeyError, ValueError)):
        simulation.restore(state)
    assert simulation.state_digest() == before


def test_more_particles_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="state of another scene: position"):
        water().restore(water(height=6).snapshot())


def test_what_does_not_fit_this_machine_is_refused_with_the_numbers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    backend = NumbaBackend(1)
    shot = load_shot("wave")
    assert makers.require_memory(shot, "S", backend) > 2**20
    monkeypatch.setattr(backend, "free_bytes", lambda: 2**20)
    with pytest.raises(UserError, match=r"^wave at size S needs .* of memory, this machine has 1\.00 MiB; a smaller"):
        makers.require_memory(shot, "S", backend)


def test_a_frame_that_would_never_end_is_refused(tmp_path: Path) -> None:
    """Viscosity asks for sound steps as the square of the cells: a valid file can ask for years."""
    text = POOL.read_text()
    for old, new in (('kind = "water"', 'kind = "water"\nviscosity_pa_s = 1e5'), ("cells_x = 96", "cells_x = 1920")):
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "pool.toml"
    path.write_text(text)
    backend = NumbaBackend(1)
    assert makers.require_memory(load_shot(str(POOL)), "M", backend) > 0
    with pytest.raises(
        UserError, match=r"pool\.toml: size M takes .* sound steps a frame, .* material\.viscosity_pa_s"
    ):
        makers.require_memory(load_shot(str(path)), "M", backend)


def test_nobody_else_writes_the_order_out() -> None:
    """What makes bricks makes a picture of them: only the frame calls both."""
    calls = re.compile(r"\.surface\(|\.resolve\(\w+\)|\.fetch\(")
    found = {
        str(path.relative_to(ROOT))
        for path in sources("bench", "tests")
        for line in path.read_text(encoding="utf-8").splitlines()
        if calls.search(line)
    }
    assert found == {"bench/pipeline/frame.py"}
