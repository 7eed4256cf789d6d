"""What a projection says, as typed parts. Nothing in it is measured: a record's reader refuses its document.

Names and order of the fields are those of the JSON document (``document.as_document``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from bench.project.model.tornado import TornadoLine

PERCENTS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Quantiles:
    """A figure over all draws. None where it is not finite: the work never ends there."""

    p10: float | None
    p50: float | None
    p90: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Quantiles:
        """Of a figure's value in each draw."""
        found = np.quantile(np.asarray(values, np.float64), PERCENTS, method="inverted_cdf")
        return Quantiles(*(float(x) if math.isfinite(x) else None for x in found))


@dataclass(frozen=True)
class Times(Quantiles):
    """A time over all draws, and the part of its range that measuring alone leaves."""

    measured_p10: float | None  # with every assumption at its likely value
    measured_p90: float | None

    @classmethod
    def of_draws(cls, all_s: Sequence[float], measured_s: Sequence[float]) -> Self:
        """From the seconds of every draw, and of the draws in which only what was measured varies."""
        whole, alone = Quantiles.of(all_s), Quantiles.of(measured_s)
        return cls(whole.p10, whole.p50, whole.p90, alone.p10, alone.p90)

    @property
    def alone(self) -> Quantiles:
        """The range that measuring alone leaves; its middle is not told."""
        return Quantiles(self.measured_p10, None, self.measured_p90)


@dataclass(frozen=True)
class RecordBasis:
    """The record that a projection stands on."""

    path: str
    time: str  # ISO 8601
    machine: str  # its id
    commit: str | None  # of the program that was measured
    clean: bool | None  # whether its tree was clean
    complete: bool  # whether its run came to its end


@dataclass(frozen=True)
class ClusterBasis:
    """The cluster that a projection is for."""

    name: str
    path: str
    gpu_kind: str
    currency: str  # of every price


@dataclass(frozen=True)
class DrawCounts:
    """How many worlds were drawn."""

    all: int  # in which everything varies
    measured: int  # in which only what was measured varies
    film: int  # in which a film was simulated


@dataclass(frozen=True)
class StageSeconds:
    """One stage of the measured frame at the wanted size, everything at its likely value."""

    cpu_s: float  # on all threads of the measured machine
    gpu_s: float  # on one reference GPU


@dataclass(frozen=True)
class ShotAnswer:
    """What one shot takes, alone on its machine or cluster."""

    shot: str
    measured_size: str
    size: str  # that it is projected to
    particles: float
    samples_per_frame: float
    gpu_basis: str  # what the GPU's speed stands on: a record, or assumption
    frame: Mapping[str, StageSeconds]  # by stage
    cpu_s: Times  # on the measured CPU, frame after frame
    gpus_s: Times  # on all GPUs asked for
    one_gpu_s: Times
    frame_a_gpu_s: Times  # on as many GPUs as it has frames
    chain_s: Times  # its simulation alone on one GPU: what no number of GPUs shortens
    tasks_per_frame: int  # render tasks
    bounds_s: Mapping[str, float]  # by cause, a time below which no schedule can come
    utilisation: float  # share of the cluster's GPU time in work that counted, likely
    enough_gpus: int  # beyond which it gets no faster
    best_s: float | None  # its time on any number of GPUs; None where it never ends
    bound_by: str  # what holds it there
    flags: tuple[str, ...] = ()  # signs that its times are not to be trusted

    @property
    def times(self) -> dict[str, Times]:
        """Its times by field, in the order in which they are shown."""
        return {
            "cpu_s": self.cpu_s,
            "one_gpu_s": self.one_gpu_s,
            "frame_a_gpu_s": self.frame_a_gpu_s,
            "gpus_s": self.gpus_s,
            "chain_s": self.chain_s,
        }


@dataclass(frozen=True)
class Upload:
    """Sending a film's data over the link."""

    what: str
    bytes: float
    link_s: float  # over the cluster's own link
    at_400_gbit_s: float
    at_10_gbit_s: float


@dataclass(frozen=True)
class FilmAnswer:
    """What a film of such shots takes, all of them at once on the cluster."""

    shots: int
    frames: int
    tasks: int
    once_s: Quantiles  # every frame made once
    with_passes_s: Quantiles  # with its passes, on the share of the GPUs that it gets
    passes: Quantiles  # how often every frame is made
    utilisation: Quantiles
    gpu_hours: Quantiles  # of the whole cluster from start to end, every frame once
    gpu_hours_with_passes: Quantiles
    busy_gpu_hours: Quantiles  # in work that counted
    energy_kwh: Quantiles
    price: Quantiles  # of the GPU-hours
    price_with_passes: Quantiles
    energy_price: Quantiles
    storage_bytes: Quantiles  # moved to and from storage
    link_bytes: Quantiles  # sent over the link
    upload_s: Quantiles  # finished frames alone, over the link
    shots_per_day: Quantiles
    bounds_s: Mapping[str, float]  # by cause, a time below which no schedule can come
    gpu_hours_a_shot: Quantiles  # busy ones
    uploads: tuple[Upload, ...]
    flags: tuple[str, ...] = ()  # signs that its times are not to be trusted


@dataclass(frozen=True)
class SweepRow:
    """Shots and film on one number of GPUs."""

    gpus: int
    shots: Mapping[str, Quantiles]  # seconds by shot
    film_once_s: Quantiles


@dataclass(frozen=True)
class Tornado:
    """Which assumption moves the answers most."""

    shot: tuple[TornadoLine, ...]  # the time of the shot that takes longest
    film: tuple[TornadoLine, ...]  # the film's with its passes


@dataclass(frozen=True)
class Premise:
    """One number that the projection stands on."""

    name: str
    text: str
    unit: str
    low: float | str  # the end that makes the answer short, for an assumption; text for what is in words
    likely: float | str
    high: float | str
    source: str


@dataclass(frozen=True)
class ClaimVerdict:
    """A published claim against what the measurements give."""

    claim: str  # its name
    text: str
    claimed: str
    found: str
    verdict: str
    why: str
    source: str


@dataclass(frozen=True)
class Condition:
    """One way in which a claim would be true."""

    way: str
    condition: str


@dataclass(frozen=True)
class Claims:
    """All claims, and what would have to be true for "3 to 5 days became a few hours"."""

    verdicts: tuple[ClaimVerdict, ...]
    days_to_hours: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """What shots and a film would take on a cluster. It is no record: it has no measured row."""

    record: RecordBasis
    cluster: ClusterBasis
    gpus: int
    frames: int  # of a shot
    shot_length_s: float
    threads: int  # of the measured CPU
    my_frame_hours: float | None  # a user's own hours a frame, which scale every stage
    simulate_gpus: int  # that one simulation is split over
    worlds: DrawCounts
    shots: tuple[ShotAnswer, ...]
    film: FilmAnswer
    sweep: tuple[SweepRow, ...]
    tornado: Tornado | None  # None where it was not asked for
    flags: tuple[str, ...]  # all signs that an answer is not to be trusted, each once
    stands_on: tuple[Premise, ...]
    claims: Claims
