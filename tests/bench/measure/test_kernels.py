"""Kernels alone: examples are complete, one thread and many write the same bits, an impossible rate is noticed."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from click.testing import CliRunner

from bench.base.errors import BudgetSpent
from bench.cli.main import main
from bench.measure.kernels import (
    KernelTiming,
    disagreement,
    document,
    fresh,
    grown_example,
    make_example,
    measure_against,
    measure_kernel,
    traffic_after,
)
from bench.measure.roofs import Roofs, llc_bytes, rates_of
from bench.measure.scaling import Scaling
from kernels.base.kernel import Kernel, Traffic
from kernels.base.registry import all_kernels

KERNELS = all_kernels()
SMALL = 48
ROOFS = Roofs(
    threads=1,
    llc_bytes=2**25,
    copy_bytes_per_s=1e10,
    read_bytes_per_s=1.2e10,
    cache_copy_bytes_per_s=1e11,
    cache_read_bytes_per_s=1e11,
    fma_flop_per_s=1e11,
    rates={},
)


@pytest.mark.parametrize("name", KERNELS)
def test_one_thread_and_two_write_the_same_bits(name: str) -> None:
    kernel = KERNELS[name]
    arguments = make_example(kernel, SMALL)
    assert set(arguments) == set(kernel.argument_names)
    assert kernel.output_names
    assert disagreement(kernel, arguments, 2) is None


@pytest.mark.parametrize("name", KERNELS)
def test_examples_are_repeatable_and_their_traffic_is_whole(name: str) -> None:
    kernel = KERNELS[name]
    first, second = make_example(kernel, SMALL), make_example(kernel, SMALL)
    for argument in kernel.argument_names:
        assert np.array_equal(first[argument], second[argument], equal_nan=True), argument
    traffic, _ = traffic_after(kernel, first, 1)
    assert traffic.items > 0
    assert all(value >= 0 and int(value) == value for value in vars(traffic).values())


@pytest.mark.parametrize("name", KERNELS)
def test_arrays_that_are_only_read_stay_as_they_are(name: str) -> None:
    kernel = KERNELS[name]
    arguments = make_example(kernel, SMALL)
    read = [n for n, v in arguments.items() if isinstance(v, np.ndarray) and n not in kernel.output_names]
    before = {n: arguments[n].copy() for n in read}
    kernel.cpu(*fresh(kernel, arguments).values())
    for argument in read:
        assert np.array_equal(before[argument], arguments[argument], equal_nan=True), argument


def make_kernel(cpu: Any, flops: int = 1, traffic_bytes: int = 8) -> Kernel:
    return Kernel(
        name="made_up",
        item="word",
        cpu=cpu,
        traffic=lambda **arguments: Traffic(
            items=arguments["words_out"].size, bytes_read=0, bytes_written=traffic_bytes, flops=flops
        ),
        example=lambda rng, size: {"words_out": np.zeros(size, np.int32)},
    )


def threads_written(words_out: np.ndarray) -> None:
    words_out[:] = numba.get_num_threads()


def ones_written(words_out: np.ndarray) -> None:
    words_out[:] = 1


def test_a_result_that_depends_on_threads_is_not_timed() -> None:
    found = measure_kernel(make_kernel(threads_written), 2, 2**20, size=16)
    assert found.samples_s == () and found.proof == "words_out differ between 1 and 2 threads"
    assert document(found, ROOFS)["verified"] is False and document(found, ROOFS)["median_s"] is None


def rows_by_task(rows_out: np.ndarray, scratch_inout: np.ndarray, places_out: np.ndarray) -> None:
    """What each thread did in a row of its own, in places and scratch that depend on their number."""
    threads = numba.get_num_threads()
    rows_out[:threads] = 6 // threads
    scratch_inout[:] = threads
    places_out[:] = np.roll(np.arange(len(places_out)), threads)


def test_threads_are_compared_as_twins_are() -> None:
    """By what the kernel states: sums, rows in any order, no scratch; by everything where it states nothing."""
    arguments = {
        "rows_out": np.zeros((2, 3), np.int32),
        "scratch_inout": np.zeros(4, np.int32),
        "places_out": np.zeros(5, np.int32),
    }
    plain = make_kernel(rows_by_task)
    assert disagreement(plain, arguments, 2) == ("rows_out, scratch_inout, places_out differ between 1 and 2 threads")
    stated = dataclasses.replace(plain, summed=("rows_out",), scratch=("scratch_inout",), unordered=("places_out",))
    assert disagreement(stated, arguments, 2) is None


def test_a_result_that_does_not_is() -> None:
    found = measure_kernel(make_kernel(ones_written), 1, 2**20, size=16)
    assert found.proof is None and len(found.samples_s) >= 5 and found.level == "cache"


@pytest.mark.parametrize(
    ("level", "traffic_bytes", "flops", "problem"),
    [
        ("memory", 11_000_000_000, 0, None),
        ("memory", 13_000_000_000, 0, "bandwidth of memory"),
        ("cache", 13_000_000_000, 0, None),
        ("cache", 120_000_000_000, 0, "bandwidth of cache"),
        ("memory", 0, 110_000_000_000, "rate of multiply-adds"),
    ],
)
def test_a_rate_above_a_roof_is_a_problem(level: str, traffic_bytes: int, flops: int, problem: str | None) -> None:
    traffic = Traffic(items=1, bytes_read=traffic_bytes, bytes_written=0, flops=flops)
    said = KernelTiming("k", "item", 1, 1, traffic, level, (1.0, 1.2), None).too_good(ROOFS)
    assert said is None if problem is None else problem in str(said)


def grown(monkeypatch: pytest.MonkeyPatch, example_s: float = 0.0, **options: Any) -> tuple[list[int], int]:
    """Sizes of the examples that were made, and the last; each takes ``example_s`` for 1000 words, a launch nothing."""
    now, made = [0.0], []

    def example(rng: Any, size: int) -> dict[str, Any]:
        made.append(size)
        now[0] += example_s * size / 1000
        return {"words_out": np.zeros(1, np.int32)}

    monkeypatch.setattr("bench.measure.kernels.time.perf_counter", lambda: now[0])
    kernel = dataclasses.replace(make_kernel(ones_written), example=example)
    size, *_ = grown_example(kernel, lambda arguments: (Traffic(1, 1, 1, 1), 0.0), 10**9, **options)
    return made, size


def test_an_example_grows_to_the_largest_size_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    assert grown(monkeypatch, size_max=300) == ([32, 256, 300], 300)


def test_an_example_that_is_long_to_make_grows_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert grown(monkeypatch, example_s=1.0, example_long_s=4.0) == ([32, 256, 512, 1024, 2048, 4096], 4096)


def test_no_example_is_begun_that_is_longer_than_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BudgetSpent):
        grown(monkeypatch, example_s=1.0, left_s=lambda: 1.5)


@pytest.mark.parametrize(("second_copy", "problem"), [(1e10, True), (1e30, False)])
def test_only_a_claim_that_stands_twice_is_above_a_roof(
    monkeypatch: pytest.MonkeyPatch, second_copy: float, problem: bool
) -> None:
    asked = []

    @functools.cache
    def measure_roofs(threads: int) -> Roofs:
        asked.append(threads)
        return dataclasses.replace(ROOFS, copy_bytes_per_s=second_copy)

    monkeypatch.setattr("bench.measure.kernels.measure_roofs", measure_roofs)
    kernel = make_kernel(ones_written, flops=0, traffic_bytes=10**17)
    found, roofs = measure_against(kernel, 1, ROOFS, size=16)
    assert (found.too_good(roofs) is not None) is problem and asked == [1]
    assert roofs.copy_bytes_per_s == max(second_copy, 1e10) and roofs.read_bytes_per_s == 1.2e10


def test_growth_is_proportional_within_15_per_cent() -> None:
    assert Scaling("", "", 1, 8, (1.0, 1.0), (8.8, 9.0)).proportional
    assert not Scaling("", "", 1, 8, (1.0, 1.0), (9.4, 9.4)).proportional
    assert Scaling("", "", 10, 40, (2.0,), (8.0,)).cost_ratio == 1.0


def test_rates_repeat_until_a_round_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("bench.measure.roofs.time.perf_counter", lambda: now[0])

    def call(repeats: int) -> None:
        now[0] += 0.004 * repeats

    assert rates_of(100.0, call, rounds=3) == pytest.approx((25_000.0,) * 3)


def test_cache_size_is_read_or_guessed(tmp_path: Path) -> None:
    assert llc_bytes(tmp_path) == 64 * 2**20
    for index, size in enumerate(("32K", "1024K", "36M")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(f"{size}\n")
    assert llc_bytes(tmp_path) == 36 * 2**20


def test_unknown_kernel_is_one_line() -> None:
    result = CliRunner().invoke(main, ["kernels", "mpm_p3g"])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and "mpm_p2g" in result.stderr


def test_json_is_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measure.kernels.measure_roofs", lambda threads: ROOFS)
    result = CliRunner().invoke(main, ["kernels", "surf_scan", "--size", "64", "--threads", "1", "--json"])
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made["kernels"][0]["verified"] and made["roofs"]["copy_bytes_per_s"] == 1e10


FIND_FLOAT64 = """
import sys
from numba.core.dispatcher import Dispatcher
from kernels.base import registry
from bench.measure.kernels import fresh, make_example
for name in registry.kernel_names():
    if name.startswith("mpm_") != (sys.argv[1] == "mpm"):
        continue
    kernel = registry.kernel_named(name)
    kernel.cpu(*fresh(kernel, make_example(kernel, 48)).values())
wide, seen = [], 0
for stem in registry.module_names():
    module = registry.module_named(stem)
    for name, value in vars(module).items():
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
            for compiled in value.overloads.values():
                seen += 1
                typemap = compiled.type_annotation.typemap
                # A literal is a float64 until F32() wraps it; what is computed from a bare one has another name
                computed = {v: str(kind) for v, kind in typemap.items() if not v.startswith("$const")}
                wide += [f"{stem}.{name}: {v}" for v, kind in computed.items() if "float64" in kind]
print(seen)
sys.exit("\\n".join(sorted(set(wide))) or 0)
"""


@pytest.mark.slow
def test_no_kernel_computes_in_float64(tmp_path: Path) -> None:
    """Numba widens quietly: int32 * float32 is float64. Compiled afresh, since a cached kernel keeps no types."""
    halves = [
        subprocess.Popen(
            [sys.executable, "-c", FIND_FLOAT64, part],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / part)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for part in ("mpm", "others")  # an example may launch others of its family
    ]
    told = [half.communicate() for half in halves]
    assert [half.returncode for half in halves] == [0, 0], "".join(errors[-3000:] for _, errors in told)
    assert sum(int(seen) for seen, _ in told) > 50
