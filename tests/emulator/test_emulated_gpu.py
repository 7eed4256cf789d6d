"""A tiny shot through the GPU's back-end, text of the real kernels included: the same bits as the CPU's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.pipeline.frame import make_frame
from bench.pipeline.render import Renderer
from bench.pipeline.scene.blocks_of_water import box_points, water_scene
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.scene.needs import scene_steps
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot
from kernels.gather import mpm_g2p, mpm_strain
from kernels.mpm import mpm_control, mpm_grid, mpm_p2g, mpm_push, mpm_sort
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
from tests.support.tiny_shot import write_tiny_lava, write_tiny_shot

pytestmark = [pytest.mark.slow, NEEDS_COMPILER]  # some thirty texts are compiled once

SUBSTEP = (mpm_sort, mpm_p2g, mpm_grid, mpm_g2p, mpm_control)
SOUND_STEP = (mpm_strain, mpm_control, mpm_push, mpm_grid)  # each further one of a substep


def drop() -> Scene:
    """A few cells of falling water over two frames of several substeps."""
    cell = 0.05
    points = box_points((3, 3, 2), (6, 6, 5), cell)
    velocity = np.zeros_like(points)
    velocity[:, 2] = -1.0
    return water_scene(points, (12, 12, 12), cell, velocity=velocity, sound_speed_m_per_s=8.0, frame_dt_s=0.012)


def passes_of(modules: tuple[ModuleType, ...]) -> int:
    return sum(len(module.KERNEL.passes) for module in modules)


def test_states_of_graphs_and_of_launches_equal_the_cpu_s(tmp_path: Path) -> None:
    gpu = emulated_gpu(tmp_path)
    simulations = [Simulation(drop(), device) for device in (NumbaBackend(1), gpu)]
    digests: list[set[str]] = []
    for _ in range(5):  # the first frame's first substep is another one, and an odd number of them changes sides
        work = [simulation.advance_frame() for simulation in simulations]
        assert work[0] == work[1] and work[0].substeps > 2
        digests.append({simulation.state_digest() for simulation in simulations})
    assert [len(both) for both in digests] == [1] * 5 and digests[3] != digests[4]
    log, steps = gpu._cupy.log, scene_steps(drop(), drop().speed_limit_m_per_s)
    assert steps.substeps == work[1].substeps and steps.sound_steps > 1
    launches = steps.substeps * (passes_of(SUBSTEP) + (steps.sound_steps - 1) * passes_of(SOUND_STEP))
    assert ("graph of", launches) in log, "all substeps of a frame are one graph"
    assert log.count("graph") >= 2
    assert gpu.graph_problem is None


@pytest.mark.parametrize("write", [write_tiny_shot, write_tiny_lava])
def test_frames_of_a_shot_equal_the_cpu_s(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    """Emitter, effects, colliders, terrain, heat, level set, fog and tracer: state and picture by SHA-256."""
    shot = load_shot(str(write(tmp_path)))
    found = []
    for device in (NumbaBackend(1), emulated_gpu(tmp_path)):
        scene = build_scene(shot, "S")
        simulation, renderer = Simulation(scene, device), Renderer(scene, device)
        proofs = []
        for frame in (1, 2):
            made = make_frame(simulation, renderer, frame)
            work = renderer.work(made.rendering)
            proofs.append((made.simulated, simulation.state_digest(), made.picture.digest, work))
        found.append(proofs)
    assert found[0] == found[1]
    assert found[0][0][1:3] != found[0][1][1:3]
