"""Which frames are wanted, how far each is, and which tasks are ready: the order is decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bench.farm.dispatch.task import ASSEMBLE, PART, RANK, RENDER, SIMULATE, Task, Words
from bench.farm.dispatch.times import Times

Cut = Callable[[int], Sequence[Words]]  # about so many parts of a picture


class Board:
    """The frames of a run that are not finished when it begins."""

    def __init__(self, frames: Iterable[int], times: Times, cut: Cut) -> None:
        self.frames = tuple(sorted(frames))
        self._times, self._cut = times, cut
        self.unready = set(self.frames)  # their states are not there
        self.done: set[int] = set()
        self.failed: dict[int, str] = {}  # and why
        self.parts: dict[int, set[Words]] = {}  # of a frame that was cut: those that are not there
        self.cuts: dict[int, tuple[Words, ...]] = {}  # all of them
        self.simulating = False  # a task that simulates is ready or out
        self._ready: list[Task] = []

    # --- what is there -----------------------------------------------------------------------
    def fluids(self, there: set[int]) -> None:
        """States that are there: their frames can be rendered. Without the others somebody has to simulate."""
        for frame in sorted(self.unready & there):
            self.unready.discard(frame)
            self.push(Task(RENDER, frame))
        if self.unready and not self.simulating:
            self.push(Task(SIMULATE, frames=tuple(sorted(self.unready))))

    def lost_state(self, frame: int) -> None:
        """The state of a frame was damaged: it has to be simulated again. Parts of it that are there stay good."""
        self.unready.add(frame)
        self.parts.pop(frame, None)
        self._drop(frame)

    def push(self, task: Task) -> None:
        """A task is ready, at once or later."""
        if task.kind == SIMULATE:
            self.simulating = True
        if task.frame not in self.failed and task.frame not in self.done:
            self._ready.append(task)

    def pop(self, now_s: float, allows: Callable[[Task], bool]) -> Task | None:
        """The next task that may go out now and is allowed; None where there is none."""
        may = [task for task in self._ready if task.not_before_s <= now_s and allows(task)]
        if not may:
            return None
        found = min(may, key=self._rank)
        self._ready.remove(found)
        return found

    def _rank(self, task: Task) -> tuple[int, float, int]:
        """Looked up when it goes out, not when it comes: what a frame will take is learned meanwhile."""
        if task.frame is None:
            return RANK[task.kind], 0.0, 0
        cost = self._times.cost(task.frame)
        return RANK[task.kind], -cost.whole_s if cost is not None else 0.0, task.frame

    # --- frames ------------------------------------------------------------------------------
    def cut_frame(self, frame: int, count: int) -> bool:
        """Render a frame in about so many parts; whether it can be cut at all."""
        parts = tuple(self._cut(count)) if count > 1 else ()
        if len(parts) < 2:
            return False
        self.cuts[frame] = parts
        self.parts[frame] = set(parts)
        for part in parts:
            self.push(Task(PART, frame, part))
        return True

    def part_done(self, task: Task) -> None:
        """A part is there; after the last one the frame is put together."""
        assert task.frame is not None and task.part is not None
        left = self.parts.get(task.frame)
        if left is not None:
            left.discard(task.part)
            if not left:
                del self.parts[task.frame]
                self.push(Task(ASSEMBLE, task.frame))

    def parts_lost(self, frame: int, failures: int) -> None:
        """Some part of a frame was damaged; those that are whole cost nothing when they are asked for again."""
        parts = self.cuts[frame]
        self.parts[frame] = set(parts)
        for part in parts:
            self.push(Task(PART, frame, part, failures=failures))

    def finish(self, frame: int) -> None:
        self.done.add(frame)
        self.parts.pop(frame, None)
        self._drop(frame)

    def _drop(self, frame: int) -> None:
        self._ready = [task for task in self._ready if task.frame != frame]

    def fail(self, frames: Iterable[int], why: str) -> None:
        for frame in frames:
            if frame not in self.done:
                self.failed.setdefault(frame, why)
                self.unready.discard(frame)
                self._drop(frame)

    # --- how much is left --------------------------------------------------------------------
    @property
    def left(self) -> list[int]:
        """Frames that are neither finished nor given up."""
        return [frame for frame in self.frames if frame not in self.done and frame not in self.failed]

    @property
    def uncut(self) -> list[int]:
        """Frames of those that nobody has, nor a part of them: ready ones and those whose states are to come."""
        ready = {task.frame for task in self._ready if task.kind == RENDER and task.frame is not None}
        return sorted(ready | self.unready)
