"""How fast a GPU's multiprocessors really ran inside a timed region: a throttled sample is no sample.

Two tiny launches, one at each end of the region, read a multiprocessor's cycles and the global timer
(``sm_clock.cu``). It needs no rights, unlike what the driver's own tools report. Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kernels.base import source
from kernels.base.kernel import Pass

if TYPE_CHECKING:
    from bench.backend.cupy_gpu import CupyBackend

TEXT = Path(__file__).with_name("sm_clock.cu")
WORDS = 6  # cycles, nanoseconds, written; twice
BLOCKS_PER_SM = 2  # some of them meet multiprocessor 0
THROTTLED = 0.75  # of the clock that is usual in a run; below it a sample is marked and repeated
LEAST_NS = 20_000  # the global timer ticks coarsely: a shorter region has no clock


class SmClock:
    """Reads the clock of one device; ``begin`` and ``end`` are only queued."""

    def __init__(self, backend: CupyBackend) -> None:
        self._backend = backend
        text = source.paste(TEXT.read_text(encoding="utf-8"), f"bench/backend/cuda/{TEXT.name}")
        one = Pass("sm_clock", threads=32, blocks_per_sm=BLOCKS_PER_SM)
        self._pass = backend.load_text(text, f"bench/backend/cuda/{TEXT.name}", one)
        self._reading = backend.zeros(WORDS, np.int64)

    def reset(self) -> None:
        """Before a region; not inside it."""
        self._backend.fill(self._reading, np.zeros(WORDS, np.int64))

    def begin(self) -> None:
        self._mark(0)

    def end(self) -> None:
        self._mark(1)

    def _mark(self, slot: int) -> None:
        self._backend.run_pass(self._pass, slot, self._reading)

    def hertz(self) -> float | None:
        """Cycles a second between ``begin`` and ``end``; None where they could not be read."""
        return hertz(self._backend.host(self._reading))


def hertz(reading: np.ndarray) -> float | None:
    """The clock that six words tell of."""
    cycles, nanoseconds = int(reading[3] - reading[0]), int(reading[4] - reading[1])
    if not (reading[2] and reading[5]) or cycles <= 0 or nanoseconds < LEAST_NS:
        return None
    return cycles / (nanoseconds * 1e-9)


def usual(found_hz: Iterable[float | None]) -> float | None:
    """The clock that at least half of a run's samples reached; None where none is known.

    A card's own, not its boost clock: one that has to stay within 70 W runs at 0.7 of that for as long as it works.
    """
    known = sorted(hz for hz in found_hz if hz is not None)
    return known[len(known) // 2] if known else None


def throttled(found_hz: float | None, usual_hz: float | None) -> bool:
    """Whether a sample's clock is far below what is usual in its run; not where either is not known."""
    return found_hz is not None and usual_hz is not None and found_hz < THROTTLED * usual_hz
