"""Which pixels a launch traces: a window of the picture, and of the window every so many strips of eight rows.

Strip s of a window holds its rows 8 s to 8 s + 7. A launch takes the strips of which s mod ``strip_period`` is at
least ``strip_low`` and below ``strip_high``: a comb, so that a share of a picture costs as much as any other of its
size, whatever is seen where. Pixels keep their numbers in the whole picture: any set of launches that has each pixel's
samples once, chunk after chunk, gives the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kernels.trace.trace_math import device_part

STRIP = 8  # rows
PICTURE_MAX = 2**30  # pixels a side; as the end of a window it means the picture's


class Region(NamedTuple):
    """What a launch traces of a picture."""

    x_low: Any
    y_low: Any
    x_high: Any
    y_high: Any
    strip_low: Any
    strip_high: Any
    strip_period: Any


@device_part
def region_of(x_low, y_low, x_high, y_high, strip_low, strip_high, strip_period, width, height):
    """A region that ends where the picture does."""
    x_high, y_high = min(x_high, width), min(y_high, height)
    return Region(x_low, y_low, max(x_low, x_high), max(y_low, y_high), strip_low, strip_high, strip_period)


@device_part
def strips_of(region):
    """How many strips a region has."""
    strips = (region.y_high - region.y_low + STRIP - 1) // STRIP
    each = region.strip_high - region.strip_low
    last = strips % region.strip_period - region.strip_low
    last = max(0, min(last, each))
    return strips // region.strip_period * each + last


@device_part
def strip_row(region, n):
    """First row of the n-th strip of a region."""
    each = region.strip_high - region.strip_low
    return region.y_low + STRIP * (n // each * region.strip_period + region.strip_low + n % each)
