"""Intervals that assume no distribution, and say nothing where there are too few samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.base import units
from bench.record import statistics


def test_median_of_nothing_is_not_known() -> None:
    assert statistics.median([]) is None
    assert statistics.summarize([]) == statistics.Summary(0, None, None, None, None, None, None)


@pytest.mark.parametrize("n", range(1, 6))
def test_below_six_samples_there_is_no_interval(n: int) -> None:
    summary = statistics.summarize([float(i) for i in range(n)])
    assert (summary.low, summary.high, summary.confidence) == (None, None, None)
    assert summary.median is not None


def test_six_samples_give_their_range_at_96_9_per_cent() -> None:
    summary = statistics.summarize([3.0, 1.0, 2.0, 6.0, 5.0, 4.0])
    assert (summary.low, summary.high) == (1.0, 6.0)
    assert summary.confidence == pytest.approx(1.0 - 2.0 / 64.0)


def test_interval_covers_the_median_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    samples = generator.exponential(size=(4000, 12))  # skewed, as times are
    hits = 0
    for row in samples:
        low, high, coverage = statistics.median_interval(row.tolist()) or (math.nan, math.nan, math.nan)
        hits += low <= math.log(2.0) <= high
    standard_error = math.sqrt(coverage * (1.0 - coverage) / len(samples))
    assert abs(hits / len(samples) - coverage) < 4.0 * standard_error
    assert coverage >= 0.95


def test_ratio_has_the_same_interval_every_time_and_holds_the_ratio() -> None:
    a, b = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.2], [2.0, 2.1, 1.9, 2.2, 2.0, 2.0]
    first, second = statistics.ratio_of_medians(a, b), statistics.ratio_of_medians(a, b)
    assert first == second
    assert first.ratio == 0.5
    assert first.low is not None and first.high is not None and first.low <= 0.5 <= first.high
    assert statistics.verdict(first) == "faster"


@pytest.mark.parametrize(("a", "b"), [([], [1.0]), ([1.0], []), ([1.0], [0.0])])
def test_ratio_to_nothing_is_not_known(a: list[float], b: list[float]) -> None:
    assert statistics.ratio_of_medians(a, b) == statistics.Ratio(None, None, None)


def test_few_samples_give_a_ratio_without_interval_and_an_unclear_verdict() -> None:
    ratio = statistics.ratio_of_medians([2.0, 2.0], [1.0] * 9)
    assert (ratio.ratio, ratio.low) == (2.0, None)
    assert statistics.verdict(ratio) == "unclear"


def test_equal_samples_are_the_same() -> None:
    samples = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.2]
    assert statistics.verdict(statistics.ratio_of_medians(samples, samples[::-1])) == "same"


def test_a_slow_first_round_is_noticed() -> None:
    assert statistics.first_was_slow([3.0, 1.0, 1.01, 0.99, 1.0, 1.02])
    assert not statistics.first_was_slow([1.0, 1.0, 1.01, 0.99, 1.0, 1.02])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (0.0, "0 s"),
        (2.5e-9, "2.50 ns"),
        (1.5e-3, "1.50 ms"),
        (0.99999, "1.00 s"),
        (130.0, "2 min 10 s"),
        (8000.0, "2 h 13 min"),
        (3.0 * 86400.0, "3.00 days"),
        (math.inf, "unknown"),
    ],
)
def test_seconds_read_well(value: float | None, text: str) -> None:
    assert units.seconds(value) == text


def test_counts_rates_and_sizes_read_well() -> None:
    assert units.rate(29.7e6, "particle-substeps") == "29.7 M particle-substeps/s"
    assert units.count(1.3e8) == "130 M"
    assert units.byte_size(1.5 * 2**30) == "1.50 GiB"
    assert units.share(0.125) == "12.5 %"
    assert units.short_hash("ab" * 32) == "abababababab"
