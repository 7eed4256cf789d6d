"""Whole frames of the three shots, tiny, on the twins in the emulator: state and picture have Numba's SHA-256."""

from __future__ import annotations

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.pipeline.frame import make_frame
from bench.pipeline.render import Renderer
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import SHOTS, load_shot
from kernels.base.registry import all_kernels
from tests.emulator import build
from tests.emulator.backend import EmulatorBackend

pytestmark = pytest.mark.skipif(not build.available(), reason=build.why_not())

CELLS = {"lava": 16, "wave": 16, "tornado": 12}  # along x, of size S; none of their blocks of 4 lies idle
VOXEL_PER_CELL = 1.5  # coarse, for the emulator is slow
ORDERS = 100
WORKERS = 2  # processes that go through them


@cache
def tiny_scene(name: str, folder: Path) -> Scene:
    """The shot as it ships but for its lattice, its picture and one sample a pixel."""
    text = (SHOTS / f"{name}.toml").read_text(encoding="utf-8")
    for key, value in (("cells_x", CELLS[name]), ("width", 12), ("height", 5), ("samples", 1)):
        text = re.sub(rf"(?m)^(\[size\.S\](?:\n\w.*)*?\n{key} = )\d+", rf"\g<1>{value}", text)
    if "voxel_per_cell" not in text:
        text = text.replace("[size.S]\n", f"[size.S]\nvoxel_per_cell = {VOXEL_PER_CELL}\n")
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return build_scene(load_shot(str(path)), "S")


def proof_of(scene: Scene, backend: Any, frames: int = 1) -> tuple[Any, ...]:
    """Whether the state is what it is, work, and SHA-256 of state and picture after some frames."""
    simulation, renderer = Simulation(scene, backend), Renderer(scene, backend)
    for _ in range(frames - 1):
        simulation.advance_frame()
    made = make_frame(simulation, renderer, frames)
    again = simulation.same_as(simulation.keep(to_compare=True))  # as the rounds of a measurement are proved
    return again, made.simulated, simulation.state_digest(), made.picture.digest, renderer.work(made.rendering)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


def test_frames_are_the_same_and_every_kernel_took_part(folder: Path) -> None:
    launched: set[str] = set()
    for name in CELLS:
        scene = tiny_scene(name, folder)
        emulator = EmulatorBackend(seed=3)
        assert proof_of(scene, emulator, 2) == proof_of(scene, NumbaBackend(1), 2), name
        launched |= emulator.launched
    assert set(all_kernels()) <= launched


@pytest.mark.parametrize("name", ["lava", "wave"])
def test_a_frame_with_every_access_checked(name: str, folder: Path) -> None:
    """No race, no access outside an array, nothing read from shared memory before it was written."""
    scene = tiny_scene(name, folder)
    assert proof_of(scene, EmulatorBackend(device_sms=1, checked=True)) == proof_of(scene, NumbaBackend(1))


def proofs_in_orders(folder: Path, first: int) -> set[str]:
    """Proofs of one frame in every second order of blocks and threads."""
    scene = tiny_scene("lava", folder)
    orders = range(first, ORDERS, WORKERS)
    return {repr(proof_of(scene, EmulatorBackend(1 + n // WORKERS % 2, seed=1 + n))) for n in orders}


@pytest.mark.slow
def test_a_hundred_orders_give_one_frame(folder: Path) -> None:
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        proofs = set().union(*pool.map(proofs_in_orders, [folder] * WORKERS, range(WORKERS)))
    assert len(proofs) == 1
