"""The volume ratio against the density of particles: what G2P makes of it, node masses given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.base.constants import COUNT_PARTICLES
from kernels.base.registry import kernel_named
from kernels.solid.mpm_volume import (
    CORRECTION,
    DENSE_MARGIN,
    FILL_MIN,
    SLOPE_SHARE,
    THIN_MARGIN,
    VOLUME_RATIO_MAX,
    VOLUME_RATIO_MIN,
)
from tests.reference import mpm_gather
from tests.twin_cases.mpm.edges import DENSITY, node_mass


def moved(arguments: dict[str, Any]) -> np.ndarray:
    """Volume ratios after a launch."""
    kernel = kernel_named("mpm_g2p")
    kernel.cpu(*[arguments[name] for name in kernel.argument_names])
    volumes: np.ndarray = arguments["position_out"][: arguments["counts_in"][COUNT_PARTICLES], 3].copy()
    return volumes


@pytest.mark.parametrize("label", [label for label in DENSITY if label != "of no known density"])
def test_the_reference_gives_the_same_bits(label: str, rng: np.random.Generator) -> None:
    arguments = DENSITY[label](rng)
    state = {name.removesuffix("_in"): value for name, value in arguments.items() if not name.endswith("_out")}
    want, _, _ = mpm_gather.g2p(state)
    assert np.array_equal(moved(arguments), want[:, 3])


def at_rest(rng: np.random.Generator, fill: float, volume: float) -> np.ndarray:
    """Volume ratios after a substep of even liquid that nothing moves."""
    arguments = node_mass(8 * fill, 8 * fill, volumes=(volume, volume))(rng)
    arguments["node_in"][..., :3] = 0
    return moved(arguments)


@pytest.mark.parametrize("fill", [1 - float(THIN_MARGIN) + 1e-4, 1.0, 1 + float(DENSE_MARGIN) - 1e-4])
def test_liquid_at_rest_is_left_alone(fill: float, rng: np.random.Generator) -> None:
    assert np.allclose(at_rest(rng, fill, 1.0), 1.0, atol=1e-6)


@pytest.mark.parametrize("volume", [0.7, 1.0, 1.05])
@pytest.mark.parametrize("fill", [0.3, 0.8, 1.3, 1.9])
def test_a_ratio_goes_a_share_of_the_way_to_what_the_density_says(
    fill: float, volume: float, rng: np.random.Generator
) -> None:
    """Even liquid: the ratio lies between one over the fill with either margin; a place too thin is spray."""
    full = max(fill + float(THIN_MARGIN), float(FILL_MIN))
    high, low = 1 / max(fill - float(DENSE_MARGIN), min(full, 1.0)), 1 / full
    want = volume + float(CORRECTION) * (min(max(volume, low), high) - volume)
    assert np.allclose(at_rest(rng, fill, volume), np.clip(want, VOLUME_RATIO_MIN, VOLUME_RATIO_MAX), atol=2e-6)


def test_a_surface_is_no_hole(rng: np.random.Generator) -> None:
    """Its slope makes good for what is missing: the same fill without a slope is a hole, which is closed."""
    assert (at_rest(rng, 0.9, 1.0) > 1.002).all()
    steep = 0.4  # of fill, a cell
    arguments = node_mass(0.0, 0.0, volumes=(1.0, 1.0))(rng)
    blocks = [arguments[f"blocks_{axis}"] for axis in "xyz"]
    node_x = 4 * np.unravel_index(arguments["block_id_in"], blocks)[0][:, None] + np.arange(64) // 16
    arguments["node_in"][..., :3] = 0
    arguments["node_in"][..., 3] = 8 * (1 + steep * (node_x - 8))
    size = arguments["counts_in"][COUNT_PARTICLES]
    x = arguments["position_in"][arguments["order_in"][:size], 0] / arguments["cell_size_m"]
    near = (x < 8) & (x > 8 - float(SLOPE_SHARE))  # where a slope may hide so much
    assert near.sum() > 20 and np.allclose(moved(arguments)[near], 1.0, atol=1e-6)
