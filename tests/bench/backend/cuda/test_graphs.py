"""Recording that fails at any step: the state is the one without graphs, and the reason is kept."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.cupy_gpu import CupyBackend
from bench.base.errors import Unavailable
from bench.pipeline.scene.blocks_of_water import box_points, water_scene
from bench.pipeline.simulate import Simulation
from tests.support.fake_cupy import CudaRuntimeError, FakeCupy
from tests.support.fake_cupy.device import entries_of

FRAMES = 5
EVEN_S, ODD_S = 0.0099, 0.0124  # frames of two and of three substeps of two sound steps
SUBSTEPS = {EVEN_S: 2, ODD_S: 3}
# Passes of a substep, and of each further sound step; the very first substep has none
OF_SUBSTEP, OF_SOUND_STEP = 14, 6


def gather(text: str, name: str, blocks: int, threads: int, values: list[Any], shared_bytes: int) -> None:
    """In place of the device: the gather writes what it reads and a little more; a wrong side is another state."""
    if name == "mpm_g2p":
        names = [parameter.name for parameter in entries_of(text)[name].parameters]
        read, written = (words(values[names.index(f"position_{role}")]) for role in ("in", "out"))
        written[...] = read * np.float32(0.5) + np.float32(1.0)


def words(value: Any) -> np.ndarray:
    size = int(value["shape0"]) * int(value["shape1"])
    return np.frombuffer((ctypes.c_float * size).from_address(int(value["data"])), np.float32)


def water(gpu: CupyBackend, frame_dt_s: float) -> Simulation:
    points = box_points((3, 3, 2), (6, 6, 5), 0.05)
    return Simulation(water_scene(points, (12, 12, 12), 0.05, sound_speed_m_per_s=8.0, frame_dt_s=frame_dt_s), gpu)


def simulated(folder: Path, frame_dt_s: float, **fails: Any) -> tuple[list[np.ndarray], CupyBackend, FakeCupy]:
    """Positions after each frame, and what was at work."""
    cupy = FakeCupy(execute=gather, **fails)
    gpu = CupyBackend(0, cupy, folder)
    simulation, found = water(gpu, frame_dt_s), []
    for _ in range(FRAMES):
        work = simulation.advance_frame()
        assert work.substeps == SUBSTEPS[frame_dt_s]
        found.append(gpu.host(simulation.position))
    return found, gpu, cupy


def graph_sizes(cupy: FakeCupy) -> list[int]:
    return [entry[1] for entry in cupy.log if entry[0] == "graph of"]


@pytest.mark.parametrize("frame_dt_s", [EVEN_S, ODD_S])
def test_a_capture_that_fails_at_any_launch_changes_nothing(tmp_path: Path, frame_dt_s: float) -> None:
    want, gpu, cupy = simulated(tmp_path, frame_dt_s)
    launches, substeps = graph_sizes(cupy)[0], SUBSTEPS[frame_dt_s]
    assert gpu.graph_problem is None
    assert launches == substeps * OF_SUBSTEP + (substeps - 1) * OF_SOUND_STEP
    assert not np.array_equal(want[0], want[1])
    wrong = []
    for k in range(1, launches + 1):
        found, gpu, cupy = simulated(tmp_path, frame_dt_s, capture_fails=k)
        assert gpu.graph_problem == "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: operation not permitted"
        assert cupy.log.count("graph") == 0
        if not all(np.array_equal(a, b) for a, b in zip(want, found, strict=True)):
            wrong.append(k)
    assert wrong == []


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ({"capture_fails": "begin"}, "cudaErrorStreamCaptureUnsupported"),
        ({"capture_fails": "end"}, "cudaErrorStreamCaptureInvalidated"),
        ({"capture_fails": "instantiate"}, "cudaErrorMemoryAllocation"),
        ({"graph_fails_at": 1}, "cudaErrorMemoryAllocation"),
        ({"graph_fails_at": 2}, "cudaErrorMemoryAllocation"),
        ({"graph_fails_at": 3}, "cudaErrorMemoryAllocation"),
    ],
)
@pytest.mark.parametrize("frame_dt_s", [EVEN_S, ODD_S])
def test_so_does_any_other_step_of_a_graph(tmp_path: Path, frame_dt_s: float, fails: Any, said: str) -> None:
    want, _, cupy = simulated(tmp_path, frame_dt_s)
    if fails.get("graph_fails_at", 0) > cupy.log.count("graph"):
        pytest.skip("there are fewer graphs in these frames")
    found, gpu, _ = simulated(tmp_path, frame_dt_s, **fails)
    assert all(np.array_equal(a, b) for a, b in zip(want, found, strict=True))
    assert gpu.graph_problem is not None and gpu.graph_problem.startswith(said)


def test_frames_after_a_failure_that_passes_are_the_same(tmp_path: Path) -> None:
    """A capture fails once, and what follows is recorded after all: the sides are where they have to be."""
    want, _, _ = simulated(tmp_path, ODD_S)
    cupy = FakeCupy(execute=gather, capture_fails=20)
    gpu = CupyBackend(0, cupy, tmp_path)
    simulation = water(gpu, ODD_S)
    for frame in range(FRAMES):
        simulation.advance_frame()
        assert np.array_equal(gpu.host(simulation.position), want[frame]), frame
        if gpu.graph_problem is not None:
            cupy.capture_fails = gpu.graph_problem = None
    assert cupy.log.count("graph") > 0


def test_a_device_that_fails_for_good_is_no_matter_of_graphs(tmp_path: Path) -> None:
    """What is not done as a graph is done without one: an error that stays is met again there, and is one line."""
    cupy = FakeCupy(execute=gather, graph_fails_at=1)
    gpu = CupyBackend(0, cupy, tmp_path)
    simulation = water(gpu, EVEN_S)
    launch = cupy.cuda.driver.launchKernel

    def gone(*asked: Any) -> None:
        if cupy.graph_launches:
            raise CudaRuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")
        launch(*asked)

    gpu._launch_kernel = gone
    with pytest.raises(Unavailable, match=r"^GPU 0 failed: cudaErrorIllegalAddress"):
        for _ in range(FRAMES):
            simulation.advance_frame()
