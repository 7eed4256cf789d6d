"""Equality of what a kernel wrote: every bit counts, but for what the kernel says of scratch, sums and order."""

from __future__ import annotations

import dataclasses

import numpy as np

from bench.backend.same_bits import differences, different_arrays, unequal_elements
from kernels.base.registry import all_kernels


def test_differences_know_what_may_change_places() -> None:
    kernel = dataclasses.replace(
        all_kernels()["mpm_key"], unordered=("rows_out",), summed=("sums_out",), scratch=("scratch",)
    )
    want = {
        "rows_out": np.array([[1, 2], [3, 4]]),
        "sums_out": np.array([1, 2]),
        "scratch": np.zeros(2),
        "n": 3,
        "plain_out": np.zeros(2, np.float32),
    }
    got = {**want, "rows_out": want["rows_out"][::-1].copy(), "sums_out": np.array([3, 0]), "scratch": np.ones(2)}
    assert differences(kernel, want, got) == []
    got["plain_out"] = np.array([0.0, -0.0], np.float32)
    assert differences(kernel, want, got) == [
        "plain_out: 1 of 2 differ, the first at (1,): np.float32(0.0) became np.float32(-0.0)"
    ]
    nan = np.array([0x7FFFFFFF, 0xFFC00000], np.uint32).view(np.float32)
    assert differences(kernel, {"plain_out": nan}, {"plain_out": nan[::-1].copy()}, any_nan=True) == []
    assert differences(kernel, {"plain_out": nan}, {"plain_out": nan[::-1].copy()})[0].startswith("plain_out: 2 of 2")
    got["rows_out"] = want["rows_out"] + 1
    assert differences(kernel, want, got)[0] == "rows_out: its rows differ"
    assert different_arrays(kernel, want, got) == ["rows_out", "plain_out"]


def test_another_shape_or_type_is_a_difference() -> None:
    kernel = dataclasses.replace(all_kernels()["mpm_key"], unordered=("rows_out",))
    want = {"rows_out": np.array([[1, 2], [3, 4]]), "plain_out": np.zeros(2, np.float32)}
    got = {"rows_out": np.array([[1, 2]]), "plain_out": np.zeros(2, np.int32)}
    assert differences(kernel, want, got) == [
        "rows_out: expected int64(2, 2), found int64(1, 2)",
        "plain_out: expected float32(2,), found int32(2,)",
    ]


def test_rows_are_sets_with_repeats() -> None:
    kernel = dataclasses.replace(all_kernels()["mpm_key"], unordered=("rows_out",))
    rows = np.array([[2, 1], [1, 2], [1, 1], [1, 2]], np.float32)
    assert differences(kernel, {"rows_out": rows}, {"rows_out": rows[[3, 2, 0, 1]]}) == []
    assert differences(kernel, {"rows_out": rows}, {"rows_out": rows[[0, 0, 2, 1]]}) == ["rows_out: its rows differ"]
    # The same numbers in other rows are another result
    assert differences(kernel, {"rows_out": rows}, {"rows_out": rows[:, ::-1].copy()}) != []


def test_zeros_of_both_signs_differ_and_nans_only_on_demand() -> None:
    a, b = np.array([0.0, np.nan, 1.0], np.float32), np.array([-0.0, -np.nan, 1.0], np.float32)
    assert unequal_elements(a, b).tolist() == [True, True, False]
    assert unequal_elements(a, b, any_nan=True).tolist() == [True, False, False]
