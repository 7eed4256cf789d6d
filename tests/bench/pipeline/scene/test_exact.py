"""Mathematics of scene building, as the reference has it, against the libraries that it must not use."""

from __future__ import annotations

import numpy as np
import pytest

from bench.pipeline.scene import exact as compiled
from kernels.base import common
from tests.reference.scene import exact


def test_hash_is_the_kernels_hash() -> None:
    words = np.array([0, 1, 2, 77, 2**31 - 1, -5], np.int64)
    a, b, c, d = exact.hash4(words, words + 1, 3, 99)
    for i, word in enumerate(words):
        got = common.pcg4d(
            np.uint32(word & 0xFFFFFFFF), np.uint32((word + 1) & 0xFFFFFFFF), np.uint32(3), np.uint32(99)
        )
        assert tuple(int(v) for v in got) == (int(a[i]), int(b[i]), int(c[i]), int(d[i]))


def test_sine_and_cosine() -> None:
    x = np.linspace(-100.0, 100.0, 20_001)
    sine, cosine = exact.sin_cos(x)
    assert np.abs(sine - np.sin(x)).max() < 1e-12
    assert np.abs(cosine - np.cos(x)).max() < 1e-12
    assert exact.sin_cos_degrees(90.0)[0] == 1.0


def test_seventh_root() -> None:
    s = np.linspace(1.0, 5.0, 1001)
    assert np.abs(exact.root7_inverse(s) * s ** (1.0 / 7.0) - 1.0).max() < 1e-12


def test_interpolation_and_powers() -> None:
    xs, ys = [0.0, 1.0, 4.0], [2.0, -1.0, 5.0]
    x = np.linspace(-1.0, 6.0, 101)
    assert np.abs(exact.interpolate(x, xs, ys) - np.interp(x, xs, ys)).max() < 1e-12
    assert np.allclose(exact.whole_power(x[x > 0.0], 3.0), x[x > 0.0] ** 3.0)


def test_value_noise_is_the_same_where_points_are_sparse_and_dense() -> None:
    rng = np.random.default_rng(4)
    x, y, z = rng.uniform(-50.0, 50.0, (3, 4000))
    all_at_once = exact.value_noise((x, y, z), 7.0, 3)
    one_by_one = np.array(
        [exact.value_noise((x[i : i + 1], y[i : i + 1], z[i : i + 1]), 7.0, 3)[0] for i in range(400)]
    )
    assert np.array_equal(all_at_once[:400], one_by_one)
    assert -1.0 <= all_at_once.min() < -0.5 and 0.5 < all_at_once.max() <= 1.0


def test_cell_noise_borders() -> None:
    x = np.linspace(0.0, 10.0, 5001)
    border, who = exact.cell_noise(x, np.full_like(x, 2.3), 1.0, 5)
    changes = np.flatnonzero(np.diff(who) != 0.0)
    assert len(changes) > 5
    assert border[changes].max() < 5e-3 and border.min() >= 0.0


@pytest.mark.parametrize("scale", [1e-300, 1e-242, 1e-160, 1e-10, 1.0, 1e160, 1e300])
def test_a_direction_is_one_however_short_or_long(scale: float) -> None:
    """Its square may leave the range of float64."""
    for module in (exact, compiled):
        assert module.normalised([3.0 * scale, 0.0, -4.0 * scale]) == pytest.approx([0.6, 0.0, -0.8], rel=1e-15)
