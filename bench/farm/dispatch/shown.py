"""What a person sees of a run: frames, who works, how long still, what went wrong. Always on standard error."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from bench.base import units
from bench.base.console import console, plain
from bench.base.progress import LINE_INTERVAL_S

NAMES_MOST = 4  # of running tasks that are listed


@dataclass(frozen=True)
class Status:
    """A run at a moment."""

    frames: int  # wanted
    done: int  # of them, those that were there among them
    failed: int
    rendering: int  # frames that somebody works at
    simulated: int  # frames whose states are there, or were
    workers: int  # that are there
    workers_wanted: int
    working: tuple[str, ...]  # what runs, and where
    queue: str  # what is waited for, in words
    left_s: float | None  # until the end; None while nobody knows

    @property
    def line(self) -> str:
        """All of it in words."""
        waiting = max(0, self.frames - self.done - self.failed - self.rendering)
        parts = [f"{self.done} of {self.frames} frames", f"{self.rendering} in work", f"{waiting} left"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        parts.append(f"{self.workers} of {self.workers_wanted} workers")
        if self.queue:
            parts.append(self.queue)
        if self.working:
            more = len(self.working) - NAMES_MOST
            parts.append("; ".join(self.working[:NAMES_MOST]) + (f" and {more} more" if more > 0 else ""))
        known = self.left_s is not None
        parts.append(f"about {units.brief_seconds(self.left_s)} left" if known else "time left unknown")
        return ", ".join(parts)


class Shown(Protocol):
    """Listener of a run."""

    def status(self, status: Status) -> None:
        """How it stands; called often."""

    def tell(self, line: str) -> None:
        """Something happened that a person wants to know."""


class Silent:
    """Nobody listens."""

    def status(self, status: Status) -> None: ...
    def tell(self, line: str) -> None: ...


class Lines:
    """A line now and then: for logs and pipes."""

    def __init__(self, name: str) -> None:
        self._name, self._console = name, console(stderr=True)
        self._said_s, self._said = float("-inf"), ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def status(self, status: Status) -> None:
        if time.monotonic() - self._said_s > LINE_INTERVAL_S and status.line != self._said:
            self._said_s, self._said = time.monotonic(), status.line
            self.tell(status.line)

    def tell(self, line: str) -> None:
        self._console.print(f"{plain(self._name)}: {plain(line)}", soft_wrap=True)


class Bars:
    """A bar of frames and what is behind it, on a terminal."""

    def __init__(self, name: str) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._name = name
        self._bars = Progress(
            TextColumn("{task.description:24}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}"),
            console=console(stderr=True),
        )
        self._simulated = self._bars.add_task("simulated", total=1, now="")
        self._frames = self._bars.add_task(plain(name), total=1, now="starts")

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def status(self, status: Status) -> None:
        left = f"left {units.brief_seconds(status.left_s)}" if status.left_s is not None else ""
        failed = f"{status.failed} failed" if status.failed else ""
        there = f"{status.workers} of {status.workers_wanted} workers"
        now = ", ".join(part for part in (left, there, failed, status.queue, "; ".join(status.working[:2])) if part)
        self._bars.update(self._frames, total=status.frames, completed=status.done, now=plain(now))
        self._bars.update(self._simulated, total=status.frames, completed=status.simulated)

    def tell(self, line: str) -> None:
        self._bars.console.print(f"{plain(self._name)}: {plain(line)}", soft_wrap=True)


def choose_shown(name: str) -> Bars | Lines:
    """Bars on a terminal, lines elsewhere."""
    return Bars(name) if console(stderr=True).is_terminal else Lines(name)
