"""The tracer's sampling routines against their densities: Pearson chi-square at 1e-3, many bins."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from kernels.base.common import F32
from kernels.trace import trace_math, trace_volume
from kernels.trace.trace_liquid import water_choice
from tests.support import trace_scene as scene

COUNT = 200_000
random4, sample_phase, sample_cosine = trace_math.random4, trace_math.sample_phase, trace_math.sample_cosine
sample_cone, fog_walk = trace_math.sample_cone, trace_volume.fog_walk


@njit
def _draw_phase(count, ax, ay, az, g, out):
    for n in range(count):
        u, v, _, _ = random4(np.uint32(n), np.uint32(0), np.uint32(0), np.uint32(5))
        out[n, 0], out[n, 1], out[n, 2] = sample_phase(ax, ay, az, g, u, v)


@njit
def _draw_cosine(count, ax, ay, az, g, out):
    for n in range(count):
        u, v, _, _ = random4(np.uint32(n), np.uint32(0), np.uint32(0), np.uint32(6))
        out[n, 0], out[n, 1], out[n, 2] = sample_cosine(ax, ay, az, u, v)


@njit
def _draw_cone(count, ax, ay, az, g, out):
    for n in range(count):
        u, v, _, _ = random4(np.uint32(n), np.uint32(0), np.uint32(0), np.uint32(7))
        out[n, 0], out[n, 1], out[n, 2] = sample_cone(ax, ay, az, g, u, v)


@njit
def _draw_flight(count, gain, trace, grid, table, value, majorant, work, out):
    for n in range(count):
        t, _, _, _, _ = fog_walk(
            F32(-1.0), F32(0.4), F32(0.3), F32(1.0), F32(0.0), F32(0.0), F32(1.0e30), False, gain, trace, grid,
            table, value, majorant, np.uint32(n), np.uint32(3), np.uint32(0), np.uint32(9), work,
        )  # fmt: skip
        out[n] = t


@njit
def _draw_choice(count, cosine, eta, even, out):
    sine = F32(np.sqrt(F32(1.0) - cosine * cosine))
    for n in range(count):
        u, _, _, _ = random4(np.uint32(n), np.uint32(1), np.uint32(2), np.uint32(3))
        zero, one = F32(0.0), F32(1.0)
        _, _, _, passed, weight = water_choice(sine, zero, -cosine, zero, zero, one, zero, zero, one, eta, even, u)
        out[n, 0], out[n, 1] = F32(passed), weight


def chi_square(observed: np.ndarray, expected: np.ndarray) -> None:
    """Fail where the counts are too far from their expectation, at a significance of 1e-3."""
    from statistics import NormalDist

    assert expected.min() > 5
    freedom = observed.size - 1
    figure = float(((observed - expected) ** 2 / expected).sum())
    # Wilson & Hilferty (1931): the cube root of chi^2 / n is nearly normal
    limit = NormalDist().inv_cdf(1 - 1e-3)
    z = ((figure / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / np.sqrt(2 / (9 * freedom))
    assert z < limit, f"chi-square {figure:.1f} with {freedom} degrees of freedom"


def around_axis(directions: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine to the axis and azimuth about it, float64."""
    d = directions.astype(np.float64)
    np.testing.assert_allclose((d * d).sum(axis=1), 1.0, atol=1e-6)
    other = np.cross(axis, [0.3, -0.5, 0.8])
    other /= np.linalg.norm(other)
    third = np.cross(axis, other)
    return np.clip(d @ axis, -1, 1), np.arctan2(d @ third, d @ other)


AXES = [(0.0, 0.0, 1.0), (0.0, 0.0, -1.0), (0.6, -0.64, 0.48)]


def hg_cdf(c: np.ndarray, g: float) -> np.ndarray:
    if g == 0:
        return (c + 1) / 2
    return (1 - g * g) / (2 * g) * (1 / np.sqrt(1 + g * g - 2 * g * c) - 1 / (1 + g))


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("kind", ["hg 0", "hg 0.7", "hg -0.5", "cosine", "cone 0.95"])
def test_directions_follow_their_density(axis, kind):
    out = np.zeros((COUNT, 3), np.float32)
    a = np.array(axis) / np.linalg.norm(axis)
    ax, ay, az = (F32(v) for v in a)
    name, _, number = kind.partition(" ")
    parameter = float(number or 0)
    draw = {"hg": _draw_phase, "cosine": _draw_cosine, "cone": _draw_cone}[name]
    draw(COUNT, ax, ay, az, F32(parameter), out)
    cosine, azimuth = around_axis(out, a)
    if name == "hg":
        share = hg_cdf(cosine, parameter)
    elif name == "cosine":
        assert cosine.min() > -1e-6
        share = 1 - cosine**2
    else:
        assert cosine.min() > parameter - 1e-6
        share = (1 - cosine) / (1 - parameter)
    # Both the cumulated density of the cosine and the azimuth are uniform, and independent
    table, _, _ = np.histogram2d(np.clip(share, 0, 1), azimuth, bins=(20, 16), range=((0, 1), (-np.pi, np.pi)))
    chi_square(table.ravel(), np.full(320, COUNT / 320))


def test_free_flight_follows_the_extinction():
    args = scene.empty(1, 1)
    x = np.linspace(0, 1, 33)
    profile = np.where(x < 0.5, 6.0 * x, 3.0 - 2.0 * (x - 0.5)).astype(np.float32)
    profile[10:20] = 0.0
    scene.add_fog(args, np.broadcast_to(profile[:, None, None], (33, 33, 33)), 1 / 32)
    out = np.zeros(COUNT, np.float32)
    _draw_flight(
        COUNT, F32(1.0), args["trace_in"], args["grid_in"], args["fog_table_in"], args["fog_value_in"],
        args["fog_majorant_in"], args["work_inout"][0], out,
    )  # fmt: skip
    # Expected share of collisions by voxel, from the exact optical depth of the piecewise linear profile
    depth = np.concatenate([[0], np.cumsum((profile[1:] + profile[:-1]) / 2 / 32)])
    share = np.exp(-depth[:-1]) - np.exp(-depth[1:])
    bins = np.floor((out.astype(np.float64) - 1.0) * 32).astype(int)
    hit = out >= 0
    observed = np.bincount(np.clip(bins[hit], 0, 31), minlength=32).astype(float)
    expected = share * COUNT
    assert observed[expected == 0].sum() == 0
    keep = expected > 0
    observed = np.append(observed[keep], (~hit).sum())
    chi_square(observed, np.append(expected[keep], np.exp(-depth[-1]) * COUNT))


@pytest.mark.parametrize("cosine", [1.0, 0.6, 0.1])
@pytest.mark.parametrize("eta", [1.333, 1 / 1.333])
@pytest.mark.parametrize("even", [False, True])
def test_fresnel_choice(cosine, eta, even):
    out = np.zeros((COUNT, 2), np.float32)
    _draw_choice(COUNT, F32(cosine), F32(eta), even, out)
    sine2 = (1 - cosine**2) / eta**2
    reflectance = 1.0
    if sine2 < 1:
        inside = np.sqrt(1 - sine2)
        s, p = (cosine - eta * inside) / (cosine + eta * inside), (eta * cosine - inside) / (eta * cosine + inside)
        reflectance = (s * s + p * p) / 2
    passed = out[:, 0] > 0
    # Weighted by what a path carries on, each branch has its share of the light
    weight = out[:, 1].astype(np.float64)
    np.testing.assert_allclose(weight[~passed].sum() / COUNT, reflectance, atol=4e-3)
    np.testing.assert_allclose(weight[passed].sum() / COUNT, 1 - reflectance, atol=4e-3)
    if not even and 0 < reflectance < 1:
        np.testing.assert_allclose(weight, 1.0, rtol=1e-6)
        counts = np.array([passed.sum(), (~passed).sum()], float)
        chi_square(counts, np.array([1 - reflectance, reflectance]) * COUNT)
