"""The sort against NumPy's stable one, on keys in every degree of order."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from kernels.base.constants import (
    BLOCK_NODES,
    CELL_COUNT_MAX,
    COUNT_BLOCKS,
    COUNT_CELL_MAX,
    COUNT_PARTICLES,
    COUNT_WORDS,
)
from kernels.mpm import mpm_sort

BLOCKS = (5, 4, 6)
BEYOND = 5  # particles' places that must stay as they are


def keys_of(kind: str, particles: int, rng: np.random.Generator) -> np.ndarray:
    """Keys of particles whose blocks have all seven neighbours, at most CELL_COUNT_MAX in a cell."""
    lowest = np.stack(np.meshgrid(*[np.arange(n - 1) for n in BLOCKS], indexing="ij"), axis=-1).reshape(-1, 3)
    blocks = (lowest[:, 0] * BLOCKS[1] + lowest[:, 1]) * BLOCKS[2] + lowest[:, 2]
    cells = 2 if kind == "crowded" else BLOCK_NODES
    keys = np.sort(rng.choice(blocks, particles) * BLOCK_NODES + rng.integers(0, cells, particles))
    if kind == "moved":
        some = rng.random(particles) < 0.05
        keys[some] = rng.choice(blocks, some.sum()) * BLOCK_NODES + rng.integers(0, cells, some.sum())
    elif kind == "unordered":
        rng.shuffle(keys)
    return keys.astype(np.int32)


@pytest.mark.parametrize("particles", [0, 1, 15, 16, 17, 33, 300, 5000])
@pytest.mark.parametrize("kind", ["ordered", "moved", "unordered", "crowded"])
def test_sort_is_the_stable_one(kind: str, particles: int) -> None:
    keys = keys_of(kind, particles, np.random.default_rng(particles))
    table = int(np.prod(BLOCKS))
    counts = np.zeros(COUNT_WORDS, np.int32)
    counts[COUNT_PARTICLES] = particles
    order = np.full(particles + BEYOND, -7, np.int32)
    block_id, slot = np.zeros(table, np.int32), np.zeros(table, np.int32)
    start = np.zeros(table * BLOCK_NODES + 1, np.int32)
    scratch = np.zeros(mpm_sort.scratch_words(particles + BEYOND, table, numba.get_num_threads()), np.int32)
    padded = np.concatenate([keys, np.full(BEYOND, 64, np.int32)])

    mpm_sort.cpu(*BLOCKS, counts, padded, scratch, order, block_id, slot, start)

    want = np.argsort(keys, kind="stable")
    assert np.array_equal(order[:particles], want)
    assert (order[particles:] == -7).all()
    active = counts[COUNT_BLOCKS]
    first_keys = (block_id[:active, None] * BLOCK_NODES + np.arange(BLOCK_NODES)).reshape(-1)
    assert np.array_equal(start[: active * BLOCK_NODES], np.searchsorted(keys[want], first_keys))
    assert start[active * BLOCK_NODES] == particles
    fullest = np.bincount(keys).max() if particles else 0
    assert counts[COUNT_CELL_MAX] == fullest <= CELL_COUNT_MAX
