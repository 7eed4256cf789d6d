"""A task of a farm: one piece of work that a worker is handed, and how often it went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

SIMULATE, RENDER, PART, ASSEMBLE = "simulate", "render", "part", "assemble"
# The order among tasks that are ready: the simulation holds up all others; what is begun is ended before what is not
RANK = {SIMULATE: 0, ASSEMBLE: 1, PART: 2, RENDER: 3}

Words = tuple[int, int, int, int, int, int]  # x and y low, high, sample low, high; high ends excluded
Worker = tuple[str, str]  # node, and the worker's number there

UNBEGUN_MOST = 20  # losses with a node, before anybody has begun the task


@dataclass
class Task:
    """One task; its tries are counted here."""

    kind: str  # one of RANK
    frame: int | None = None  # None: of the simulation
    part: Words | None = None  # of a frame that is traced in parts
    frames: tuple[int, ...] = ()  # of the simulation: all that are wanted of it
    attempt: int = 1  # this is the first, the second, ...
    failures: int = 0  # since it last came further
    unbegun: int = 0  # times that whoever had it was gone before it was begun
    avoid: set[Worker] = field(default_factory=set)  # where it failed
    hung: int = 0  # times that it took longer than its limit: the limit may be what was wrong
    bounces: int = 0  # times that one of these got it again, and gave it back
    not_before_s: float = 0.0  # unix time

    def count(self, tried: bool) -> None:
        """It did not come back well. One that nobody had begun was not tried, but there is an end to that too."""
        if tried or self.unbegun >= UNBEGUN_MOST:
            self.failures += 1
        else:
            self.unbegun += 1

    @property
    def name(self) -> str:
        """As it says of itself in ``made``, and people read it."""
        if self.part is not None:
            x_low, y_low, x_high, y_high, sample_low, sample_high = self.part
            return f"render {self.frame} {x_low}-{y_low}-{x_high}-{y_high}_{sample_low}-{sample_high - 1}"
        return self.kind if self.frame is None else f"{self.kind} {self.frame}"

    @property
    def claim(self) -> str:
        """Name of the file that says in the shot's folder that somebody makes it."""
        if self.kind == SIMULATE:
            return SIMULATE
        if self.part is not None:
            return f"sums-{self.frame:06d}-{self.name.split()[-1]}"
        return f"frame-{self.frame:06d}"


@dataclass
class Out:
    """A task that was handed to the engine and has not come back."""

    task: Task
    pool: str
    ticket: int  # the engine's
    submitted_s: float  # unix time
    limit_s: float | None  # that its worker was told; None: no limit
    begun: bool = False  # somebody said that it is at it
    doubted: bool = False  # nobody did for long, and its node was asked to go
    given_up: bool = False  # it is somebody else's by now, though its worker still holds it
