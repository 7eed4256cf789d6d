"""What a shot file may say at the most: the picture is finite, no path is endless, no number leaves its type."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.base import source
from kernels.image import img_trace
from tests.emulator import Emulator, EmulatorError, build
from tests.twin_cases.trace_extremes import CASES

LIMIT_S = 60
WORK_MAX = 2_000_000  # of any kind; the densest fog takes a twentieth of it


@pytest.mark.parametrize("label", CASES["img_trace"])
def test_a_picture_is_finite_and_takes_no_endless_work(label: str) -> None:
    arguments = CASES["img_trace"][label](np.random.default_rng(5))
    arguments["pixel_sums_inout"][:] = 0
    arguments["work_inout"][:] = 0
    kernel = img_trace.KERNEL
    kernel.cpu(*(arguments[name] for name in kernel.argument_names))
    assert np.isfinite(arguments["pixel_sums_inout"]).all()
    assert arguments["pixel_sums_inout"].any()
    assert arguments["work_inout"].sum(axis=0).max() < WORK_MAX


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
