"""Which assumption moves the answer most: each at its two ends, everything else at its likely value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.project.inputs.assumptions import assumptions
from bench.project.inputs.cluster import Cluster
from bench.project.model.answers import Job, film_outcome, shot_outcome
from bench.project.model.scenario import FAST, SLOW, Pair, Scenario, assumed_names, make

FILM_FRAMES = 6000.0  # of the part of a film that is simulated for a line of the list
MOVES_LEAST = 1.01  # what moves the answer less is left out


@dataclass(frozen=True)
class TornadoLine:
    """How far one assumption moves the answer between its ends."""

    name: str
    text: str
    source: str
    low_s: float | None  # the shorter answer; None where it never ends
    high_s: float | None
    factor: float | None  # longer over shorter; None where the longer never ends


def _line(name: str, text: str, source: str, answers_s: Sequence[float]) -> TornadoLine:
    low, high = min(answers_s), max(answers_s)
    known = math.isfinite(high) and low > 0.0
    return TornadoLine(
        name=name,
        text=text,
        source=source,
        low_s=low if math.isfinite(low) else None,
        high_s=high if math.isfinite(high) else None,
        factor=high / low if known else None,
    )


def _lines(
    pairs: Sequence[Pair],
    cluster: Cluster,
    measured: Sequence[Scenario],
    answer: Callable[[Scenario], float],
) -> tuple[TornadoLine, ...]:
    """One line an assumption, the one that moves the answer most first."""
    meanings = {entry.name: (entry.meaning, entry.source) for entry in cluster.entries()}
    meanings |= {a.name: (a.text, a.source) for a in assumptions().values()}
    lines = [
        _line(name, *meanings[name], [answer(make(pairs, cluster, quantiles={name: end})) for end in (FAST, SLOW)])
        for name in assumed_names(cluster)
    ]
    alone = np.quantile([answer(world) for world in measured], [0.1, 0.9], method="inverted_cdf")
    text = "what was measured: scatter, fit and growth, P10 to P90"
    lines.append(_line("measured", text, "records", [float(x) for x in alone]))
    moving = [line for line in lines if line.factor is None or line.factor > MOVES_LEAST]
    return tuple(sorted(moving, key=lambda line: -(line.factor or math.inf)))


def shot_tornado(
    pairs: Sequence[Pair], cluster: Cluster, job: Job, gpus: int, measured: Sequence[Scenario]
) -> tuple[TornadoLine, ...]:
    """Of the time of the shot that takes longest, on all GPUs."""
    likely = make(pairs, cluster)
    index = max(range(len(pairs)), key=lambda i: shot_outcome(pairs[i], i, likely, job, gpus).makespan_s)
    return _lines(
        pairs, cluster, measured, lambda world: shot_outcome(pairs[index], index, world, job, gpus).makespan_s
    )


def film_tornado(
    pairs: Sequence[Pair], cluster: Cluster, job: Job, film_shots: int, gpus: int, measured: Sequence[Scenario]
) -> tuple[TornadoLine, ...]:
    """Of the days of a film with its passes and the share of the GPUs that it gets."""

    def days(world: Scenario) -> float:
        once = film_outcome(pairs, world, job, film_shots, gpus, FILM_FRAMES).makespan_s
        return once * world.values["passes"] / world.values["availability"]

    return _lines(pairs, cluster, measured[:20], days)
