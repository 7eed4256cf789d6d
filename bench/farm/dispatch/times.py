"""How long pieces of work take: learned from what has ended, from the projection before that."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Mapping, Sequence

from bench.project.model.pieces import FrameCost

KEPT = 400  # of each kind, the newest
ENOUGH = 5  # measured pieces that a median may stand on
LIMIT_TIMES = 4.0  # of the 90th percentile
LIMIT_LEAST_S = 60.0  # below that a network that stalls would look like a task that hangs
START_LIMIT_S = 1200.0  # more for a worker's first task, which may compile and builds the scene
HANDING_S = 0.05  # of one task, until measured


class Times:
    """What was measured in this run."""

    def __init__(self, projected: Mapping[str, object] | None = None) -> None:
        """``projected`` are seconds by kind of task, 90th percentiles, where a projection gave them."""
        found = projected or {}
        self._projected = {key: float(v) for key, v in found.items() if isinstance(v, int | float) and v > 0}
        self._frames: list[int] = []  # that were measured, in order
        self._cost: dict[int, FrameCost] = {}
        self._rendered: list[float] = []
        self._simulated: list[float] = []
        self._handing: list[float] = []

    def learn(self, made: Sequence[Mapping[str, object]], of_frame: float = 1.0) -> None:
        """From what a task made; ``of_frame`` is its share of the frame's paths."""
        for one in made:
            kind, frame = one.get("kind"), one.get("frame")
            if kind == "simulate":
                _keep(self._simulated, _seconds(one, "simulate_s"))
            elif kind in ("render", "part") and isinstance(frame, int):
                fixed = _seconds(one, "load_s") + _seconds(one, "surface_s") + _seconds(one, "write_s")
                trace = _seconds(one, "trace_s") / max(of_frame, 1e-6)
                if frame not in self._cost:
                    bisect.insort(self._frames, frame)
                self._cost[frame] = FrameCost(fixed, trace)
                _keep(self._rendered, fixed + trace)

    def handed(self, seconds: float) -> None:
        """One task took so long from its submission to its return, beside its work."""
        _keep(self._handing, max(0.0, seconds))

    @property
    def handing_s(self) -> float:
        return statistics.median(self._handing) if len(self._handing) >= ENOUGH else HANDING_S

    @property
    def simulate_s(self) -> float | None:
        """Of a frame; None before the first."""
        return statistics.median(self._simulated) if self._simulated else None

    def cost(self, frame: int) -> FrameCost | None:
        """What a frame will take: as the nearest one that was rendered. None before the first."""
        if not self._frames:
            return None
        at = bisect.bisect_left(self._frames, frame)
        near = self._frames[max(0, at - 1) : at + 1]
        return self._cost[min(near, key=lambda one: abs(one - frame))]

    def limit_s(self, kind: str, frames: int = 1, of: int = 1) -> float | None:
        """After which a task counts as hanging: four times the 90th percentile; None while nobody knows.

        Of the simulation ``frames`` are left, ``of`` so many that were projected.
        """
        if kind == "simulate":
            of_chain = self._projected.get("simulate", 0.0) * frames / max(1, of)
            measured = _high(self._simulated) * frames
            # What comes before the first frame that is wanted is simulated again where no state was kept
            worst = max(of_chain, measured)
        else:
            worst = max(self._projected.get("render", 0.0), _high(self._rendered))
        return max(LIMIT_LEAST_S, LIMIT_TIMES * worst) if worst > 0.0 else None


def _keep(values: list[float], value: float) -> None:
    if math.isfinite(value):
        values.append(value)
        del values[:-KEPT]


def _seconds(one: Mapping[str, object], key: str) -> float:
    value = one.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def _high(values: Sequence[float]) -> float:
    """The 90th percentile, of few the largest, of none 0."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(0.9 * len(ranked)))] if ranked else 0.0
