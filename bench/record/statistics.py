"""Pure functions of lists of seconds: median, interval of the median, ratio with an interval.

No normal distribution is assumed. The interval of a median comes from order statistics (exact for any
continuous distribution): with x(1) <= ... <= x(n), the chance that the median lies in [x(k), x(n+1-k)] is
1 - 2 P(B < k), B binomial(n, 1/2). At 95 % that needs n >= 6; below, there is no interval, and it is ``None``.
The interval of a ratio comes from the percentile bootstrap with a generator of its own and a fixed seed, so
that two readers of one record see the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
INTERVAL_MINIMUM = 6  # samples that an interval of the median at 95 % needs
BOOTSTRAP_COUNT = 4000
BOOTSTRAP_SEED = 20251223
SLOW_FIRST_MADS = 14.826  # the first sample is an outlier beyond this many scaled median deviations


@dataclass(frozen=True)
class Summary:
    """One figure: its median, its interval, and what stands behind it. Unknown is None."""

    n: int
    median: float | None
    low: float | None  # lower end of the interval of the median
    high: float | None
    confidence: float | None  # the interval's exact coverage, at least 0.95; None without an interval
    minimum: float | None
    maximum: float | None


def median(samples: Sequence[float]) -> float | None:
    """The middle value; of an even number, the mean of the middle two. None of nothing."""
    ordered = sorted(samples)
    n = len(ordered)
    if n == 0:
        return None
    if n % 2:
        return float(ordered[n // 2])
    return 0.5 * (float(ordered[n // 2 - 1]) + float(ordered[n // 2]))


def median_interval(samples: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float, float] | None:
    """(low, high, exact coverage) from order statistics; None when n is too small."""
    ordered = sorted(samples)
    n = len(ordered)
    # Find the largest k whose interval [x(k), x(n+1-k)] still covers.
    best = None
    below = 0.0  # P(B < k)
    for k in range(1, n // 2 + 1):
        below += math.comb(n, k - 1) / 2**n  # of whole numbers: exact until the division
        coverage = 1.0 - 2.0 * below
        if coverage < confidence:
            break
        best = (float(ordered[k - 1]), float(ordered[n - k]), coverage)
    return best


def summarize(samples: Sequence[float]) -> Summary:
    """Median and interval of raw samples."""
    interval = median_interval(samples)
    low, high, confidence = interval if interval else (None, None, None)
    return Summary(
        n=len(samples),
        median=median(samples),
        low=low,
        high=high,
        confidence=confidence,
        minimum=float(min(samples)) if samples else None,
        maximum=float(max(samples)) if samples else None,
    )


@dataclass(frozen=True)
class Ratio:
    """a over b of two medians, and its interval; the interval is None when either side has too few samples."""

    ratio: float | None
    low: float | None
    high: float | None


def ratio_of_medians(a: Sequence[float], b: Sequence[float], confidence: float = CONFIDENCE) -> Ratio:
    """median(a) / median(b) with a percentile-bootstrap interval (Efron 1979)."""
    above, below = median(a), median(b)
    if above is None or below is None or below <= 0.0:
        return Ratio(None, None, None)
    value = above / below
    if min(len(a), len(b)) < INTERVAL_MINIMUM:
        return Ratio(value, None, None)
    generator = np.random.Generator(np.random.PCG64(BOOTSTRAP_SEED))
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    top = np.median(x[generator.integers(0, x.size, (BOOTSTRAP_COUNT, x.size))], axis=1)
    bottom = np.median(y[generator.integers(0, y.size, (BOOTSTRAP_COUNT, y.size))], axis=1)
    low, high = np.quantile(top / bottom, [0.5 * (1.0 - confidence), 0.5 * (1.0 + confidence)])
    return Ratio(value, float(low), float(high))


def verdict(comparison: Ratio) -> str:
    """``faster``, ``slower`` or ``same`` (a against b, as times), or ``unclear`` when there is no interval."""
    if comparison.low is None or comparison.high is None:
        return "unclear"
    if comparison.high < 1.0:
        return "faster"
    return "slower" if comparison.low > 1.0 else "same"


def first_was_slow(samples: Sequence[float]) -> bool:
    """Whether the first sample stands out above the rest: a warm-up that was too short."""
    rest = samples[1:]
    middle = median(rest)
    if middle is None or len(rest) < 4:
        return False
    deviation = median([abs(x - middle) for x in rest]) or 0.0
    return samples[0] > middle + max(SLOW_FIRST_MADS * deviation, 0.05 * middle)
