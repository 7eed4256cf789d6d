"""Projected beside actual: each figure, its error, whether the truth lay in the interval; and the slowest task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.base import units
from bench.farm.report.actual import FIGURES, Actual, actual
from bench.farm.report.files import FarmFiles, Foretold, FrameForetold, Made, Span
from bench.record.statistics import median

WORDS = {
    "makespan_s": "makespan",
    "chain_s": "simulation chain",
    "wait_s": "frames waited",
    "dispatch_s": "dispatch",
    "start_s": "start-up",
    "load_s": "load",
    "render_s": "render",
    "write_s": "write",
    "utilisation": "utilisation",
}
PARTS = ("start", "load", "surface", "trace", "write")
SLOW_NODE = 1.3  # times that a node's median lies over that of the others before it is named


@dataclass(frozen=True)
class Line:
    """One figure: projected and actual."""

    name: str  # of FIGURES
    projected: Span
    actual: float | None

    @property
    def error(self) -> float | None:
        """What the projection's P50 was off by; None where one of the two is not known."""
        if self.projected.p50 is None or not self.actual:
            return None
        return self.projected.p50 / self.actual - 1.0

    @property
    def held(self) -> bool | None:
        """Whether the truth lay in the 80 % interval."""
        low, high = self.projected.p10, self.projected.p90
        return None if self.actual is None or low is None or high is None else low <= self.actual <= high


@dataclass(frozen=True)
class Slowest:
    """The task that took the longest, and what of it took longer than was foretold."""

    task: str
    node: str
    worker: str
    took_s: float
    foretold_s: float | None
    why: str


@dataclass(frozen=True)
class Report:
    """A run, foretold and run."""

    foretold: Foretold
    actual: Actual
    lines: tuple[Line, ...]
    slowest: Slowest | None
    notes: tuple[str, ...]

    def line(self, name: str) -> Line:
        return next(line for line in self.lines if line.name == name)


def report(files: FarmFiles) -> Report:
    """Raises UserError where projection and log are not of one run."""
    found = actual(files)
    lines = tuple(Line(name, getattr(files.foretold, name), found.figures[name]) for name in FIGURES)
    return Report(files.foretold, found, lines, _slowest(files.foretold, found), (*files.notes, *_notes(found)))


def _notes(found: Actual) -> list[str]:
    notes = []
    if found.sessions_before:
        notes.append(f"went on from {_times(found.sessions_before, 'earlier run')}, not in these figures")
    sessions = len(found.clock.sessions)
    if sessions > 1:
        notes.append(f"was taken up again {_times(sessions - 1, 'time')}; the time between is left out")
    if found.faults:
        of = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.faults.items()))
        notes.append(f"tasks that did not come back well: {of}; made again and done: {found.retried}")
    if found.outcome != "done":
        notes.append(f"the run did not come to its end ({found.outcome}): its makespan is not known")
    return notes


def _times(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _took(one: Made) -> float:
    return one.ended_s - one.begun_s


def _slowest(foretold: Foretold, found: Actual) -> Slowest | None:
    pictures = [one for one in found.made if one.kind in ("render", "part")]
    if not pictures:
        return None
    one = max(pictures, key=lambda each: (_took(each), each.task))
    known = next((frame for frame in foretold.tasks if frame.frame == one.frame), None)
    share = 1 if one.kind == "render" else max(1, sum(p.frame == one.frame for p in pictures))
    foretold_s = None if known is None else sum(getattr(known, f"{part}_s") for part in PARTS) / share
    worker = one.row[1]
    return Slowest(one.task, one.node, worker, _took(one), foretold_s, _why(one, known, share, found, pictures))


def _why(one: Made, known: FrameForetold | None, share: int, found: Actual, pictures: Sequence[Made]) -> str:
    """Its parts over their projection, the largest first; a retry; a node that is slow altogether."""
    reasons = []
    tries = max((task.attempt for task in found.tasks if task.frame == one.frame and task.kind == one.kind), default=1)
    if tries > 1:
        failed = next((t for t in found.tasks if t.frame == one.frame and t.outcome != "done"), None)
        reasons.append(f"attempt {tries}" + (f": {failed.outcome}, {failed.why}" if failed and failed.why else ""))
    if known is not None:
        over = {part: one.took(part) - getattr(known, f"{part}_s") / share for part in PARTS}
        over["wait"] = (one.wait_s or 0.0) - known.wait_s
        for part, seconds in sorted(over.items(), key=lambda item: -item[1])[:2]:
            if seconds > 0.1 * _took(one):
                reasons.append(f"{part} {units.seconds(seconds)} over its projection")
    here = median([_took(p) for p in pictures if p.node == one.node and p.kind == one.kind])
    there = median([_took(p) for p in pictures if p.node != one.node and p.kind == one.kind])
    if here and there and here > SLOW_NODE * there:
        reasons.append(f"node {one.node}: its tasks take {here / there:.1f} times as long as those of the others")
    return "; ".join(reasons) or "the most work: each part as foretold"
