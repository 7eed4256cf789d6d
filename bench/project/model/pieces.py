"""Into how many parts a frame is cut: whole frames while there are enough for all workers, parts where few are left.

``farm run`` cuts by it, and so does the model of a farm run.

Parts cost more than the frame, for each loads the state and builds the surface. So every number of parts that is worth
its handing out is played through, worker by worker, and the one taken whose last piece ends first.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
WORTH_TIMES = 20.0  # a part takes at least so many times what handing it out takes
BETTER = 0.98  # of the time with fewer parts; less than that is no reason for more of them
FEW = 2  # frames a worker; above that the last pieces are far


@dataclass(frozen=True)
class FrameCost:
    """Seconds of rendering a frame on one worker."""

    fixed_s: float  # every part of it pays that: its state is loaded, its surface built, its files written
    trace_s: float  # what parts share

    def of_part(self, parts: int) -> float:
        return self.fixed_s + self.trace_s / parts

    @property
    def whole_s(self) -> float:
        return self.fixed_s + self.trace_s


def parts_of(
    cost: FrameCost | None,
    ready_s: Sequence[float],
    free_s: Sequence[float],
    handing_s: float,
    longest_s: float = math.inf,
) -> int:
    """Into how many parts the next frame is cut. Where nobody knows what it costs: so that no worker is without one.

    ``ready_s``: when each frame that is left can be begun, this one first; ``free_s``: when each worker is free, both
    in seconds from now. No piece may take longer than ``longest_s``, be it worth it or not.
    """
    if not free_s:
        return 1
    if cost is None:
        each = sum(free <= 0.0 for free in free_s) / len(ready_s)
        return next((count for count in COUNTS if count >= each), COUNTS[-1])
    least = next((count for count in COUNTS if cost.of_part(count) <= longest_s), COUNTS[-1])
    if len(ready_s) >= FEW * len(free_s):
        return least
    best, best_s = least, last_end_s(cost, least, ready_s, free_s)
    for count in COUNTS:
        if count <= least or cost.trace_s / count < WORTH_TIMES * handing_s:
            continue
        end_s = last_end_s(cost, count, ready_s, free_s)
        if end_s < BETTER * best_s:
            best, best_s = count, end_s
    return best


def last_end_s(cost: FrameCost, parts: int, ready_s: Sequence[float], free_s: Sequence[float]) -> float:
    """When the last part ends, in seconds from now, if every frame is cut so and parts go to whoever is free first."""
    free, piece_s, last = list(free_s), cost.of_part(parts), 0.0
    heapq.heapify(free)
    for ready in ready_s:
        for _ in range(parts):
            end = max(heapq.heappop(free), ready) + piece_s
            heapq.heappush(free, end)
            last = max(last, end)
    return last
