"""A published case: what is run, and the figures that come of it, each held against its limit."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np

from bench.backend.protocol import Backend
from bench.base.errors import ShotmarkError, one_line

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Figure:
    """One figure of ours beside the published one."""

    what: str  # the figure, with its unit
    published: float | None  # None: a series, of which the error says how far it is
    ours: float
    error: float  # what is judged: a share of the published figure, or in its unit
    limit: float  # the error may not be larger
    is_share: bool  # whether error and limit are shares of one
    failure: str = ""  # why there is no figure, where the run ended early

    @property
    def passed(self) -> bool:
        return bool(self.error <= self.limit)  # a figure that is not a number fails


@dataclass(frozen=True)
class Case:
    """One published case."""

    name: str  # as it is asked for
    about: str  # what is run, in a sentence
    source: str  # where the published figures come from
    figures: Callable[[Backend, bool], list[Figure]]  # runs it on a back-end; True: small and coarse
    is_quick: bool = True  # whether there is a small and coarse form


def within(what: str, published: float, ours: float, share: float) -> Figure:
    """Equal to the published figure within a share of it."""
    return Figure(what, published, ours, abs(ours / published - 1.0), share, True)


def within_by(what: str, published: float, ours: float, most: float) -> Figure:
    """Equal to the published figure within ``most`` of its unit."""
    return Figure(what, published, ours, abs(ours - published), most, False)


def no_more_than(what: str, published: float, ours: float, highest: float) -> Figure:
    """At most ``highest``, which stands a little above the published figure."""
    return Figure(
        what, published, ours, max(0.0, ours - published) if ours == ours else nan, highest - published, False
    )


def series(what: str, distance: float, error: float, share: float) -> Figure:
    """A series, which lies ``distance`` from the published one."""
    return Figure(what, None, distance, error, share, True)


def along(what: str, ours: np.ndarray, published: np.ndarray, scale: float, share: float) -> Figure:
    """A series: its mean distance from the published one, as a share of ``scale``."""
    distance = float(np.abs(ours - published).mean())
    return series(what, distance, distance / scale, share)


def run(case: Case, backend: Backend, quick: bool) -> list[Figure]:
    """The figures of a case; where a run ends early, one without a figure that says why."""
    try:
        return case.figures(backend, quick)
    except ShotmarkError as error:
        return [Figure("the run", None, nan, nan, 0.0, True, one_line(error))]


def table(name: str) -> np.ndarray:
    """Columns of a committed table; its first lines, which begin with #, name the source and the columns."""
    with open(DATA / name, newline="", encoding="utf-8") as file:
        figures = [[float(v) for v in row] for row in csv.reader(line for line in file if not line.startswith("#"))]
    return np.array(figures, np.float64).T
