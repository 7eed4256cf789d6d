"""A worker in a process of its own: the same picture from a part of the state, and what happens when one is killed."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from bench.backend.cupy_gpu import CupyBackend
from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import CheckFailed, Unavailable
from bench.measure import scaling_gpu
from bench.pipeline import makers as pipeline
from bench.pipeline.frame import HostState, Picture, make_picture
from bench.pipeline.gpu_pool.pool import measure_scaling
from bench.pipeline.gpu_pool.process import ProcessWorker, _serve_process, serve, started, without_particles
from bench.pipeline.gpu_pool.shared import SharedRoom, hand, taken
from bench.pipeline.scene.build import Scene, build_scene
from bench.pipeline.simulate import Simulation
from bench.pipeline.state import PictureState
from bench.shot.load import load_shot
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
from tests.support.fake_cupy import FakeCupy
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_lava, write_tiny_shot

WRITERS = {"water": write_tiny_shot, "lava": write_tiny_lava}
Made = tuple[Scene, HostState, Picture]


@pytest.fixture(scope="module", params=["water", "lava"])
def made(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A scene, what a picture of its second frame is made from, and that picture."""
    shot = load_shot(str(WRITERS[request.param](tmp_path_factory.mktemp("shot"))))
    scene, backend = build_scene(shot, "S"), NumbaBackend(1)
    simulation = Simulation(scene, backend)
    for _ in range(2):
        simulation.advance_frame()
    state, _ = simulation.crossed(whole=False)
    return scene, state, make_picture(simulation, pipeline.MAKERS.renderer(scene, backend), 2).picture


@contextlib.contextmanager
def one_worker() -> Iterator[ProcessWorker]:
    (worker,) = started([ProcessWorker("numba", 0)])
    try:
        yield worker
    finally:
        worker.close()


def test_a_picture_needs_less_than_half_of_a_state(made: Made) -> None:
    """The shot pours and sprays: positions, kinds and heat of both sorts of particles, and no velocity."""
    scene, state, _ = made
    simulation = Simulation(scene, NumbaBackend(1))
    simulation.advance_frame()
    part, whole = ({name: v.nbytes for name, v in simulation.crossed(w)[0].items()} for w in (False, True))
    assert set(part) < set(whole) and not any("velocity" in name for name in part)
    assert sum(part.values()) < 0.35 * sum(whole.values())
    assert ("temperature" in state) == scene.has_heat


def test_a_worker_has_no_particles_but_those_handed_over(made: Made) -> None:
    scene, _, _ = made
    bare = without_particles(scene)
    assert len(pickle.dumps(bare)) < len(pickle.dumps(scene)) - scene.position.nbytes - scene.velocity.nbytes
    assert (bare.particle_capacity, bare.cells) == (scene.particle_capacity, scene.cells)


def test_another_scene_s_state_is_refused(made: Made) -> None:
    scene, state, _ = made
    room = PictureState(without_particles(scene), NumbaBackend(1))
    more = np.zeros((scene.particle_capacity + 1, 4), np.float32)
    for wrong in (more, more[:5, :3], more[:5].astype(np.float64)):
        with pytest.raises(ValueError, match="the state of another scene: position"):
            room.put({**state, "position": wrong})
    with pytest.raises(KeyError, match="effect_kind"):
        room.put({name: values for name, values in state.items() if name != "effect_kind"})


@pytest.mark.slow
@NEEDS_COMPILER
def test_an_emulated_gpu_makes_the_same_picture(made: Made, tmp_path: Path) -> None:
    scene, state, expected = made
    here, there = multiprocessing.Pipe()
    rooms = [SharedRoom.make() for _ in range(2)]
    device = emulated_gpu(tmp_path)

    def serving() -> None:
        with contextlib.suppress(EOFError):
            serve(there, device, *rooms)

    thread = threading.Thread(target=serving)
    thread.start()
    here.send(without_particles(scene))
    assert here.recv() == ("ready",)
    for _ in range(2):  # the second time over what the first has left
        here.send((2, None, hand(rooms[0], state)))
        kind, handed, samples, _ = here.recv()
        found = taken(rooms[1], handed)
        assert kind == "made" and Picture(found["rgb"], found["variance"], samples).digest == expected.digest
    here.close()
    thread.join()


@pytest.mark.slow
def test_worker_processes_make_the_same_picture(made: Made) -> None:
    scene, state, expected = made
    with one_worker() as worker:
        worker.begin(scene)
        for _ in range(2):
            rendered = worker.render(2, state, None)
            assert rendered.picture.digest == expected.digest and rendered.device == "numba 0"
        crossed = sum(values.nbytes for values in (*state.values(), expected.rgb, expected.variance))
        assert rendered.handover_bytes == crossed and 0.0 < rendered.handover_s < rendered.seconds
        (row,) = measure_scaling([worker], 2, state, rounds=2)
        assert row.handover_bytes == crossed and row.handover_s > 0.0
        with pytest.raises(CheckFailed, match="KeyError"):
            worker.render(1, {"nonsense": np.zeros(1)}, None)
        with pytest.raises(Unavailable, match="its process ended"):
            worker.render(1, {}, None)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_one_line_and_leaves_nothing(made: Made) -> None:
    scene, state, _ = made
    before = shared_memory()
    with one_worker() as worker:
        worker.begin(scene)
        worker.render(2, state, None)
        assert worker._process.pid is not None
        os.kill(worker._process.pid, signal.SIGKILL)
        with pytest.raises(Unavailable, match=r"^numba 0: its process ended \(exit code -9\)$"):
            worker.render(2, state, None)
    assert shared_memory() == before
    assert [room for room in worker._rooms if room is not None and room._descriptor >= 0] == []


class Gone:
    """A pipe whose other end was killed: at the first word, or when a picture is to be sent."""

    def __init__(self, scene: Scene, state: HostState, sends: int) -> None:
        self.sends = sends
        self.messages: list[Any] = [without_particles(scene), (2, None, dict(state))]

    def send(self, message: Any) -> None:
        self.sends -= 1
        if self.sends < 0:
            raise BrokenPipeError

    def recv(self) -> Any:
        return self.messages.pop(0)


@pytest.mark.parametrize("sends", [0, 1, 2])
def test_a_worker_whose_parent_was_killed_ends_without_a_word(
    made: Made, sends: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    scene, state, _ = made
    pipe: Any = Gone(scene, state, sends)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    _serve_process(pipe, "numba", "", None, None)
    assert pipe.sends == -1 and capfd.readouterr() == ("", "")


PARENT = """
import sys, time
from bench.pipeline.gpu_pool.process import ProcessWorker, started
if __name__ == "__main__":
    (worker,) = started([ProcessWorker("numba", 0)])
    worker._rooms[0].write({"x": __import__("numpy").zeros(2**20)})
    print(worker._process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_worker_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    before = shared_memory()
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None and parent.stderr is not None
        number = int(parent.stdout.readline())
        assert psutil.pid_exists(number)
        parent.kill()
        deadline = time.monotonic() + 30.0
        while running(number) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not running(number)
        assert parent.stderr.read() == "", "it ends without a word"
    assert shared_memory() == before and list(tmp_path.iterdir()) == [script]


def running(number: int) -> bool:
    """Whether a process still does something: one that nobody waits for stays as a zombie."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def shared_memory() -> set[str]:
    return set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()


def test_workers_start_once_the_simulation_s_memory_is_the_driver_s_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker of the first GPU is another process: what this one's pool keeps is not there for it."""
    shot = load_shot(str(write_tiny_shot(tmp_path)))
    cupy = FakeCupy()
    held: list[int] = []

    def make_workers(*rest: Any) -> Any:
        held.extend((cupy.peak_bytes > 0, cupy.used_bytes, cupy.log.count("free")))
        raise Unavailable("far enough")

    case: Any = SimpleNamespace(shot=shot, size="S", frame=0)
    draft: Any = None
    with pytest.raises(Unavailable, match="far enough"):
        scaling_gpu.measure_all_devices([case], [CupyBackend(0, cupy, tmp_path)], draft, make_workers)
    assert held == [True, 0, 1]
