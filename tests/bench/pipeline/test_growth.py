"""Room that grows: what is not needed goes first, and where memory does not hold it, nothing has changed."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike

from bench.backend.cupy_gpu import CupyBackend
from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import Unavailable
from bench.pipeline import simulate
from bench.pipeline.scene import needs
from bench.pipeline.scene.build import build_scene
from bench.pipeline.simulate import Simulation
from bench.pipeline.surface import Surface
from bench.shot.load import load_shot
from kernels.base import constants as k
from kernels.base.kernel import Kernel
from tests.bench.pipeline.test_state import scene as water
from tests.support.fake_cupy import FakeCupy
from tests.support.tiny_shot import write_tiny_shot

SURFACE_BRICK = 4 + needs.BRICK_BYTES  # number and values
FOG_BRICK = 4 + 4 * k.BRICK_NODES * k.FOG_CHANNELS + 4


class CountingGpu(CupyBackend):
    """Finds as many bricks as a test says."""

    surface_bricks, fog_bricks = 100, 100

    def launch(self, kernel: Kernel, *args: Any) -> None:
        self.synchronize()  # what was sent is there, as it would be for a kernel
        if kernel.name == "surf_number":
            slot, _, counts = args[:3]
            counts[k.COUNT_BRICKS_NEEDED] = self.fog_bricks if slot == k.COUNT_FOG_BRICKS else self.surface_bricks


def leave_free(cupy: FakeCupy, free_bytes: int) -> None:
    """A device of the memory that is used now, and so much more."""
    cupy.gpus = (dataclasses.replace(cupy.gpus[0], memory_bytes=cupy.used_bytes + free_bytes),)


@pytest.mark.parametrize(("what", "brick_bytes"), [("surface_bricks", SURFACE_BRICK), ("fog_bricks", FOG_BRICK)])
def test_more_bricks_fit_where_the_old_ones_went_first(tmp_path: Path, what: str, brick_bytes: int) -> None:
    shot = load_shot(str(write_tiny_shot(tmp_path)))
    cupy, scene = FakeCupy(), build_scene(shot, "S")
    gpu: Any = CountingGpu(0, cupy, tmp_path)
    surface, simulation = Surface(scene, gpu), Simulation(scene, gpu)
    setattr(gpu, what, 2000)
    surface.build(simulation.fluid)
    leave_free(cupy, int(1.3 * (3000 - 2000) + 60) * brick_bytes)  # with the reserve
    setattr(gpu, what, 3000)
    surface.build(simulation.fluid)
    # What does not fit is one line, and a smaller picture can still be made
    setattr(gpu, what, 9000)
    with pytest.raises(Unavailable, match="out of memory"):
        surface.build(simulation.fluid)
    setattr(gpu, what, 2500)
    surface.build(simulation.fluid)


def test_more_blocks_fit_where_the_old_ones_went_first(tmp_path: Path) -> None:
    cupy = FakeCupy()
    simulation = Simulation(water(), CupyBackend(0, cupy, tmp_path))
    state = simulation._state
    blocks = state.block_capacity
    state.arrays["peak"][...] = np.arange(state.arrays["peak"].size, dtype=np.float32).reshape(-1, needs.PEAK_WORDS)
    peaks = np.array(state.arrays["peak"])
    leave_free(cupy, int(1.1 * needs.BLOCK_BYTES * blocks // 2) + peaks.nbytes * 2)
    state.make_room(3 * blocks // 2)
    assert state.block_capacity == 3 * blocks // 2 == len(state.arrays["node"])
    assert np.array_equal(state.arrays["peak"][:blocks], peaks[:blocks]) and not state.arrays["peak"][blocks:].any()
    used, shapes = cupy.used_bytes, {name: array.shape for name, array in state.arrays.items()}
    kept = np.array(state.arrays["peak"])
    with pytest.raises(Unavailable, match="out of memory"):
        state.make_room(9 * blocks)
    assert (cupy.used_bytes, state.block_capacity) == (used, 3 * blocks // 2)
    assert {name: array.shape for name, array in state.arrays.items()} == shapes
    assert np.array_equal(state.arrays["peak"], kept)


class FullBackend(NumbaBackend):
    """Memory runs out at the array that a test says, and is there again afterwards."""

    fails_at: int | None = None

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        if self.fails_at is not None:
            self.fails_at -= 1
            if self.fails_at == 0:
                raise Unavailable("out of memory")
        return super().zeros(shape, dtype)


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4, 5, 6])
def test_a_frame_that_found_no_room_can_be_made_later(fails_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = itertools.count(1000)  # more in every frame
    monkeypatch.setattr(simulate, "BLOCK_GROW_AT", 0.0)
    monkeypatch.setattr(simulate, "more_blocks", lambda used, grid: next(rooms))
    # Its substeps follow from the fastest particle of the frame before, which is in an array that grows
    scene = dataclasses.replace(water(4), speed_limit_m_per_s=0.01, sound_speed_m_per_s=1.0)
    backend = FullBackend(1)
    expected, found = Simulation(scene, NumbaBackend(1)), Simulation(scene, backend)
    for _ in range(2):
        expected.advance_frame(), found.advance_frame()
    before = found.state_digest()
    backend.fails_at = fails_at
    with pytest.raises(Unavailable):
        found.advance_frame()
    backend.fails_at = None
    assert found.state_digest() == before == expected.state_digest()
    assert found.advance_frame() == expected.advance_frame()
    assert found.state_digest() == expected.state_digest()
