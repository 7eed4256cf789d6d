"""Parts of a picture: any tiling and any split of its samples adds the same numbers in the same order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.pipeline.parts import Part, assembled, part_of, records, split, tiles
from kernels.base.constants import PIXEL_WORDS, SAMPLE_CHUNK

WIDTH, HEIGHT = 7, 5
F32 = np.float32


def values_of(samples: int) -> np.ndarray:
    """What each sample of each pixel adds: numbers whose sum depends on the order."""
    generator = np.random.default_rng(samples)
    size = (samples, HEIGHT, WIDTH, PIXEL_WORDS)
    return (generator.random(size) * 10.0 ** generator.integers(-4, 4, size)).astype(F32)


def traced(values: np.ndarray, part: Part, first: int, count: int) -> np.ndarray:
    """One launch, as ``img_trace`` adds: chunks from its first sample on, each summed by itself, one after another."""
    here = values[:, part.y_low : part.y_high, part.x_low : part.x_high]
    out = np.zeros(here.shape[1:], F32)
    for start in range(first, first + count, SAMPLE_CHUNK):
        chunk = np.zeros(here.shape[1:], F32)
        for n in range(start, min(start + SAMPLE_CHUNK, first + count)):
            chunk = chunk + here[n]
        out = out + chunk
    return out


def sums_of(values: np.ndarray, part: Part) -> np.ndarray:
    return np.stack([traced(values, part, first, count) for first, count in records(part, len(values))])


@st.composite
def cuts(draw: st.DrawFn, end: int) -> list[tuple[int, int]]:
    inner = draw(st.lists(st.integers(1, end - 1), max_size=4)) if end > 1 else []
    return list(pairwise(sorted({0, end, *inner})))


@st.composite
def partitions(draw: st.DrawFn) -> tuple[int, list[Part]]:
    """Samples a pixel, and parts of a picture: rows of tiles, each with a split of its own."""
    samples = draw(st.integers(1, 3 * SAMPLE_CHUNK + 5))
    found = []
    for y_low, y_high in draw(cuts(HEIGHT)):
        for x_low, x_high in draw(cuts(WIDTH)):
            found += [Part(x_low, y_low, x_high, y_high, a, b) for a, b in draw(cuts(samples))]
    more = draw(st.booleans())  # somebody has traced all of it too
    return samples, draw(st.permutations([*found, *([Part(0, 0, WIDTH, HEIGHT, 0, samples)] if more else [])]))


@given(partitions())
@settings(deadline=None, max_examples=150)
def test_any_parts_give_the_bits_of_one_launch(given: tuple[int, list[Part]]) -> None:
    samples, parts = given
    values = values_of(samples)
    whole = Part(0, 0, WIDTH, HEIGHT, 0, samples)
    found = assembled(WIDTH, HEIGHT, samples, {part: sums_of(values, part) for part in parts})
    assert found.tobytes() == traced(values, whole, 0, samples).tobytes()


@given(partitions(), st.data())
@settings(deadline=None, max_examples=60)
def test_what_is_missing_is_named(given: tuple[int, list[Part]], data: st.DataObject) -> None:
    samples, parts = given
    left = data.draw(st.sampled_from(parts))
    needed = [part for part in parts if part != left and part != Part(0, 0, WIDTH, HEIGHT, 0, samples)]
    sums = {part: np.zeros((len(records(part, samples)), part.y_high - part.y_low, part.x_high - part.x_low, 8), F32)
            for part in needed}  # fmt: skip
    if left == Part(0, 0, WIDTH, HEIGHT, 0, samples) and len(needed) > 0:
        assembled(WIDTH, HEIGHT, samples, sums)  # the others are all of it
        return
    with pytest.raises(LookupError, match=r"^samples from [0-9]+ on of the pixels"):
        assembled(WIDTH, HEIGHT, samples, sums)


@given(st.integers(1, 200), st.integers(0, 199), st.integers(1, 200))
def test_records_are_the_samples_once_in_order(samples: int, low: int, count: int) -> None:
    if low >= samples:
        return
    part = Part(0, 0, 1, 1, low, min(samples, low + count))
    at = part.sample_low
    for first, many in records(part, samples):
        assert first == at and many > 0
        assert first % SAMPLE_CHUNK == 0 or many == 1, "of a chunk that began elsewhere, each sample by itself"
        assert first == 0 or many <= SAMPLE_CHUNK
        at += many
    assert at == part.sample_high


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64))
def test_tiles_have_every_pixel_once(width: int, height: int, count: int) -> None:
    seen = np.zeros((height, width), int)
    found = tiles(width, height, count)
    for x_low, y_low, x_high, y_high in found:
        assert x_low < x_high and y_low < y_high
        seen[y_low:y_high, x_low:x_high] += 1
    assert seen.min() == seen.max() == 1
    assert len(found) <= 2 * count


def test_a_part_is_called_as_its_file() -> None:
    part = Part(0, 8, 320, 64, 16, 32)
    assert str(part) == "0-8-320-64_16-31" and part_of(str(part)) == part
    assert part_of("0-8-320-64_16") is part_of("../0-8-320-64_16-31") is None
    assert [p.within(320, 64, 32) for p in (part, Part(0, 0, 321, 8, 0, 1), Part(4, 0, 4, 8, 0, 1))] == [
        True,
        False,
        False,
    ]


def test_a_frame_at_m_in_24() -> None:
    found = split(960, 402, 64, 24)
    assert len(found) == 24 and sum(part.paths for part in found) == 960 * 402 * 64
    rows = [part.y_high - part.y_low for part in found]
    assert max(rows) - min(rows) <= 8
