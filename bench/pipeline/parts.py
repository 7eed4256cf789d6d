"""Parts of a picture: a window and a range of samples, and the pieces in which their sums are kept.

The tracer adds a pixel's samples in a written order: SAMPLE_CHUNK of them in registers, then the chunk's sum to the
pixel's. Floating-point sums depend on that order, so a part keeps what the order needs, a *record* each: from sample 0
on one sum of all whole chunks; later ones chunk by chunk; of a chunk that began in another part, sample by sample.
``assembled`` adds the records of all parts as one launch would have: any tiling and any split gives the same bits.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.base.constants import PIXEL_WORDS, SAMPLE_CHUNK

NAME = re.compile(r"(\d{1,9})-(\d{1,9})-(\d{1,9})-(\d{1,9})_(\d{1,9})-(\d{1,9})")
ROWS = 8  # tiles are cut at multiples: the tracer goes by strips of so many rows


@dataclass(frozen=True, order=True)
class Part:
    """Samples sample_low <= n < sample_high of the pixels x_low <= x < x_high, y_low <= y < y_high."""

    x_low: int
    y_low: int
    x_high: int
    y_high: int
    sample_low: int
    sample_high: int

    def __str__(self) -> str:
        """As its file is called, samples from the first to the last."""
        samples = f"{self.sample_low}-{self.sample_high - 1}"
        return f"{self.x_low}-{self.y_low}-{self.x_high}-{self.y_high}_{samples}"

    @property
    def window(self) -> tuple[int, int, int, int]:
        return self.x_low, self.y_low, self.x_high, self.y_high

    @property
    def words(self) -> tuple[int, int, int, int, int, int]:
        return (*self.window, self.sample_low, self.sample_high)

    @property
    def paths(self) -> int:
        return (self.x_high - self.x_low) * (self.y_high - self.y_low) * (self.sample_high - self.sample_low)

    def within(self, width: int, height: int, samples: int) -> bool:
        """Whether it is a part, and not empty, of a picture."""
        return (
            0 <= self.x_low < self.x_high <= width
            and 0 <= self.y_low < self.y_high <= height
            and 0 <= self.sample_low < self.sample_high <= samples
        )


def part_of(name: str) -> Part | None:
    """The part whose file has that name."""
    match = NAME.fullmatch(name)
    if match is None:
        return None
    x_low, y_low, x_high, y_high, first, last = map(int, match.groups())
    return Part(x_low, y_low, x_high, y_high, first, last + 1)


def tiles(width: int, height: int, count: int) -> list[tuple[int, int, int, int]]:
    """About ``count`` windows (x low, y low, x high, y high) of a picture, of whole strips, even as far as they can be.

    Strips over the whole width while there are enough of them, else cut across too.
    """
    strips = -(-height // ROWS)
    down = min(count, strips)
    across = min(-(-count // down), width)
    rows = [min(height, ROWS * (strips * n // down)) for n in range(down + 1)]
    columns = [width * n // across for n in range(across + 1)]
    return [
        (x_low, y_low, x_high, y_high)
        for y_low, y_high in itertools.pairwise(rows)
        for x_low, x_high in itertools.pairwise(columns)
    ]


def split(width: int, height: int, samples: int, count: int) -> list[Part]:
    """About ``count`` parts of a picture: tiles of all samples, for these need no more than a sum a pixel."""
    return [Part(*window, 0, samples) for window in tiles(width, height, count)]


def records(part: Part, samples: int) -> list[tuple[int, int]]:
    """(first sample, how many) of each sum that is kept of a part, of a picture with so many samples a pixel."""
    low, high = part.sample_low, part.sample_high
    found = []
    if low == 0:
        whole = high if high == samples else high // SAMPLE_CHUNK * SAMPLE_CHUNK
        if whole:
            found.append((0, whole))
        low = whole
    while low < high and low % SAMPLE_CHUNK:
        found.append((low, 1))
        low += 1
    while low < high:
        count = min(SAMPLE_CHUNK, high - low)
        found.append((low, count))
        low += count
    return found


def assembled(width: int, height: int, samples: int, sums: Mapping[Part, np.ndarray]) -> np.ndarray:
    """float32[height, width, PIXEL_WORDS]: the sums of a picture from those of its parts.

    Raises LookupError, which says what is missing.
    """
    out = np.zeros((height, width, PIXEL_WORDS), np.float32)
    for window in _cells(width, height, list(sums)):
        x_low, y_low, x_high, y_high = window
        there = [
            part for part in sums
            if part.x_low <= x_low and x_high <= part.x_high and part.y_low <= y_low and y_high <= part.y_high
        ]  # fmt: skip
        chain = _chain(there, samples)
        if isinstance(chain, int):
            raise LookupError(f"samples from {chain} on of the pixels {x_low},{y_low},{x_high},{y_high}")
        here = out[y_low:y_high, x_low:x_high]
        started = np.zeros_like(here)  # the chunk that is being summed
        for part in chain:
            rows = slice(y_low - part.y_low, y_high - part.y_low)
            columns = slice(x_low - part.x_low, x_high - part.x_low)
            for (first, count), record in zip(records(part, samples), sums[part], strict=True):
                values = record[rows, columns]
                end = first + count
                if first % SAMPLE_CHUNK == 0:
                    started = np.array(values)
                else:
                    started += values
                if end % SAMPLE_CHUNK == 0 or end == samples:
                    here += started
    return out


def _cells(width: int, height: int, parts: Sequence[Part]) -> Iterator[tuple[int, int, int, int]]:
    """Windows that no edge of a part crosses, which together are the picture."""
    xs = sorted({0, width, *(x for part in parts for x in (part.x_low, part.x_high))})
    ys = sorted({0, height, *(y for part in parts for y in (part.y_low, part.y_high))})
    for y_low, y_high in itertools.pairwise(ys):
        for x_low, x_high in itertools.pairwise(xs):
            yield x_low, y_low, x_high, y_high


def _chain(parts: Sequence[Part], samples: int) -> list[Part] | int:
    """Parts whose samples follow each other from 0 to the end, the fewest; else the sample that they come to."""
    best: dict[int, list[Part]] = {0: []}
    for end in range(samples + 1):
        if end in best:
            for part in parts:
                if part.sample_low == end:
                    longer = [*best[end], part]
                    if len(longer) < len(best.get(part.sample_high, [*longer, part])):
                        best[part.sample_high] = longer
    return best.get(samples, max(best))
