"""A farm run, event by event: what ``shotmark farm run`` does, with every number fixed.

One worker simulates, frame after frame; a frame is rendered as soon as the submitting side has seen what it is rendered
from; the longest goes first; a worker pays a start-up before its first task, and a scene before its simulation and its
first picture; workers of one machine share its cores (``shared_cores``). How a frame is cut is decided when it goes out
(``pieces``), from what was measured until then. One task after another is handed out and taken back by one dispatcher.
Frames in parts are put together by a worker; in the end the submitting side writes the manifest. A worker may be lost:
its task is noticed missing after a while and made again, the simulation from the last state that was kept.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.project.model.pieces import FEW, FrameCost, parts_of
from bench.project.model.shared_cores import Cores

SIMULATE, RENDER, PART, ASSEMBLE = "simulate", "render", "part", "assemble"
# The order among tasks that are ready: the simulation holds up all others; what is begun is ended before what is not
RANK = {SIMULATE: 0, ASSEMBLE: 1, PART: 2, RENDER: 3}


@dataclass(frozen=True)
class FarmMachine:
    """Cores that workers share."""

    cores: float
    crowding: float = 1.0  # times that everything takes longer there once all cores work
    others: float = 0.0  # threads of somebody else, all the time


@dataclass(frozen=True)
class FarmWorker:
    """One worker."""

    machine: int  # its place among the machines
    arrives_s: float = 0.0  # from the beginning until it can be given a task
    start_s: float = 0.0  # imports and kernels, on one core, before its first task
    scene_s: float = 0.0  # a scene, on one core: of the simulation, and of the first picture after that
    threads: float = 1.0
    slow: float = 1.0  # times that it takes longer than the others


@dataclass(frozen=True)
class FrameWork:
    """Seconds of one frame on a worker that works alone. Only simulation, surface, trace and encoding hold cores."""

    frame: int
    simulate_s: float
    store_s: float = 0.0  # writing what its picture is made from, and the state to go on from
    wanted: bool = True  # else only simulated, for those after it
    present: bool = False  # its fluid is there from the beginning
    load_s: float = 0.0  # reading it
    surface_s: float = 0.0
    trace_s: float = 0.0
    encode_s: float = 0.0  # resolving and encoding, on one core
    write_s: float = 0.0  # picture and entry


@dataclass(frozen=True)
class Handing:
    """What the submitting side costs."""

    dispatch_s: float = 0.0  # one task after another
    latency_s: float = 0.0  # of a task, there and back
    seen_s: float = 0.0  # from a file's rename until it is seen
    pieces: int | None = None  # of every frame; None: as ``parts_of`` says
    sums_s: float = 0.0  # a part's sums to disk
    assemble_s: float = 0.0  # manifest and movie, at the end
    notice_s: float = 0.0  # from a worker's loss until its task is given to another
    return_s: float = math.inf  # from a worker's loss until another stands in its place


@dataclass
class Done:
    """One task: who made it, when, and what took how long (seconds from the beginning, or elapsed)."""

    kind: str
    frame: int  # of a simulation: the last one
    worker: int
    submitted_s: float
    begun_s: float = math.nan
    ended_s: float = math.nan
    returned_s: float = math.nan
    wait_s: float = 0.0  # from when its fluid existed until it was begun
    took_s: dict[str, float] = field(default_factory=dict)  # by what: start, load, trace ...
    lost: bool = False


@dataclass(frozen=True)
class FarmOutcome:
    """What one run took."""

    makespan_s: float  # infinite where it came to no end
    state_s: dict[int, float]  # when each frame's fluid existed
    chain_s: float  # from the begin of the first simulated frame to the last state
    tasks: tuple[Done, ...]
    workers: int

    def sum_of(self, *what: str) -> float:
        """Worker-seconds in these, of work that counted: of a lost simulation, what it had kept."""
        counted = (task for task in self.tasks if not task.lost or task.kind == SIMULATE)
        return sum(task.took_s.get(name, 0.0) for task in counted for name in what)

    @property
    def early_s(self) -> float:
        """From submitting each worker's first task until it was begun: of a real worker this is its start-up."""
        first: dict[int, Done] = {}
        for task in self.tasks:
            if not task.lost:
                first.setdefault(task.worker, task)
        return sum(task.begun_s - task.submitted_s for task in first.values())

    @property
    def dispatch_s(self) -> float:
        """Between submitting and beginning, and between ending and being known, all tasks but for ``early_s``."""
        done = [task for task in self.tasks if not task.lost]
        return sum(t.begun_s - t.submitted_s + t.returned_s - t.ended_s for t in done) - self.early_s

    @property
    def utilisation(self) -> float:
        """Share of the workers' time in work that counted."""
        busy = self.sum_of("simulate", "store", "load", "surface", "trace", "encode", "write")
        return busy / (self.workers * self.makespan_s) if 0.0 < self.makespan_s < math.inf else 0.0


Phase = tuple[str, float, float]  # what, seconds alone, cores asked for (0: none)


class _Run:
    """The state of one run; ``go`` lets it happen. An event is (time, order, what happens, to whom, in which life)."""

    def __init__(
        self,
        machines: Sequence[FarmMachine],
        workers: Sequence[FarmWorker],
        frames: Sequence[FrameWork],
        handing: Handing,
        losses: Sequence[tuple[float, int]],
    ) -> None:
        self.cores = [Cores(one.cores, one.crowding, one.others) for one in machines]
        self.workers, self.handing = workers, handing
        self.by_frame = {work.frame: work for work in frames}
        self.to_simulate = deque(work for work in frames if not work.present)
        self.unsent = sum(work.wanted for work in frames)  # frames that have not gone out
        self.unfinished = self.unsent
        self.parts_out: dict[int, int] = {}  # parts of a frame that have not come back
        self.share: dict[int, float] = {}  # of a frame's samples that a part traces
        self.state_s: dict[int, float] = {}
        self.tasks: list[Done] = []
        self.lives = [0] * len(workers)  # a lost worker's events are of the life before
        self.warm = [False] * len(workers)
        self.has_scene = [False] * len(workers)  # for pictures; a simulation lets go of it
        self.held = [0] * len(workers)  # the frame of whose parts a worker has the surface
        self.costs: dict[int, FrameCost] = {}  # of frames that were rendered, as they were
        self.simulated_s: list[float] = []  # of each frame, as it was
        self.now_task: dict[int, Done] = {}
        self.phases: dict[int, list[Phase]] = {}  # what is left of a worker's task, the next one last
        self.phase_began = [0.0] * len(workers)
        self.events: list[tuple[float, int, str, int, int]] = []
        self.ends: list[tuple[float, int, int]] = []  # time, machine, its version
        self.free: list[tuple[float, int]] = []  # since when, worker
        self.ready: list[tuple[int, float, int, str, int]] = []  # rank, -length, order, kind, frame
        self.count = 0
        self.dispatcher = 0.0
        if self.to_simulate:
            self._line_up(SIMULATE, 0)
        for work in frames:
            if work.present and work.wanted:
                self.state_s[work.frame] = 0.0
                self._line_up(RENDER, work.frame)
        for number, worker in enumerate(workers):
            self._at(worker.arrives_s, "arrive", number)
        for when, number in losses:
            self._at(when, "lose", number)

    def go(self) -> FarmOutcome:
        what_happens = {
            "arrive": self._arrive,
            "begin": self._begin,
            "waited": self._passed,
            "back": self._back,
            "lose": self._lose,
        }
        while self.unfinished > 0 or self.to_simulate:
            while self.ends and self.ends[0][2] != self.cores[self.ends[0][1]].version:
                heapq.heappop(self.ends)
            computed = self.ends[0][0] if self.ends else math.inf
            if self.events and self.events[0][0] <= computed:
                now, _, what, whom, life = heapq.heappop(self.events)
                if what == "line up":
                    self._seen(now, whom)
                elif what == "again":
                    self._again(now, whom)
                elif what == "lose" or life == self.lives[whom]:
                    what_happens[what](now, whom)
            elif self.ends:
                now, machine, _ = heapq.heappop(self.ends)
                worker = self.cores[machine].end(now)
                self._foretell(machine)
                self._passed(now, worker)
            else:
                break
        finished = self.unfinished == 0 and not self.to_simulate
        ends = [task.returned_s for task in self.tasks if not task.lost]
        end_s = max(ends, default=0.0) + self.handing.assemble_s if finished else math.inf
        simulations = [task for task in self.tasks if task.kind == SIMULATE and not math.isnan(task.begun_s)]
        begun = [task.begun_s + task.took_s.get("start", 0.0) for task in simulations]
        chain_s = max(self.state_s.values()) - min(begun) if begun and self.state_s else 0.0
        return FarmOutcome(end_s, self.state_s, chain_s, tuple(self.tasks), len(self.workers))

    def _at(self, when: float, what: str, whom: int) -> None:
        self.count += 1
        of_worker = what not in ("line up", "again")
        heapq.heappush(self.events, (when, self.count, what, whom, self.lives[whom] if of_worker else 0))

    def _line_up(self, kind: str, frame: int) -> None:
        self.count += 1
        longest = self.by_frame[frame].trace_s if kind != SIMULATE else 0.0
        heapq.heappush(self.ready, (RANK[kind], -longest, self.count, kind, frame))

    # --- the submitting side -----------------------------------------------------------------
    def _arrive(self, now: float, worker: int) -> None:
        heapq.heappush(self.free, (now, worker))
        self._offer(now)

    def _seen(self, now: float, frame: int) -> None:
        self._line_up(RENDER, frame)
        self._offer(now)

    def _offer(self, now: float) -> None:
        """Give what is ready to who is free."""
        while self.free and self.ready:
            _, _, _, kind, frame = heapq.heappop(self.ready)
            if kind == RENDER and frame not in self.parts_out:
                parts = self.handing.pieces or self._parts(now, frame)
                self.unsent -= 1
                self.parts_out[frame], self.share[frame] = parts, 1.0 / parts
                if parts > 1:
                    for _ in range(parts):
                        self._line_up(PART, frame)
                    continue
            _, worker = heapq.heappop(self.free)
            self.dispatcher = max(self.dispatcher, now) + self.handing.dispatch_s
            task = Done(kind, frame, worker, submitted_s=now)
            self.tasks.append(task)
            self.now_task[worker] = task
            self._at(self.dispatcher + 0.5 * self.handing.latency_s, "begin", worker)

    def _parts(self, now: float, frame: int) -> int:
        """As the dispatcher decides, from what it has measured."""
        if self.unsent >= FEW * len(self.workers):
            return 1
        nearest = min(self.costs, key=lambda known: abs(known - frame), default=None)
        cost = self.costs[nearest] if nearest is not None else None
        step_s = median(self.simulated_s) if self.simulated_s else 0.0
        to_come = sum(work.wanted for work in self.to_simulate)
        ready_s = [0.0] * (self.unsent - to_come) + [step_s * (n + 1) for n in range(to_come)]
        free_s = [0.0] * len(self.free)
        for task in self.now_task.values():
            whole_s = {SIMULATE: step_s * to_come + now}
            if cost is not None:
                part_s = cost.of_part(round(1.0 / self.share.get(task.frame, 1.0)))
                whole_s |= {RENDER: cost.whole_s, ASSEMBLE: cost.fixed_s, PART: part_s}
            free_s.append(max(0.0, whole_s.get(task.kind, math.inf) - (now - task.submitted_s)))
        return parts_of(cost, ready_s, free_s, self.handing.dispatch_s + self.handing.latency_s)

    def _back(self, now: float, worker: int) -> None:
        """The submitting side knows that a task has ended."""
        task = self.now_task.pop(worker)
        task.returned_s = now
        if task.kind in (RENDER, PART):
            took = task.took_s
            fixed_s = sum(took.get(name, 0.0) for name in ("load", "surface", "encode", "write"))
            self.costs[task.frame] = FrameCost(fixed_s, took["trace"] / self.share[task.frame])
        if task.kind == PART:
            self.parts_out[task.frame] -= 1
            if self.parts_out[task.frame] == 0:
                self._line_up(ASSEMBLE, task.frame)
        elif task.kind != SIMULATE:
            self.unfinished -= 1
        self._arrive(now, worker)

    # --- a worker ----------------------------------------------------------------------------
    def _begin(self, now: float, worker: int) -> None:
        task = self.now_task[worker]
        task.begun_s = now
        if task.kind in (RENDER, PART):
            task.wait_s = now - self.state_s[task.frame]
        self.phases[worker] = self._phases(task, worker)[::-1]
        self._next(now, worker)

    def _phases(self, task: Done, worker: int) -> list[Phase]:
        it, found = self.workers[worker], list[Phase]()
        start_s = 0.0 if self.warm[worker] else it.start_s
        self.warm[worker] = True
        if task.kind == SIMULATE or not self.has_scene[worker]:
            start_s += it.scene_s
        self.has_scene[worker] = task.kind != SIMULATE
        if task.kind == SIMULATE:
            self.held[worker] = 0
        found.append(("start", start_s * it.slow, 1.0))
        if task.kind == SIMULATE:
            for work in self.to_simulate:
                found += [("simulate", work.simulate_s * it.slow, it.threads), ("store", work.store_s, 0.0)]
            return found
        work = self.by_frame[task.frame]
        if task.kind != ASSEMBLE:
            if self.held[worker] != task.frame:
                found += [("load", work.load_s, 0.0), ("surface", work.surface_s * it.slow, it.threads)]
            self.held[worker] = task.frame if task.kind == PART else 0
            found.append(("trace", work.trace_s * it.slow * self.share[task.frame], it.threads))
        if task.kind == PART:
            return [*found, ("write", self.handing.sums_s, 0.0)]
        return [*found, ("encode", work.encode_s * it.slow, 1.0), ("write", work.write_s, 0.0)]

    def _next(self, now: float, worker: int) -> None:
        """Begin what is left of a task, or end it."""
        while self.phases[worker]:
            _, seconds, cores = self.phases[worker][-1]
            self.phase_began[worker] = now
            if seconds > 0.0 and cores > 0.0:
                machine = self.workers[worker].machine
                self.cores[machine].start(now, worker, seconds, cores)
                self._foretell(machine)
                return
            if seconds > 0.0:
                self._at(now + seconds, "waited", worker)
                return
            self._note(now, worker)
        self.now_task[worker].ended_s = now
        self._at(now + 0.5 * self.handing.latency_s, "back", worker)

    def _passed(self, now: float, worker: int) -> None:
        self._note(now, worker)
        self._next(now, worker)

    def _note(self, now: float, worker: int) -> None:
        what, _, _ = self.phases[worker].pop()
        task = self.now_task[worker]
        passed_s = now - self.phase_began[worker]
        task.took_s[what] = task.took_s.get(what, 0.0) + passed_s
        if what == "simulate":
            self.simulated_s.append(passed_s)
        if what == "store":
            work = self.to_simulate.popleft()
            task.frame = work.frame
            self.state_s[work.frame] = now
            if work.wanted:
                self._at(now + self.handing.seen_s, "line up", work.frame)

    def _foretell(self, machine: int) -> None:
        end = self.cores[machine].next_end()
        if end < math.inf:
            heapq.heappush(self.ends, (end, machine, self.cores[machine].version))

    # --- losses ------------------------------------------------------------------------------
    def _lose(self, now: float, worker: int) -> None:
        """A worker is gone, and what it was making; what it had written stays."""
        task = self.now_task.get(worker)
        if task is not None and not math.isnan(task.ended_s):
            self._back(now, worker)
            task = self.now_task.get(worker)  # it may have been given the next one at once
        self.free = [one for one in self.free if one[1] != worker]
        heapq.heapify(self.free)
        self.lives[worker] += 1
        self.warm[worker] = self.has_scene[worker] = False
        self.held[worker] = 0
        if task is not None:
            del self.now_task[worker]
            phases = self.phases.pop(worker, [])
            if phases and phases[-1][2] > 0.0 and not math.isnan(task.begun_s):
                machine = self.workers[worker].machine
                self.cores[machine].cancel(now, worker)
                self._foretell(machine)
            task.lost, task.ended_s, task.returned_s = True, now, now + self.handing.notice_s
            self._at(task.returned_s, "again", self.tasks.index(task))
        if self.handing.return_s < math.inf:
            self._at(now + self.handing.return_s, "arrive", worker)

    def _again(self, now: float, number: int) -> None:
        task = self.tasks[number]
        self._line_up(task.kind, task.frame)
        self._offer(now)


def run(
    machines: Sequence[FarmMachine],
    workers: Sequence[FarmWorker],
    frames: Sequence[FrameWork],
    handing: Handing | None = None,
    losses: Sequence[tuple[float, int]] = (),
) -> FarmOutcome:
    """One farm run of these frames, in the order of the simulation; ``losses``: when which worker is lost."""
    return _Run(machines, workers, frames, handing or Handing(), losses).go()
