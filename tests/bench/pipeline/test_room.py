"""Room for blocks grows inside a frame: a splash never ends a run, and how much room there was changes no bit."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.backend.protocol import Backend
from bench.base.errors import Unavailable
from bench.pipeline import simulate, state
from bench.pipeline.frame import FrameWork
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.scene.needs import Substep
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot
from kernels.base import constants as k
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
from tests.support.tiny_shot import box_body, plain_shot, water, write_tiny_lava, write_tiny_shot

FOUNTAIN = """
[material]
kind = "lava"
speed_limit_m_per_s = 4.0
[[emitter]]
centre_m = [0.8, 0.8, 0.4]
radius_m = 0.2
direction = [0.0, 0.3, 1.0]
speed_m_per_s = 3.0
temperature_k = 1430.0
[[emitter]]
centre_m = [0.8, 1.2, 0.3]
radius_m = 0.1
direction = [0.0, -1.0, 0.0]
speed_m_per_s = 1.0
temperature_k = 1300.0
start_s = 0.05
"""


def cube(cells_x: int, frame_rate: float = 24.0) -> Scene:
    """A cube of 0.4 m falls 0.9 m onto a dry floor and splashes over all of it."""
    middle = water() + box_body("[0.6, 0.6, 0.9]", "[1.0, 1.0, 1.3]")
    return build_scene(plain_shot(middle, cells_x=cells_x, frame_rate=frame_rate), "S", threads=1)


def fountain() -> Scene:
    return build_scene(plain_shot(FOUNTAIN + box_body("[0.0, 0.0, 0.0]", "[0.2, 0.2, 0.3]"), cells_x=12), "S")


def advanced(scene: Scene, backend: Backend, frames: int) -> tuple[list[object], int]:
    """What each frame did and left behind, and how often room was made."""
    simulation, grown = Simulation(scene, backend), 0
    make_room = simulation._make_room

    def counted(blocks: int) -> None:
        nonlocal grown
        grown += 1
        make_room(blocks)

    simulation._make_room = counted  # type: ignore[method-assign]
    left: list[object] = []
    for _ in range(frames):
        left += [simulation.advance_frame(), simulation.state_digest()]
        step, counts = (np.array(backend.host(simulation._state.arrays[name])) for name in ("step", "counts"))
        left += [step.tobytes(), counts.tobytes()]
    return left, grown


def make_tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any room at the start, and never more than what is needed at the moment."""
    monkeypatch.setattr(state, "block_capacity", lambda scene, used: max(1, used // 3))
    monkeypatch.setattr(simulate, "more_blocks", lambda used, grid: used)


def make_plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for every block of the grid from the start."""
    monkeypatch.setattr(state, "block_capacity", lambda scene, used: int(np.prod([n // 4 for n in scene.cells])))


SCENES: dict[str, tuple[Any, int]] = {
    "cube": (lambda folder: cube(16), 13),
    "fountain of lava": (lambda folder: fountain(), 5),
    "pool with emitters and effects": (lambda folder: build_scene(load_shot(write_tiny_shot(folder)), "S"), 4),
    "lava": (lambda folder: build_scene(load_shot(write_tiny_lava(folder)), "S"), 2),
}


@pytest.mark.parametrize("name", SCENES)
def test_the_room_changes_no_bit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, frames = SCENES[name]
    scene = make(tmp_path)
    make_plenty(monkeypatch)
    wanted, grown = advanced(scene, NumbaBackend(1), frames)
    assert grown == 0
    make_tight(monkeypatch)
    found, grown = advanced(scene, NumbaBackend(1), frames)
    assert found == wanted and grown > 0


@pytest.mark.parametrize("name", ["cube", "lava"])
def test_a_substep_that_a_sort_stops_leaves_the_state_as_it_was(name: str, tmp_path: Path) -> None:
    """All of its sound steps with it: these write J, and of lava the velocity, in place."""
    simulation = Simulation(SCENES[name][0](tmp_path), NumbaBackend(1))
    simulation.advance_frame()
    arrays, used = simulation._state.arrays, int(simulation.counts[k.COUNT_BLOCKS])
    before, digest = simulation.snapshot(), simulation.state_digest()
    arrays |= simulation._state._block_arrays(used // 3)
    simulation._substep(Substep(heat_dt_s=1e-3 if simulation.scene.has_heat else 0.0, sound_steps=4), completed=True)
    counts = np.array(simulation.counts)
    assert counts[k.COUNT_BLOCKS_NEEDED] > used // 3 and simulation.state_digest() == digest
    after = simulation.snapshot()
    for array in ("position", "velocity", "step", *(("temperature", "viscosity") if simulation.scene.has_heat else ())):
        assert np.array_equal(after[array], before[array]), array
    assert counts[k.COUNT_SUBSTEPS] == before["counts"][k.COUNT_SUBSTEPS]


@pytest.mark.parametrize("name", SCENES)
def test_frames_have_several_sound_steps_and_come_again_from_every_state(name: str, tmp_path: Path) -> None:
    """The first substep of all has half of them, whether the state is the scene's own, one put back or one saved."""
    scene = SCENES[name][0](tmp_path)
    simulation = Simulation(scene, NumbaBackend(1))
    kept, states = [simulation.keep()], [simulation.snapshot()]
    done: list[tuple[object, str]] = []
    for _ in range(3):
        done.append((simulation.advance_frame(), simulation.state_digest()))
        kept.append(simulation.keep())
        states.append(simulation.snapshot())
    first, second = (work for work, _ in done[:2])
    assert isinstance(first, FrameWork) and isinstance(second, FrameWork)
    each = second.sound_steps // second.substeps
    thin = name.startswith("pool")  # it has a solid so thin that liquid would pass it in several
    assert (each > 1) != thin and second.sound_steps == each * second.substeps
    assert first.sound_steps % each == (each + 1) // 2 % each
    for start in (2, 0, 1):
        simulation.restore(kept[start])
        assert (simulation.advance_frame(), simulation.state_digest()) == done[start]
        fresh = Simulation(scene, NumbaBackend(1))
        fresh.restore(states[start])
        assert (fresh.advance_frame(), fresh.state_digest()) == done[start]


class Replayed:
    """A recording that does every launch, and holds it against what its key stood for before."""

    def __init__(self, backend: Listening) -> None:
        self.backend = backend
        self.known: dict[Hashable, list[object]] = {}
        self.met_again = 0

    def run(self, key: Hashable, launches: Callable[[], None]) -> None:
        before = len(self.backend.heard)
        launches()
        heard = self.backend.heard[before:]
        self.met_again += key in self.known
        assert self.known.setdefault(key, heard) == heard, "another sequence of the same key"

    def forget(self) -> None:
        self.known.clear()


class Listening(NumbaBackend):
    """Notes every launch: the kernel, which arrays, and the scalars."""

    def __init__(self) -> None:
        super().__init__(1)
        self.heard: list[object] = []
        self.replayed = Replayed(self)

    def recording(self) -> Replayed:  # type: ignore[override]
        return self.replayed

    def launch(self, kernel: Any, *arguments: Any) -> None:
        seen = [one.ctypes.data if isinstance(one, np.ndarray) else one for one in arguments]
        self.heard.append((kernel.name, *seen))
        super().launch(kernel, *arguments)


@pytest.mark.parametrize("name", SCENES)
def test_equal_keys_of_a_recording_stand_for_equal_launches(name: str, tmp_path: Path) -> None:
    """The first frame's first substep has a key of its own, and so has one of another number of sound steps."""
    scene, backend = SCENES[name][0](tmp_path), Listening()
    simulation = Simulation(scene, backend)
    for _ in range(5):
        simulation.advance_frame()
    assert backend.replayed.met_again > 1


@NEEDS_COMPILER
@pytest.mark.parametrize("name", ["cube", "fountain of lava"])
def test_nor_on_a_gpu_whose_launches_are_recorded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = SCENES[name][0](tmp_path)
    frames = SCENES[name][1]
    make_plenty(monkeypatch)
    wanted, _ = advanced(scene, NumbaBackend(1), frames)
    make_tight(monkeypatch)
    found, grown = advanced(scene, emulated_gpu(tmp_path), frames)
    assert found == wanted and grown > 1


@pytest.mark.parametrize(
    ("cells_x", "frame_rate"),
    [
        (32, 12.0),
        (32, 24.0),
        (32, 48.0),
        (48, 24.0),
        (64, 24.0),
    ],
)
def test_a_drop_on_a_dry_floor_runs(cells_x: int, frame_rate: float) -> None:
    scene = cube(cells_x, frame_rate)
    simulation = Simulation(scene, NumbaBackend(1))
    while simulation.frame / frame_rate < 14 / 24:
        simulation.advance_frame()
    low = k.WALL_CELLS * scene.cell_size_m
    place = np.array(simulation.position)[: simulation.particle_count, :3] - low
    assert np.isfinite(place).all() and (place > 0).all()
    assert place[:, 2].mean() < 0.2 and np.ptp(place[:, 0]) > 1.0  # it has fallen, and spread


class FullAt(NumbaBackend):
    """Memory runs out once, at the first array that is made after a test says so."""

    fails = False

    def zeros(self, shape: int | Sequence[int], dtype: Any) -> np.ndarray:  # type: ignore[override]
        if self.fails:
            self.fails = False
            raise Unavailable("out of memory")
        return super().zeros(shape, dtype)  # type: ignore[arg-type]


def test_a_frame_that_memory_ran_out_in_goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = fountain()
    wanted, _ = advanced(scene, NumbaBackend(1), 6)
    make_tight(monkeypatch)
    backend = FullAt(1)
    simulation = Simulation(scene, backend)
    failed, found = 0, []
    for _ in range(6):
        backend.fails = True
        try:
            work = simulation.advance_frame()
        except Unavailable:
            failed += 1
            work = simulation.advance_frame()
        found += [work, simulation.state_digest()]
    assert found == [one for n, one in enumerate(wanted) if n % 4 < 2] and failed > 1
