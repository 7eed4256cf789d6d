"""The own mathematics and random numbers of kernels/base/common.py, against float64 and against statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit, prange

from kernels.base import common
from kernels.base.common import F32, TWO_PI, bits_float, cos_f32, exp_f32, log_f32, pcg4d, pow_f32, sin_f32, unit_float

MIN_NORMAL = 2.0**-126
TASKS = 64


@njit
def ulps(got, exact):
    """Distance in units in the last place of the float32 that lies nearest to exact."""
    unit = 2.0**-149
    if abs(exact) >= MIN_NORMAL:
        unit = math.ldexp(1.0, math.frexp(exact)[1] - 24)
    return abs(np.float64(got) - exact) / unit


def make_scan(function, reference):
    """A function (first, last, step) -> (largest error in ulp, where) over float32 bit patterns."""
    exact = njit(reference)

    @njit(parallel=True, error_model="numpy")
    def scan(first_bits, count, step):
        worst, at = np.zeros(TASKS), np.zeros(TASKS, np.int64)
        for task in prange(TASKS):
            error, where = 0.0, 0
            for i in range(task, count, TASKS):
                bits = first_bits + i * step
                x = bits_float(np.int32(np.uint32(bits)))
                e = ulps(function(x), exact(np.float64(x)))
                if not e <= error:
                    error, where = e, bits
            worst[task], at[task] = error, where
        return worst, at

    def run(first: float, last: float, step: int) -> tuple[float, float]:
        low, high = sorted(int(F32(v).view(np.uint32)) for v in (first, last))
        worst, at = scan(low, (high - low) // step + 1, step)
        k = int(np.argmax(worst))
        return float(worst[k]), float(np.uint32(at[k]).view(F32))

    return run


# Nearer to zero than this, exp and cos are 1 and sin is x; test_nearly_zero looks there
SMALL = 2.0**-30

# name: function, float64 reference, then (first, last, bound in ulp) for each stretch of the domain
CASES = {
    "exp": (
        exp_f32,
        lambda x: math.exp(x),
        ((SMALL, 88.722831, 1.05), (-87.33654, -SMALL, 1.05), (-103.97208, -87.33654, 0.8)),
    ),
    "log": (log_f32, lambda x: math.log(x), ((2.0**-20, 2.0**20, 0.9), (2.0**-149, MIN_NORMAL, 0.9))),
    "sin": (sin_f32, lambda x: math.sin(x), ((SMALL, 131072.0, 0.95), (-131072.0, -SMALL, 0.95))),
    "cos": (cos_f32, lambda x: math.cos(x), ((SMALL, 131072.0, 0.95), (-131072.0, -SMALL, 0.95))),
}


@pytest.mark.parametrize("step", [1009, pytest.param(1, marks=pytest.mark.slow)], ids=["sampled", "every"])
@pytest.mark.parametrize("name", CASES)
def test_error_is_within_the_stated_bound(name: str, step: int) -> None:
    function, reference, stretches = CASES[name]
    scan = make_scan(function, reference)
    for first, last, bound in stretches:
        error, where = scan(first, last, step)
        assert error < bound, f"{name}({where!r}) is off by {error:.3f} ulp"
    if name == "log":  # no other error arises far from 1: every 101st is enough there
        assert scan(MIN_NORMAL, 3.4028234e38, max(step, 101))[0] < stretches[0][2]


@pytest.mark.parametrize("name", ["exp", "log", "sin", "cos"])
def test_the_stated_bound_is_the_docstrings(name: str) -> None:
    function = common.sin_cos_f32 if name in ("sin", "cos") else CASES[name][0]
    for _, _, bound in CASES[name][2]:
        assert f"{bound} ulp" in function.py_func.__doc__


@njit(parallel=True, error_model="numpy")
def pow_errors(x, y):
    errors = np.zeros(x.size)
    for i in prange(x.size):
        errors[i] = ulps(pow_f32(x[i], y[i]), math.pow(np.float64(x[i]), np.float64(y[i])))
    return errors


@pytest.mark.parametrize(
    ("log_x", "product", "bound"),
    [((-20.0, 20.0), 8.0, 1.5), ((-0.3, 0.3), 8.0, 1.5), ((-87.0, 88.0), 87.0, 8.0), ((-0.5, 0.5), 87.0, 8.0)],
)
def test_pow_error_is_within_the_stated_bound(
    log_x: tuple[float, float], product: float, bound: float, rng: np.random.Generator
) -> None:
    count = 1_000_000
    log_of_x = rng.uniform(*log_x, count)
    x = np.exp(log_of_x).astype(F32)
    y = (rng.uniform(-product, product, count) / log_of_x).astype(F32)
    assert pow_errors(x, y).max() < bound
    assert f"{bound:g} ulp" in (pow_f32.py_func.__doc__ or "")


def test_nearly_zero() -> None:
    for bits in [*range(0, int(F32(SMALL).view(np.uint32)), 1_000_003), int(F32(SMALL).view(np.uint32))]:
        for x in (np.uint32(bits).view(F32), -np.uint32(bits).view(F32)):
            assert exp_f32(x) == 1.0 and cos_f32(x) == 1.0 and sin_f32(x) == x


def test_special_values() -> None:
    smallest, largest = F32(2.0**-149), np.finfo(F32).max
    assert [exp_f32(F32(v)) for v in (0.0, -0.0, -np.inf, -104.0)] == [1.0, 1.0, 0.0, 0.0]
    assert exp_f32(F32(-103.9)) == smallest
    assert exp_f32(F32(88.72283)) < np.inf == exp_f32(F32(88.7229)) == exp_f32(F32(np.inf))
    assert log_f32(F32(1.0)) == 0.0 and log_f32(F32(0.0)) == -np.inf and log_f32(F32(np.inf)) == np.inf
    assert log_f32(smallest) == F32(math.log(2.0**-149)) and log_f32(largest) == F32(math.log(largest))
    assert all(np.isnan(log_f32(F32(v))) for v in (-1.0, -np.inf, np.nan))
    assert np.isnan(exp_f32(F32(np.nan)))
    assert sin_f32(F32(0.0)) == 0.0 and cos_f32(F32(0.0)) == 1.0
    assert pow_f32(F32(7.0), F32(0.0)) == 1.0 and pow_f32(F32(2.0), F32(-149.0)) == smallest
    assert pow_f32(F32(2.0), F32(128.0)) == np.inf and pow_f32(F32(2.0), F32(-151.0)) == 0.0


def test_results_are_float32() -> None:
    @njit
    def results(x):
        return exp_f32(x), log_f32(x), pow_f32(x, x), sin_f32(x), cos_f32(x), common.round_even(x)

    results(F32(0.75))
    (signature,) = results.nopython_signatures
    assert {str(item) for item in signature.return_type.types} == {"float32"}


def test_floor_int() -> None:
    values = [-2.0, -1.5, -1e-30, -0.0, 0.0, 0.5, 1.0, 2.999999, 1e9, -1e9]
    assert [common.floor_int(F32(v)) for v in values] == [math.floor(F32(v)) for v in values]


# --- Random numbers ------------------------------------------------------------------------------------


@njit
def words(keys):
    """uint32[n, 4] of the keys uint32[n, 4]."""
    out = np.empty(keys.shape, np.uint32)
    for i in range(keys.shape[0]):
        out[i] = pcg4d(keys[i, 0], keys[i, 1], keys[i, 2], keys[i, 3])
    return out


@njit
def units(values):
    out = np.empty(values.size, np.float32)
    for i in range(values.size):
        out[i] = unit_float(values[i])
    return out


def counted(slot: int, count: int, others: tuple[int, int, int, int] = (12345, 3, 7, 99)) -> np.ndarray:
    """Keys that count up in one slot: how a renderer walks pixels, samples, dimensions or seeds."""
    keys = np.tile(np.array(others, np.uint32), (count, 1))
    keys[:, slot] = np.arange(count, dtype=np.uint32)
    return keys


def chi_square_sigmas(observed: np.ndarray) -> float:
    """How many standard deviations the chi-square statistic of equal cells lies above its mean."""
    expected = observed.sum() / observed.size
    freedom = observed.size - 1
    return float((((observed - expected) ** 2 / expected).sum() - freedom) / math.sqrt(2 * freedom))


def test_pcg4d_is_the_published_function() -> None:
    def plain(v: list[int]) -> list[int]:
        mask = 0xFFFFFFFF
        x, y, z, w = ((k * 1664525 + 1013904223) & mask for k in v)
        for shift in (True, False):
            x = (x + y * w) & mask
            y = (y + z * x) & mask
            z = (z + x * y) & mask
            w = (w + y * z) & mask
            if shift:
                x, y, z, w = (k ^ (k >> 16) for k in (x, y, z, w))
        return [x, y, z, w]

    keys = np.array([[0, 0, 0, 0], [1, 2, 3, 4], [2**32 - 1, 5, 2**31, 77]], np.uint32)
    assert words(keys).tolist() == [plain(row) for row in keys.tolist()]


@pytest.mark.parametrize("slot", range(4))
def test_words_are_uniform_and_neighbouring_keys_unrelated(slot: int) -> None:
    count = 1 << 20
    drawn = words(counted(slot, count))
    for k in range(4):
        u = units(drawn[:, k]).astype(np.float64)
        assert abs(u.mean() - 0.5) < 5 * math.sqrt(1 / 12 / count)
        assert abs(u.var() - 1 / 12) < 5 * math.sqrt(1 / 180 / count)
        assert abs(chi_square_sigmas(np.bincount((u * 1024).astype(int), minlength=1024))) < 5
        # Pairs of neighbours fill the square evenly, and words of one key do too
        for other in (np.roll(u, 1), np.roll(u, 7), units(drawn[:, (k + 1) % 4])):
            cells = (u * 32).astype(int) * 32 + (other * 32).astype(int)
            assert abs(chi_square_sigmas(np.bincount(cells, minlength=1024))) < 5
            assert abs(np.corrcoef(u, other)[0, 1]) < 5 / math.sqrt(count)


def test_one_bit_of_the_key_flips_half_of_the_words(rng: np.random.Generator) -> None:
    keys = rng.integers(0, 2**32, (4096, 4), dtype=np.uint32)
    before = words(keys)
    # The top bits of a word reach fewer bits; pixels, samples, dimensions and seeds stay below 2^24
    for bit in [32 * word + k for word in range(4) for k in range(0, 24, 5)]:
        changed = keys.copy()
        changed[:, bit // 32] ^= np.uint32(1 << (bit % 32))
        flipped = np.unpackbits((before ^ words(changed)).view(np.uint8), axis=1).mean()
        assert 0.4 < flipped < 0.6, f"key bit {bit}"


def test_unit_float_stays_below_one() -> None:
    ends = units(np.array([0, 255, 256, 2**32 - 1], np.uint32))
    assert ends.tolist() == [0.0, 0.0, 2.0**-24, 1.0 - 2.0**-24]
    assert float(F32(TWO_PI)) == pytest.approx(2 * math.pi, rel=1e-7)
