"""Several GPUs in one machine: one of them simulates, each renders frames of its own, a process a device.

A frame's state is handed to the next device that is free, so a slow one gets fewer. What comes back is the picture;
its SHA-256 is held against golden ones like any other's. Not yet run on several GPUs.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

from bench.backend.protocol import Backend
from bench.base.errors import CheckFailed, ShotmarkError, Unavailable
from bench.pipeline.frame import HostState, Picture, make_picture, proved_digest

START_S = 300.0  # until a worker has built its scene and compiled


@dataclass(frozen=True)
class Rendered:
    """One frame that a worker made."""

    frame: int
    picture: Picture
    device: str
    seconds: float  # from the state on the host to the picture on the host


class Worker(Protocol):
    """One device that renders."""

    name: str

    def render(self, frame: int, state: HostState, samples: int | None) -> Rendered:
        """Make one frame; waits for it."""

    def close(self) -> None:
        """Let go of the device."""


class WorkerPool:
    """Hands frames to workers, one at a time each, and the pictures to ``done`` on the caller's thread."""

    def __init__(self, workers: Sequence[Worker], done: Callable[[Rendered], None], samples: int | None = None) -> None:
        self._done, self._samples = done, samples
        self._waiting: queue.Queue[tuple[int, HostState] | None] = queue.Queue(maxsize=len(workers))
        self._finished: queue.SimpleQueue[Rendered | BaseException] = queue.SimpleQueue()
        self._open = 0
        self._stopped = threading.Event()
        self.frames: dict[str, int] = {worker.name: 0 for worker in workers}  # made by each
        self._threads = [threading.Thread(target=self._serve, args=(worker,), daemon=True) for worker in workers]
        for thread in self._threads:
            thread.start()

    def submit(self, frame: int, state: HostState) -> None:
        """Hand over one frame; waits while every worker has one and another lies ready for it."""
        self._open += 1
        while True:
            self.collect()
            try:
                self._waiting.put((frame, state), timeout=0.05)
                return
            except queue.Full:
                continue

    def finish(self) -> None:
        """Wait for every frame. Raises what a worker raised."""
        try:
            while self._open:
                self.collect(wait=True)
        finally:
            self.stop()

    def stop(self) -> None:
        """End the workers' threads once each has done what it is at."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=0.0 if self._open else None)

    def collect(self, wait: bool = False) -> None:
        """Take all that is finished; at least one when told to wait. Then raises what a worker raised."""
        failure: BaseException | None = None
        while True:
            try:
                found = self._finished.get(timeout=0.2) if wait else self._finished.get_nowait()
            except queue.Empty:
                if wait and any(thread.is_alive() for thread in self._threads):
                    continue  # a get without a limit would keep Ctrl-C waiting
                break
            self._open -= 1
            wait = False
            if isinstance(found, BaseException):
                self._stopped.set()
                failure = failure or found
            else:
                self.frames[found.device] += 1
                self._done(found)
        if failure is not None:
            raise failure

    def _serve(self, worker: Worker) -> None:
        while not self._stopped.is_set():
            try:
                job = self._waiting.get(timeout=0.05)
            except queue.Empty:
                continue
            assert job is not None
            try:
                self._finished.put(worker.render(job[0], job[1], self._samples))
            except BaseException as error:  # the caller's thread raises it
                self._finished.put(error)
                return


@dataclass(frozen=True)
class DeviceScaling:
    """The same frames on so many devices."""

    devices: int
    frames: int
    seconds: float
    frames_by_device: dict[str, int]

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.seconds


def measure_scaling(workers: Sequence[Worker], frame: int, state: HostState, rounds: int = 2) -> list[DeviceScaling]:
    """One frame over and over, on one device, then on all: equal work, and pictures that have to be equal.

    Raises CheckFailed when a device makes other bits.
    """
    count = rounds * len(workers)
    digests: set[str] = set()
    for worker in workers:  # first calls are no part of a time
        digests.add(proved_digest(worker.render(frame, state, None).picture, frame))
    rows = []
    for number in dict.fromkeys((1, len(workers))):
        start = time.perf_counter()
        pool = WorkerPool(workers[:number], lambda made: digests.add(made.picture.digest))
        for _ in range(count):
            pool.submit(frame, state)
        pool.finish()
        rows.append(DeviceScaling(number, count, time.perf_counter() - start, dict(pool.frames)))
    if len(digests) > 1:
        raise CheckFailed(f"devices of one machine make different pictures of frame {frame}")
    return rows


def visible_device(number: int, visible: str | None) -> str:
    """What CUDA_VISIBLE_DEVICES has to say for a process that may use only this process's device ``number``."""
    names = [part.strip() for part in visible.split(",")] if visible else []
    return names[number] if number < len(names) else str(number)


class ProcessWorker:
    """A worker in a process of its own, which sees one device alone. ``started`` waits until it can render."""

    def __init__(self, shot_path: str, size: str, backend: str, number: int) -> None:
        self.name = f"{backend} {number}"
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        visible = visible_device(number, os.environ.get("CUDA_VISIBLE_DEVICES"))
        arguments = (there, shot_path, size, backend, visible)
        self._process = context.Process(target=_serve_process, args=arguments, daemon=True)
        self._process.start()
        there.close()

    def wait_ready(self) -> None:
        """Until it has built its scene and compiled. Raises Unavailable."""
        self._answer(START_S)

    def render(self, frame: int, state: HostState, samples: int | None) -> Rendered:
        start = time.perf_counter()
        try:
            self._here.send((frame, dict(state), samples))
        except OSError:
            raise self._gone() from None
        picture = self._answer(None)
        assert isinstance(picture, Picture)
        return Rendered(frame, picture, self.name, time.perf_counter() - start)

    def close(self) -> None:
        self._here.close()
        self._process.join(timeout=5.0)
        if self._process.is_alive():
            self._process.kill()

    def _answer(self, timeout_s: float | None) -> object:
        try:
            if timeout_s is not None and not self._here.poll(timeout_s):
                raise Unavailable(f"{self.name}: not ready after {timeout_s:.0f} s")
            kind, value = self._here.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if kind == "error":
            raise value
        return value

    def _gone(self) -> Unavailable:
        self._process.join(timeout=1.0)
        return Unavailable(f"{self.name}: its process ended (exit code {self._process.exitcode})")


def workers_of(shot_path: str, size: str, backend: Backend) -> list[ProcessWorker]:
    """A worker for every GPU that the driver shows; none where the back-end is no GPU."""
    return started([ProcessWorker(shot_path, size, backend.name, number) for number in range(backend.device_count())])


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


def _serve_process(pipe: Connection, shot_path: str, size: str, backend: str, visible: str) -> None:
    """The worker's process: builds the scene once, then renders what it is sent until the pipe closes."""
    os.environ["CUDA_VISIBLE_DEVICES"] = visible
    try:
        from bench.backend.choose import make_backends
        from bench.backend.numba_cpu import NumbaBackend
        from bench.pipeline.makers import MAKERS
        from bench.shot.load import load_shot

        device = NumbaBackend(1) if backend == "numba" else make_backends(backend)[0]
        scene = MAKERS.build_scene(load_shot(shot_path), size, threads=device.threads)
        simulation, renderer = MAKERS.simulation(scene, device), MAKERS.renderer(scene, device)
        pipe.send(("ready", None))
        while True:
            frame, state, samples = pipe.recv()
            simulation.restore(state)
            pipe.send(("picture", make_picture(simulation, renderer, frame, samples).picture))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:
        told = error if isinstance(error, ShotmarkError) else CheckFailed(f"{type(error).__name__}: {error}")
        pipe.send(("error", told))
