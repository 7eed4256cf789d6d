"""Frames handed to workers: which of them gets which, what comes back, and how that scales over the GPUs of a machine.

What a picture is made from is handed to the next device that is free, so a slow one gets fewer. What comes back is the
picture; its SHA-256 is held against golden ones like any other's. Not yet run on several GPUs.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench.base.errors import CheckFailed
from bench.pipeline.frame import HostState, Picture, proved_digest
from bench.pipeline.scene.build import Scene


@dataclass(frozen=True)
class Rendered:
    """One frame that a worker made."""

    frame: int
    picture: Picture
    device: str
    seconds: float  # from the state on the host to the picture on the host
    handover_s: float = 0.0  # of them, what crossing to the device and back took
    handover_bytes: int = 0  # that crossed, there and back


class Worker(Protocol):
    """One device that renders."""

    name: str

    def begin(self, scene: Scene) -> None:
        """Frames of this scene are asked for from here on; it need not be waited for."""

    def render(self, frame: int, state: HostState, samples: int | None) -> Rendered:
        """Make one frame of what a picture is made from; waits for it."""

    def close(self) -> None:
        """Let go of the device."""


class WorkerPool:
    """Hands frames to workers, one at a time each, and the pictures to ``done`` on the caller's thread."""

    def __init__(self, workers: Sequence[Worker], done: Callable[[Rendered], None], samples: int | None = None) -> None:
        self._done, self._samples = done, samples
        # One lies ready besides those that workers have: each is gigabytes of the host's memory
        self._waiting: queue.Queue[list[Any]] = queue.Queue(maxsize=1)
        self._finished: queue.SimpleQueue[Rendered | BaseException] = queue.SimpleQueue()
        self._open = 0
        self._stopped = threading.Event()
        self.frames: dict[str, int] = {worker.name: 0 for worker in workers}  # made by each
        self._threads = [threading.Thread(target=self._serve, args=(worker,), daemon=True) for worker in workers]
        for thread in self._threads:
            thread.start()

    def submit(self, frame: int, state: HostState) -> None:
        """Hand over one frame; waits while every worker has one and another lies ready."""
        self._open += 1
        while True:
            self.collect()
            try:
                self._waiting.put([frame, state], timeout=0.05)
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
            try:
                # Nothing here holds on to the state: the worker lets go of it once it has crossed
                self._finished.put(worker.render(job.pop(0), job.pop(0), self._samples))
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
    handover_s: float = 0.0  # of a frame, what crossing to its device and back took; others went on meanwhile
    handover_bytes: int = 0  # of a frame

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
        crossings: list[tuple[float, int]] = []

        def done(made: Rendered, crossings: list[tuple[float, int]] = crossings) -> None:
            digests.add(made.picture.digest)
            crossings.append((made.handover_s, made.handover_bytes))

        start = time.perf_counter()
        pool = WorkerPool(workers[:number], done)
        for _ in range(count):
            pool.submit(frame, state)
        pool.finish()
        seconds = time.perf_counter() - start
        handover_s, handover_bytes = (sum(each) for each in zip(*crossings, strict=True))
        frames = dict(pool.frames)
        rows.append(DeviceScaling(number, count, seconds, frames, handover_s / count, int(handover_bytes) // count))
    if len(digests) > 1:
        raise CheckFailed(f"devices of one machine make different pictures of frame {frame}")
    return rows
