"""What a run tells while it works: what runs, how far it is, how long it still takes. Always on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from bench.base import units
from bench.base.console import console, plain

if TYPE_CHECKING:
    from rich.progress import TaskID

SLOW_S = 2.0  # a step that takes longer tells how far it is
SAY_INTERVAL_S = 0.5  # at the most so often
LINE_INTERVAL_S = 5.0  # and where every time is a line
COMPILE = "compile"  # identity of the step that is no shot


class Progress(Protocol):
    """Listener of a run."""

    def begin(self, identity: str, steps: int) -> None:
        """A shot starts; it will take about so many steps."""

    def step(self, identity: str, text: str) -> None:
        """One step begins."""

    def replan(self, identity: str, steps_left: int) -> None:
        """So many steps are left."""

    def at(self, identity: str, done: int, text: str) -> None:
        """So many steps are done; this one begins."""

    def within(self, identity: str, text: str) -> None:
        """How far a long step has come; the number of steps stays."""

    def end(self, identity: str, verdict: str) -> None:
        """A shot is done."""


class Silent:
    """Nobody listens."""

    def begin(self, identity: str, steps: int) -> None: ...
    def step(self, identity: str, text: str) -> None: ...
    def replan(self, identity: str, steps_left: int) -> None: ...
    def at(self, identity: str, done: int, text: str) -> None: ...
    def within(self, identity: str, text: str) -> None: ...
    def end(self, identity: str, verdict: str) -> None: ...


class Lines:
    """A line when a shot starts and one when it ends, and some within a long step: for logs and pipes."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._begun: dict[str, float] = {}
        self._said = float("-inf")  # when a line within a step was printed last

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def begin(self, identity: str, steps: int) -> None:
        self._begun[identity] = time.perf_counter()
        self._console.print(f"{plain(identity)}: starts", soft_wrap=True)

    def step(self, identity: str, text: str) -> None: ...
    def replan(self, identity: str, steps_left: int) -> None: ...
    def at(self, identity: str, done: int, text: str) -> None: ...

    def within(self, identity: str, text: str) -> None:
        if time.perf_counter() - self._said > LINE_INTERVAL_S:
            self._said = time.perf_counter()
            self._console.print(f"{plain(identity)}: {plain(text)}", soft_wrap=True)

    def end(self, identity: str, verdict: str) -> None:
        taken = time.perf_counter() - self._begun.get(identity, time.perf_counter())
        self._console.print(f"{plain(identity)}: {plain(verdict)}, {units.seconds(taken)}", soft_wrap=True)


class Bars:
    """A bar for each shot and one for all of them, with the time that is left."""

    def __init__(self, shots: int) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:24}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}"),
            console=console(stderr=True),
        )
        self._shots = shots
        self._all = self._bars.add_task("all shots", total=shots, now="")
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, identity: str, steps: int) -> None:
        self._tasks[identity] = self._bars.add_task(plain(identity), total=steps, now="starts")

    def step(self, identity: str, text: str) -> None:
        task = self._tasks[identity]
        self._bars.update(task, advance=1, now=plain(text))
        self._show_all()

    def replan(self, identity: str, steps_left: int) -> None:
        task = self._tasks[identity]
        done = self._bars.tasks[task].completed
        self._bars.update(task, total=done + steps_left)
        self._show_all()

    def at(self, identity: str, done: int, text: str) -> None:
        self._bars.update(self._tasks[identity], completed=done, now=plain(text))
        self._show_all()

    def within(self, identity: str, text: str) -> None:
        self._bars.update(self._tasks[identity], now=plain(text))

    def end(self, identity: str, verdict: str) -> None:
        task = self._tasks[identity]
        total = self._bars.tasks[task].total
        self._bars.update(task, completed=total, now=plain(verdict))
        self._show_all()

    def _show_all(self) -> None:
        """The bar of all shots counts whole shots and the share of the one that runs."""
        other = (self._all, self._tasks.get(COMPILE))
        shares = [task.completed / task.total for task in self._bars.tasks if task.id not in other and task.total]
        self._bars.update(self._all, completed=min(float(self._shots), sum(shares)))


def told_when_slow(what: str, say: Callable[[str], None]) -> Callable[[float], None]:
    """A listener to the share of a step that is done, who says it once the step takes longer than two seconds."""
    begun = said = time.perf_counter()

    def tell(share: float) -> None:
        nonlocal said
        now = time.perf_counter()
        if now - begun > SLOW_S and now - said > SAY_INTERVAL_S:
            said = now
            say(f"{what}: {100.0 * share:.0f} %")

    return tell


def choose_progress(shots: int) -> Bars | Lines:
    """Bars on a terminal, lines elsewhere."""
    return Bars(shots) if console(stderr=True).is_terminal else Lines()
