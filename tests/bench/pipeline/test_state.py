"""What crosses between a state on a device and the host, how much memory that takes, and where a kept state lies."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend import crossing
from bench.backend.cupy_gpu import CupyBackend
from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import Unavailable
from bench.pipeline.scene.blocks_of_water import box_points, water_scene
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot
from kernels.base import constants as k
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
from tests.support.fake_cupy import FakeCupy, FakeGpu
from tests.support.tiny_shot import write_tiny_shot

PIECE = 2**16


def scene(cells: int = 24) -> Scene:
    cell = 0.05
    points = box_points((3, 3, 2), (3 + cells, 3 + cells, 2 + cells), cell)
    box = 4 * ((cells + 12) // 4)
    return water_scene(points, (box, box, box), cell, sound_speed_m_per_s=8.0)


def on_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory_bytes: int = 2**28) -> tuple[Simulation, FakeCupy]:
    """A simulation on a device without one, whose state is what the scene begins with."""
    monkeypatch.setattr(crossing, "PIECE_BYTES", PIECE)
    cupy = FakeCupy(gpus=(FakeGpu(memory_bytes=memory_bytes),))
    return Simulation(scene(), CupyBackend(0, cupy, tmp_path)), cupy


def state_bytes(simulation: Simulation) -> int:
    return simulation.particle_count * (16 + 48)


def peak_of(call: Any) -> int:
    """Bytes that the host had at the most, over what it had before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_a_digest_needs_a_few_pieces_of_the_host_s_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, cupy = on_gpu(tmp_path, monkeypatch)
    assert state_bytes(simulation) > 50 * PIECE
    simulation.state_digest()  # makes the buffers
    cupy.host_bytes_most = 0
    assert peak_of(simulation.state_digest) < 4 * PIECE  # the fake makes one copy itself
    assert cupy.host_bytes_most < 2**10, "but for a few words nothing crosses as a whole"


def test_a_digest_on_a_cpu_copies_nothing() -> None:
    simulation = Simulation(scene(), NumbaBackend(1))
    simulation.state_digest()
    assert peak_of(simulation.state_digest) < PIECE


def test_the_digest_is_of_the_living_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, _ = on_gpu(tmp_path, monkeypatch)
    found = scene()
    digest = hashlib.sha256(np.array([0, found.initial_count, 0], "<i8").tobytes())
    digest.update(found.position.tobytes() + found.velocity.tobytes())
    assert simulation.state_digest() == digest.hexdigest()
    assert Simulation(found, NumbaBackend(1)).state_digest() == digest.hexdigest()


@pytest.mark.parametrize("whole", [True, False])
def test_state_and_digest_cross_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    simulation, cupy = on_gpu(tmp_path, monkeypatch)
    expected, sha256 = simulation.snapshot(), simulation.state_digest()
    crossed = cupy.crossed
    simulation.state_digest()
    once = cupy.crossed - crossed
    state, found = simulation.crossed(whole)
    extra = -(-simulation.particle_count * 4 // PIECE) + 4 if whole else 2  # keys, peaks, step; counts
    assert found == sha256 and cupy.crossed - crossed <= 2 * once + extra
    names = {"counts", "position", "effect_position", "effect_kind", "effect_temperature"}
    assert set(state) == (set(expected) if whole else names)
    assert all(np.array_equal(state[name], expected[name]) for name in state)
    needed = sum(array.nbytes for array in state.values())
    assert peak_of(lambda: simulation.crossed(whole)) < needed + 4 * PIECE


def test_a_snapshot_is_not_held_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, _ = on_gpu(tmp_path, monkeypatch)
    assert peak_of(simulation.snapshot) < 1.1 * (state_bytes(simulation) + 4 * simulation.particle_count)


def spoil(simulation: Simulation) -> None:
    for array in (simulation.position, simulation.velocity, simulation._state.arrays["key"]):
        array[...] = 7
    simulation.frame += 3


def test_a_kept_state_stays_on_the_device_and_is_put_back_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation, cupy = on_gpu(tmp_path, monkeypatch)
    before = simulation.state_digest()
    crossed, cupy.host_bytes_most = cupy.crossed, 0
    kept = simulation.keep()
    assert kept.on_device
    for _ in range(2):
        spoil(simulation)
        assert peak_of(lambda: simulation.restore(kept)) < PIECE
        assert cupy.crossed == crossed and cupy.host_bytes_most < 2**10
        assert (simulation.frame, simulation.state_digest()) == (0, before)
        crossed = cupy.crossed


def test_a_device_that_is_nearly_full_keeps_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, cupy = on_gpu(tmp_path, monkeypatch)
    before = simulation.state_digest()
    cupy.used_bytes = cupy.gpus[0].memory_bytes - int(1.5 * state_bytes(simulation))
    used = cupy.used_bytes
    kept = simulation.keep()
    assert not kept.on_device and cupy.used_bytes == used
    spoil(simulation)
    simulation.restore(kept)
    assert simulation.state_digest() == before


def test_memory_that_runs_out_is_had_back_from_a_kept_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, cupy = on_gpu(tmp_path, monkeypatch)
    before, kept = simulation.state_digest(), simulation.keep()
    assert kept.on_device
    free = cupy.gpus[0].memory_bytes - cupy.used_bytes
    picture = simulation.backend.zeros(free + state_bytes(simulation), np.uint8)
    assert not kept.on_device
    with pytest.raises(Unavailable, match="out of memory"):
        simulation.backend.zeros(state_bytes(simulation), np.uint8)
    spoil(simulation)
    simulation.restore(kept)
    assert simulation.state_digest() == before
    del picture


def test_a_state_that_nobody_has_holds_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, cupy = on_gpu(tmp_path, monkeypatch)
    used = cupy.used_bytes
    kept = simulation.keep()
    assert cupy.used_bytes > used + state_bytes(simulation)
    del kept
    assert cupy.used_bytes == used


def test_kept_words_say_which_scene_they_are_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, _ = on_gpu(tmp_path, monkeypatch)
    kept = simulation.keep()
    assert int(kept.words["counts"][k.COUNT_PARTICLES]) == simulation.particle_count
    other = Simulation(scene(20), simulation.backend)
    before = other.state_digest()
    with pytest.raises(ValueError, match="the state of another scene"):
        other.restore(kept)
    assert other.state_digest() == before


def some_frames(backend: Any, tmp_path: Path) -> Simulation:
    """A shot with everything in it; of its effects particles, which come later, a few are said to live."""
    simulation = Simulation(build_scene(load_shot(str(write_tiny_shot(tmp_path))), "S"), backend)
    for _ in range(2):
        simulation.advance_frame()
    simulation._state.arrays["counts"][k.COUNT_EFFECTS] = 5
    return simulation


def every_change_is_seen(simulation: Simulation) -> None:
    state = simulation._state
    kept = simulation.keep(to_compare=True)
    assert simulation.same_as(kept)
    lengths = state._hashed_lengths(simulation._state.counts())
    assert min(lengths.values()) > 0, "an array without rows shows nothing"
    for name, length in lengths.items():
        words = np.asarray(state.arrays[name]).reshape(len(state.arrays[name]), -1).view(np.int32)
        for row, same in ((0, False), (length - 1, False), (length, True)):
            if row < len(words):
                words[row, -1] ^= 1
                assert simulation.same_as(kept) == same, (name, row)
                words[row, -1] ^= 1
    for slot in (k.COUNT_PARTICLES, k.COUNT_EFFECTS):
        state.arrays["counts"][slot] -= 1
        assert not simulation.same_as(kept)
        state.arrays["counts"][slot] += 1
    simulation.frame += 1
    assert not simulation.same_as(kept)
    simulation.frame -= 1
    assert simulation.same_as(kept)
    kept.give_back()
    assert not simulation.same_as(kept) and not kept.arrays


def test_a_state_that_differs_in_a_bit_is_not_the_same(tmp_path: Path) -> None:
    every_change_is_seen(some_frames(NumbaBackend(1), tmp_path))


@pytest.mark.slow
@NEEDS_COMPILER
def test_a_gpu_sees_a_bit_that_differs(tmp_path: Path) -> None:
    every_change_is_seen(some_frames(emulated_gpu(tmp_path), tmp_path))


def test_a_comparison_that_was_not_made_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, cupy = on_gpu(tmp_path, monkeypatch)  # its launches do nothing
    kept = simulation.keep(to_compare=True)
    assert kept.on_device and not simulation.same_as(kept)
    cupy.used_bytes = cupy.gpus[0].memory_bytes
    crossed = cupy.crossed
    nowhere = simulation.keep(to_compare=True)
    assert not nowhere.on_device and not nowhere.arrays and cupy.crossed == crossed
