"""A worker in a process of its own, which sees one device alone and renders there what it is handed.

It has no particles but those that are handed over: neither a scene's nor a simulation's. Not yet run on several GPUs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import time
from multiprocessing.connection import Connection

import numpy as np

from bench.backend.protocol import Backend
from bench.base.errors import CheckFailed, ShotmarkError, Unavailable
from bench.pipeline.frame import HostState, Picture, make_picture
from bench.pipeline.gpu_pool.pool import Rendered
from bench.pipeline.gpu_pool.shared import SharedRoom, hand, taken
from bench.pipeline.scene.build import Scene

START_S = 300.0  # until a worker has its device, or has made room for a scene
READY, MADE, ERROR = "ready", "made", "error"  # what a worker answers


def visible_device(number: int, visible: str | None) -> str:
    """What CUDA_VISIBLE_DEVICES has to say for a process that may use only this process's device ``number``."""
    names = [part.strip() for part in visible.split(",")] if visible else []
    return names[number] if number < len(names) else str(number)


def without_particles(scene: Scene) -> Scene:
    """A scene to make pictures of: its particles are handed over frame by frame."""
    none = np.zeros((0, 4), np.float32), np.zeros((0, 12), np.float32), np.zeros(0, np.float32)
    return dataclasses.replace(scene, position=none[0], velocity=none[1], temperature=none[2], initial_count=0)


class ProcessWorker:
    """A worker in a process of its own. ``wait_ready`` waits until that has its device."""

    def __init__(self, backend: str, number: int) -> None:
        self.name = f"{backend} {number}"
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._rooms = (SharedRoom.make(), SharedRoom.make())  # what is handed over, and what comes back
        visible = visible_device(number, os.environ.get("CUDA_VISIBLE_DEVICES"))
        arguments = (there, backend, visible, *self._rooms)
        self._process = context.Process(target=_serve_process, args=arguments, daemon=True)
        self._process.start()
        there.close()
        self._unanswered = False  # whether it makes room for a scene

    def wait_ready(self) -> None:
        """Until it has its device. Raises Unavailable."""
        self._answer(START_S)

    def begin(self, scene: Scene) -> None:
        self._send(without_particles(scene))
        self._unanswered = True

    def render(self, frame: int, state: HostState, samples: int | None) -> Rendered:
        if self._unanswered:
            self._answer(START_S)
            self._unanswered = False
        start = time.perf_counter()
        handed = hand(self._rooms[0], state)
        handover_bytes = sum(array.nbytes for array in state.values())
        del state  # the caller may have let go of it already
        self._send((frame, samples, handed))
        made, sample_count, busy_s = self._answer(None)
        found = taken(self._rooms[1], made)
        # The next picture will lie where this one does
        picture = Picture(np.array(found["rgb"]), np.array(found["variance"]), sample_count)
        handover_bytes += picture.rgb.nbytes + picture.variance.nbytes
        seconds = time.perf_counter() - start
        return Rendered(frame, picture, self.name, seconds, seconds - busy_s, handover_bytes)

    def close(self) -> None:
        self._here.close()
        self._process.join(timeout=5.0)
        if self._process.is_alive():
            self._process.kill()
        for room in self._rooms:
            if room is not None:
                room.close()

    def _send(self, message: object) -> None:
        try:
            self._here.send(message)
        except OSError:
            raise self._gone() from None

    def _answer(self, timeout_s: float | None) -> tuple:  # type: ignore[type-arg]
        try:
            if timeout_s is not None and not self._here.poll(timeout_s):
                raise Unavailable(f"{self.name}: not ready after {timeout_s:.0f} s")
            kind, *values = self._here.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if kind == ERROR:
            raise values[0]
        return tuple(values)

    def _gone(self) -> Unavailable:
        self._process.join(timeout=1.0)
        return Unavailable(f"{self.name}: its process ended (exit code {self._process.exitcode})")


def workers_of(backend: Backend) -> list[ProcessWorker]:
    """A worker for every GPU that the driver shows; none where the back-end is no GPU.

    Raises Unavailable where this process keeps its GPU to itself.
    """
    if backend.worker_problem is not None:
        raise Unavailable(backend.worker_problem)
    return started([ProcessWorker(backend.name, number) for number in range(backend.device_count())])


def started(workers: list[ProcessWorker]) -> list[ProcessWorker]:
    """The workers once all are ready: they start side by side. When one fails, none is left."""
    try:
        for worker in workers:
            worker.wait_ready()
    except BaseException:
        for worker in workers:
            worker.close()
        raise
    return workers


def _serve_process(
    pipe: Connection, backend: str, visible: str, there: SharedRoom | None, back: SharedRoom | None
) -> None:
    """The worker's process: renders what it is handed until the pipe closes, as it does when its parent is killed."""
    os.environ["CUDA_VISIBLE_DEVICES"] = visible
    try:
        from bench.backend.choose import make_backends
        from bench.backend.numba_cpu import NumbaBackend

        device = NumbaBackend(1) if backend == "numba" else make_backends(backend)[0]
        pipe.send((READY,))
        serve(pipe, device, there, back)
    except (EOFError, KeyboardInterrupt, ConnectionError):
        return
    except MemoryError:
        _tell(pipe, Unavailable("out of memory: fewer GPUs (CUDA_VISIBLE_DEVICES) or a smaller --size need less"))
    except Exception as error:
        told = error if isinstance(error, ShotmarkError) else CheckFailed(f"{type(error).__name__}: {error}")
        _tell(pipe, told)


def _tell(pipe: Connection, error: ShotmarkError) -> None:
    """The last words; nobody may be there to hear them."""
    with contextlib.suppress(OSError):
        pipe.send((ERROR, error))


def serve(pipe: Connection, device: Backend, there: SharedRoom | None, back: SharedRoom | None) -> None:
    """Answer scenes and frames on a device, until the pipe closes."""
    from bench.pipeline.makers import MAKERS
    from bench.pipeline.state import PictureState

    while True:
        message = pipe.recv()
        if isinstance(message, Scene):
            state, renderer = PictureState(message, device), MAKERS.renderer(message, device)
            pipe.send((READY,))
            continue
        frame, samples, handed = message
        state.put(taken(there, handed))
        device.synchronize()
        start = time.perf_counter()
        picture = make_picture(state, renderer, frame, samples).picture
        busy_s = time.perf_counter() - start
        pipe.send((MADE, hand(back, {"rgb": picture.rgb, "variance": picture.variance}), picture.samples, busy_s))
