"""Workers that share the cores of a machine: processor sharing, event by event.

What computes on a machine asks for a number of cores. Where all together ask for more than there are, each gets the
same share of what it asked for, so everything on that machine runs at one rate, and a *virtual clock* that runs at
this rate tells when each ends: a computation of w seconds that began at virtual time v ends at v + w, whoever comes
and goes meanwhile (Kleinrock, Queueing Systems II, 1976; a start or an end costs O(log n)). Cores that are shared have
caches and memory in common too: ``crowding`` says how much longer everything takes on a machine whose cores are full.
``others`` are threads of somebody else, that take their share of the cores all the time.
"""

from __future__ import annotations

import heapq
import math


class Cores:
    """The cores of one machine, and what computes on them."""

    def __init__(self, cores: float, crowding: float = 1.0, others: float = 0.0) -> None:
        self.cores, self.crowding, self.others = float(cores), float(crowding), float(others)
        self.version = 0  # changes with every start and end: what was said of the next end holds no longer
        self._clock = 0.0  # virtual seconds
        self._at = 0.0  # when the clock was set
        self._asked = 0.0
        self._running: dict[int, tuple[float, float]] = {}  # by number: virtual end, cores asked for
        self._ends: list[tuple[float, int]] = []  # what was cancelled is still in it

    @property
    def rate(self) -> float:
        """Seconds of work done in a second, of each."""
        count = len(self._running)
        if count == 0:
            return 1.0
        share = min(1.0, self.cores / (self._asked + self.others))
        if self.crowding == 1.0 or count == 1:
            return share
        return share * math.pow(self.crowding, -crowd(self.cores, self._asked, count))

    def start(self, now: float, number: int, work_s: float, cores: float) -> None:
        """Begin ``work_s`` seconds of work that would get ``cores`` (never more than there are) to itself."""
        self._advance(now)
        asked = min(float(cores), self.cores)
        self._running[number] = self._clock + work_s, asked
        self._asked += asked
        heapq.heappush(self._ends, (self._clock + work_s, number))

    def cancel(self, now: float, number: int) -> None:
        """End what has not ended by itself."""
        self._advance(now)
        _, asked = self._running.pop(number)
        self._asked = self._asked - asked if self._running else 0.0

    def next_end(self) -> float:
        """When the first of what runs will have ended, if nothing comes or goes before."""
        while self._ends and self._running.get(self._ends[0][1], (-1.0, 0.0))[0] != self._ends[0][0]:
            heapq.heappop(self._ends)
        if not self._ends:
            return math.inf
        return self._at + max(0.0, self._ends[0][0] - self._clock) / self.rate

    def end(self, now: float) -> int:
        """Take out what ends first; ``now`` is what ``next_end`` said."""
        self.next_end()  # passes over what was cancelled
        virtual_end, number = self._ends[0]
        self.cancel(now, number)
        self._clock = max(self._clock, virtual_end)
        return number

    def _advance(self, now: float) -> None:
        self._clock += (now - self._at) * self.rate
        self._at = now
        self.version += 1


def crowd(cores: float, asked: float, count: int) -> float:
    """How full a machine is: 0 while one works, 1 once all cores do; ``asked`` is what ``count`` of them ask for."""
    each = asked / count
    return min(1.0, (asked - each) / max(cores - each, each))


def crowding_of(slowing: float, cores: float, asked: float, count: int) -> float:
    """The crowding with which ``count`` that ask for ``asked`` cores take ``slowing`` times as long as one alone."""
    share = min(1.0, cores / asked)
    fullness = crowd(cores, asked, count) if count > 1 else 0.0
    return math.pow(slowing * share, 1.0 / fullness) if fullness > 0.0 else 1.0
