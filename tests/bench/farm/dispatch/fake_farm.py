"""A farm with a clock of its own: workers that do tasks in no time of ours, and go wrong as a test wants them to.

States are real files, so that what looks for them is the real thing too.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.farm.dispatch.board import Board
from bench.farm.dispatch.dispatcher import Dispatcher, Run
from bench.farm.dispatch.shown import Silent, Status
from bench.farm.dispatch.times import Times
from bench.farm.dispatch.view import View
from bench.farm.engine.protocol import Returned
from bench.farm.log import FarmLog, read_log
from bench.farm.site import Pool

SIMULATE_S, LOAD_S, TRACE_S = 1.0, 0.1, 4.0
WIDTH, HEIGHT, SAMPLES = 64, 64, 16


@dataclass
class FakeWorker:
    pool: str
    node: str
    rank: str
    ticket: int | None = None
    tasks: int = 0  # that it was handed


@dataclass
class Fault:
    """What goes wrong with a task by its name, how often, after how long; ``answer`` None: its worker dies."""

    name: str
    answer: dict[str, object] | None = None
    times: int = 1
    after_s: float = 0.5
    late: bool = False
    begun: bool = True  # else it is lost with its node, before a worker has begun it
    before: Callable[[], None] = lambda: None


@dataclass
class FakeFarm:
    """An engine whose workers obey."""

    out: Path
    nodes: Mapping[str, int] = field(default_factory=lambda: {"n1": 2, "n2": 2, "n3": 2})
    trace_s: Callable[[int], float] = lambda frame: TRACE_S
    faults: list[Fault] = field(default_factory=list)
    now_s: float = 1_000_000.0
    begun: list[tuple[float, str, str]] = field(default_factory=list)  # when, which task, on whom
    finished: list[str] = field(default_factory=list)  # tasks that were done, in order
    frames_there: set[int] = field(default_factory=set)
    most_out: int = 0
    trouble: str | None = None
    closed: bool = False
    orders: list[Mapping[str, Any]] = field(default_factory=list)

    mutes: int = 0  # tasks that are taken and never begun
    mute: dict[int, FakeWorker] = field(default_factory=dict)
    renewed: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.out / "fluid").mkdir(parents=True, exist_ok=True)
        (self.out / "farm" / "now").mkdir(parents=True, exist_ok=True)
        self.crew = [FakeWorker("p", node, str(rank)) for node, count in self.nodes.items() for rank in range(count)]
        self._events: list[tuple[float, int, Callable[[], Returned | None]]] = []
        self._numbers = itertools.count(1)
        self._random = random.Random(7)

    def at(self, after_s: float, what: Callable[[], Returned | None]) -> None:
        heapq.heappush(self._events, (self.now_s + after_s, next(self._numbers), what))

    # --- Engine ------------------------------------------------------------------------------
    def now(self) -> float:
        return self.now_s

    def workers(self) -> Mapping[str, int]:
        return {pool: sum(worker.pool == pool for worker in self.crew) for pool in {w.pool for w in self.crew} | {"p"}}

    def queue(self) -> str:
        return ""

    def problem(self) -> str | None:
        return self.trouble

    def renew(self, pool: str, sound: Collection[str]) -> None:
        for ticket, worker in list(self.mute.items()):
            self.renewed.append(set(sound))
            del self.mute[ticket]

            def come(ticket: int = ticket, worker: FakeWorker = worker) -> Returned:
                worker.ticket = None
                return Returned(ticket, None, "the node was given back")

            self.at(5.0, come)

    def close(self) -> None:
        self.closed = True

    def submit(self, pool: str, order: Mapping[str, Any]) -> int:
        ticket = next(self._numbers)
        free = [worker for worker in self.crew if worker.pool == pool and worker.ticket is None]
        assert free, "more tasks than workers"
        self.orders.append(order)
        worker = self._random.choice(free)  # as Parsl's interchange does
        worker.ticket = ticket
        self.most_out = max(self.most_out, sum(one.ticket is not None for one in self.crew))
        self._begin(worker, ticket, order)
        return ticket

    def wait(self, most_s: float) -> list[Returned]:
        until = self.now_s + most_s
        found: list[Returned] = []
        while self._events and self._events[0][0] <= until and not found:
            self.now_s, _, what = heapq.heappop(self._events)
            back = what()
            found += [back] if back is not None else []
        if not found:
            self.now_s = until
        return found

    # --- what a worker does ------------------------------------------------------------------
    def _begin(self, worker: FakeWorker, ticket: int, order: Mapping[str, Any]) -> None:
        me, begun_s = {"node": worker.node, "worker": worker.rank, "ready_at_s": self.now_s}, self.now_s
        task = order["task"]
        name = name_of(task)

        first_s = order["start_limit_s"] if worker.tasks == 0 else 0.0
        limit_s = order["limit_s"] + first_s if order["limit_s"] is not None else float("inf")
        worker.tasks += 1

        def back(after_s: float, answer: dict[str, object] | None, lost: str | None = None) -> None:
            if after_s > limit_s and not fault:
                note.with_suffix(".late").write_text("Timeout!")
                after_s, answer, lost = limit_s, None, "the worker died"

            def come() -> Returned:
                worker.ticket = None
                if answer is not None and answer["outcome"] == "done":
                    self.finished.append(name)
                said = None if answer is None else {**me, **answer, "begun_s": begun_s, "ended_s": self.now_s}
                return Returned(ticket, said, lost)

            self.at(after_s, come)

        fault, note = None, self.out / "farm" / "now" / f"{order['note']}.json"
        if [worker.node, worker.rank] in order["avoid"] and order["others"]:
            back(0.01, {"outcome": "elsewhere"})
            return
        if self.mutes and task["kind"] == "render":
            self.mutes -= 1
            self.mute[ticket] = worker
            return
        fault = next((one for one in self.faults if one.name == name and one.times > 0), None)
        if fault is not None and not fault.begun:
            fault.times -= 1
            back(fault.after_s, None, "the node is gone")
            return
        self.begun.append((self.now_s, name, f"{worker.node}/{worker.rank}"))
        note.write_text(json.dumps({**me, "task": name, "begun_s": begun_s}))
        if fault is not None:
            fault.times -= 1
            fault.before()
            if fault.late:
                note.with_suffix(".late").write_text("Timeout!")
            back(fault.after_s, fault.answer, None if fault.answer else "the worker died")
            if fault.answer is not None or task["kind"] != "simulate":
                return
        self._work(task, back, dying_s=fault.after_s if fault is not None else float("inf"))

    def _work(self, task: Mapping[str, Any], back: Callable[..., None], dying_s: float) -> None:
        kind, frame = task["kind"], task["frame"]
        if kind == "simulate":
            for place, number in enumerate(task["frames"], 1):
                if place * SIMULATE_S < dying_s:
                    self.at(place * SIMULATE_S, lambda number=number: self.state(number))  # type: ignore[misc]
            if dying_s == float("inf"):
                made = [{"kind": kind, "frame": number, "simulate_s": SIMULATE_S} for number in task["frames"]]
                back(len(task["frames"]) * SIMULATE_S + 0.01, {"outcome": "done", "made": made})
            return
        share = 1.0
        if task["part"] is not None:
            x_low, y_low, x_high, y_high, _, _ = task["part"]
            share = (x_high - x_low) * (y_high - y_low) / (WIDTH * HEIGHT)
        trace_s = self.trace_s(frame) * share if kind != "assemble" else 0.0
        made = [{"kind": kind, "frame": frame, "load_s": LOAD_S, "surface_s": 0.0, "trace_s": trace_s, "write_s": 0.0}]
        if kind != "part":
            self.frames_there.add(frame)
        back(LOAD_S + trace_s, {"outcome": "done", "made": made})

    def state(self, frame: int) -> None:
        (self.out / "fluid" / f"{frame:06d}.npz").touch()

    # --- a whole run -------------------------------------------------------------------------
    def run(self, frames: int = 12, **more: Any) -> Dispatcher:
        dispatcher = self.dispatcher(frames, **more)
        dispatcher.run()
        return dispatcher

    def dispatcher(self, frames: int = 12, **more: Any) -> Dispatcher:
        from bench.farm.dispatch.dispatcher import Run

        numbers = range(1, frames + 1)
        times = Times(more.pop("projected", None))
        cut = more.pop("cut", rows)
        board = Board(numbers, times, cut)
        shown, stopped = more.pop("shown", Silent()), more.pop("stopped", lambda: False)
        pools = more.pop("pools", (Pool(name="p", provider="local", workers_per_node=6),))
        run = Run("t", self.now_s, {"out": str(self.out)}, pools, frames, **more)
        log = FarmLog(self.out / "farm", self.now)
        return Dispatcher(run, self, board, View(self.out), times, log, shown, stopped)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [one for one in read_log(self.out / "farm" / "log.jsonl") if one["event"] == name]


class Told(Silent):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.all: list[Status] = []

    def tell(self, line: str) -> None:
        self.lines.append(line)

    def status(self, status: Status) -> None:
        self.all.append(status)


def rows(count: int) -> list[tuple[int, int, int, int, int, int]]:
    """About so many parts of whole rows."""
    edges = [HEIGHT * n // count for n in range(count + 1)]
    return [(0, low, WIDTH, high, 0, SAMPLES) for low, high in itertools.pairwise(edges)]


def name_of(task: Mapping[str, Any]) -> str:
    from bench.farm.dispatch.task import Task

    return Task(task["kind"], task["frame"], tuple(task["part"]) if task["part"] else None).name


__all__ = ["FakeFarm", "Fault", "Run", "Told"]
