"""What a shot file may say at the most: the picture is finite, no path is endless, no number leaves its type."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.base import constants as k
from kernels.base import source
from kernels.image import img_trace
from tests.emulator import Emulator, EmulatorError, build
from tests.twin_cases import Arguments
from tests.twin_cases.trace_extremes import CASES

LIMIT_S = 60
WORK_MAX = 2_000_000  # of any kind; the densest fog takes a twentieth of it


def trace(arguments: Arguments) -> None:
    kernel = img_trace.KERNEL
    kernel.cpu(*(arguments[name] for name in kernel.argument_names))


@pytest.mark.parametrize("label", CASES["img_trace"])
def test_a_picture_is_finite_and_takes_no_endless_work(label: str) -> None:
    arguments = CASES["img_trace"][label](np.random.default_rng(5))
    arguments["pixel_sums_inout"][:] = 0
    arguments["work_inout"][:] = 0
    trace(arguments)
    assert np.isfinite(arguments["pixel_sums_inout"]).all()
    assert arguments["pixel_sums_inout"].any()
    assert arguments["work_inout"].sum(axis=0).max() < WORK_MAX


@pytest.mark.parametrize("label", ["white ground", "white crust"])
def test_nothing_reflects_more_than_it_gets(label: str) -> None:
    arguments = CASES["img_trace"][label](np.random.default_rng(5))
    arguments["pixel_sums_inout"][:] = 0
    trace(arguments)
    sums = arguments["pixel_sums_inout"][..., k.PIXEL_SUM : k.PIXEL_SUM + 3]
    assert 0 < sums.max() <= 1.0001 * arguments["sample_count"]


def test_a_camera_beside_the_water_is_in_the_air() -> None:
    """It sees what it sees without the water."""
    seen = []
    for water in (1.0, 0.0):
        arguments = CASES["img_trace"]["beside the water"](np.random.default_rng(5))
        arguments["trace_in"][k.TRACE_HAS_SURFACE] = water
        trace(arguments)
        seen.append(arguments["pixel_sums_inout"])
    assert np.array_equal(*seen)


# Lines that keep a number in its type, or a loop from going on for ever: without one of them the emulator has to say so
GUARDS = {
    "fine ripples from 900 m": (
        "fabsf(x) < NOISE_REACH && fabsf(y) < NOISE_REACH && fabsf(z) < NOISE_REACH",
        "true",
        "a float that no whole number of this type stands for",
    ),
    "densest fog from afar": ("if (m > densest) m = densest;", "", "endless"),
    "tiny liquid from afar": ("if (step_min < PROGRESS * t1) step_min = PROGRESS * t1;", "", "endless"),
    "tiny ground from afar": ("if (step_min < PROGRESS * t1) step_min = PROGRESS * t1;", "", "endless"),
}


@pytest.mark.slow
@pytest.mark.skipif(not build.available(), reason=build.why_not())
@pytest.mark.parametrize("label", GUARDS)
def test_a_guard_that_is_taken_away_is_missed(label: str) -> None:
    guard, nothing, message = GUARDS[label]
    text = source.assemble("img_trace")
    assert guard in text
    arguments = CASES["img_trace"][label](np.random.default_rng(5))
    names = img_trace.KERNEL.argument_names
    values = tuple(arguments[name] for name in names)
    checked = message != "endless"
    with pytest.raises(EmulatorError, match=message):
        Emulator(checked=checked, limit_s=10).launch_text(
            text.replace(guard, nothing), img_trace.KERNEL.passes, names, values
        )
