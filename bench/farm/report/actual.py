"""What a farm run really took, from its log and its manifest.

A run that was stopped and went on has several sessions. Time between them is no time of the run: ``Clock`` leaves it
out. The projection covers the sessions from the one before whose first task it was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.base.errors import UserError
from bench.farm.report.files import Begin, End, Event, FarmFiles, Foretold, Made, TaskDone, WorkerReady

FIGURES = (
    "makespan_s",
    "chain_s",
    "wait_s",
    "dispatch_s",
    "start_s",
    "load_s",
    "render_s",
    "write_s",
    "utilisation",
)


@dataclass(frozen=True)
class Session:
    """From one begin to its end, or to the last thing that was noted."""

    begin_s: float  # Unix time
    end_s: float
    outcome: str  # of the end; "broken off" without one
    events: tuple[Event, ...]


class Clock:
    """Seconds since the run began, without the time between its sessions."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = sessions

    def at(self, moment_s: float) -> float:
        passed = 0.0
        for session in self.sessions:
            if moment_s < session.begin_s:
                return passed
            passed += min(moment_s, session.end_s) - session.begin_s
            if moment_s <= session.end_s:
                return passed
        return passed

    @property
    def total_s(self) -> float:
        return sum(one.end_s - one.begin_s for one in self.sessions)

    @property
    def seams_s(self) -> list[float]:
        """When the run was taken up again."""
        return [self.at(one.begin_s) for one in self.sessions[1:]]


@dataclass(frozen=True)
class Actual:
    """What happened."""

    clock: Clock
    outcome: str  # "done", "stopped", "failed" or "broken off"
    made: tuple[Made, ...]  # every piece of work that is known, by when it began
    tasks: tuple[TaskDone, ...]
    ready: tuple[WorkerReady, ...]
    sessions_before: int  # whose frames were there when the projection was written
    figures: dict[str, float | None]  # of FIGURES; None where the log does not say
    workers: int
    faults: dict[str, int]  # tasks that did not come back well, by what became of them
    retried: int  # tasks that were made again and came back well

    @property
    def began_s(self) -> float:
        return self.clock.sessions[0].begin_s


def actual(files: FarmFiles) -> Actual:
    """Raises UserError where the projection is of none of the sessions."""
    sessions = _sessions(files.events)
    covered = [one for one in sessions if one.end_s >= files.foretold.at_s]
    if not covered:
        raise UserError("farm/projection.json: expected one that was written before the run of farm/log.jsonl ended")
    clock = Clock(covered)
    events = [event for one in covered for event in one.events]
    tasks = tuple(event for event in events if isinstance(event, TaskDone))
    ready = tuple(event for event in events if isinstance(event, WorkerReady))
    begun = covered[0].begin_s
    known = [one for task in tasks if task.outcome != "elsewhere" for one in task.made]
    made = _each_once([*known, *(one for one in files.manifest_made if one.ended_s >= begun)])
    workers = max(1, len({(one.node, one.worker) for one in ready}) or len({one.row for one in made}))
    outcome = covered[-1].outcome
    return Actual(
        clock=clock,
        outcome=outcome,
        made=made,
        tasks=tasks,
        ready=ready,
        sessions_before=len(sessions) - len(covered),
        figures=_figures(files.foretold, clock, made, tasks, outcome),
        workers=workers,
        faults=dict(Counter(task.outcome for task in tasks if task.outcome != "done")),
        retried=sum(task.outcome == "done" and task.attempt > 1 for task in tasks),
    )


def _sessions(events: Sequence[Event]) -> list[Session]:
    """Events before the first begin belong to no session."""
    starts = [number for number, event in enumerate(events) if isinstance(event, Begin)]
    found = []
    for first, after in zip(starts, [*starts[1:], len(events)]):
        mine = tuple(events[first:after])
        end = next((event for event in mine if isinstance(event, End)), None)
        begin_s = mine[0].at_s
        end_s = max(begin_s, end.at_s if end is not None else max(event.at_s for event in mine))
        found.append(Session(begin_s, end_s, end.outcome if end is not None else "broken off", mine))
    return found


def _each_once(made: Iterable[Made]) -> tuple[Made, ...]:
    """The log and the manifest tell of the same work."""
    found = {(one.task, one.part, one.node, one.pid, one.begun_s): one for one in made}
    return tuple(sorted(found.values(), key=lambda one: (one.begun_s, one.node, one.worker or "", one.task)))


def before_s(task: TaskDone) -> float:
    """What a worker took of a task before its first piece of work: imports and kernels, of its first task."""
    if task.begun_s is None or not task.made:
        return 0.0
    return max(0.0, min(one.begun_s for one in task.made) - task.begun_s)


def _first_of_workers(tasks: Sequence[TaskDone]) -> set[int]:
    """Places of the tasks that a process did first: what lies before them is its start-up, not dispatch."""
    found: dict[object, tuple[float, int]] = {}
    for place, task in enumerate(tasks):
        if task.begun_s is not None and task.node is not None:
            pids = {one.pid for one in task.made}
            who = task.node, task.worker, pids.pop() if len(pids) == 1 else None
            found[who] = min(found.get(who, (task.begun_s, place)), (task.begun_s, place))
    return {place for _, place in found.values()}


def _figures(
    foretold: Foretold, clock: Clock, made: Sequence[Made], tasks: Sequence[TaskDone], outcome: str
) -> dict[str, float | None]:
    pictures = [one for one in made if one.kind != "simulate"]
    states = [one for one in made if one.kind == "simulate"]
    done = [task for task in tasks if task.outcome == "done"]
    busy = sum(one.took(name) for one in made for name in ("simulate", "load", "surface", "trace", "write"))
    first = _first_of_workers(done)
    early_s = sum(max(0.0, (done[n].begun_s or 0.0) - (done[n].submitted_s or done[n].begun_s or 0.0)) for n in first)
    waits: dict[int, float] = {}
    for one in pictures:
        if one.wait_s is not None and one.frame is not None:
            # Of a state from an earlier run, only since this one began
            wait_s = min(one.wait_s, clock.at(one.begun_s))
            waits[one.frame] = min(wait_s, waits.get(one.frame, wait_s))
    chain_s = None
    if states:
        begun_s = min(clock.at(one.begun_s) + one.took("start") for one in states)
        chain_s = max(clock.at(one.ended_s) for one in states) - begun_s
    starts_s = early_s + sum(one.took("start") for one in made) + sum(before_s(task) for task in done)
    found: dict[str, float | None] = {
        "makespan_s": clock.total_s if outcome == "done" else None,
        "chain_s": chain_s,
        "wait_s": sum(waits.values()) if waits else None,
        "dispatch_s": max(0.0, sum(task.handing_s for task in done) - early_s) if done else None,
        "start_s": starts_s if made else None,
        "load_s": sum(one.took("load") for one in pictures) if pictures else None,
        "render_s": sum(one.took("surface") + one.took("trace") for one in pictures) if pictures else None,
        "write_s": sum(one.took("write") for one in pictures) if pictures else None,
    }
    held = clock.total_s * foretold.workers
    found["utilisation"] = busy / held if held > 0.0 and made else None
    return found
