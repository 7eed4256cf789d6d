"""Kernels alone and roofs on a GPU, in the emulator: equal bits, whole tables; a wrong twin is found and not timed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.measure import kernels as kernel_bench
from bench.measure import kernels_gpu
from bench.measure.kernels import KernelTable, document
from bench.measure.kernels_gpu import measure_on_device, prove
from bench.measure.roofs_gpu import DeviceRoofs, measure_device_roofs
from bench.report.kernels import show_kernels
from kernels.base.kernel import Kernel, Traffic
from kernels.base.registry import all_kernels
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu

pytestmark = NEEDS_COMPILER

SORT, KEY = (all_kernels()[name] for name in ("mpm_sort", "mpm_key"))


@pytest.fixture
def gpu(tmp_path: Path) -> Any:
    device = emulated_gpu(tmp_path, launch_s=1.0)
    device.l2_bytes = 2**16
    return device


def test_twins_are_proved_at_several_sizes(gpu: Any) -> None:
    assert prove(SORT, gpu, (1, 30), 1) == []


def test_a_kernel_is_timed_by_the_device_s_clock(gpu: Any) -> None:
    found = measure_on_device(KEY, gpu, 1, size=40)
    assert found.proof is None and len(found.samples_s) == kernel_bench.ROUNDS_MIN
    assert found.samples_s == pytest.approx([1.0] * kernel_bench.ROUNDS_MIN)


def test_a_kernel_with_vectors_by_value_is_timed(gpu: Any) -> None:
    """They stay on the host, where nothing has to be fetched from."""
    found = measure_on_device(all_kernels()["img_trace"], gpu, 1, size=5)
    assert found.proof is None and len(found.samples_s) == kernel_bench.ROUNDS_MIN


def test_another_result_is_no_time(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = kernels_gpu.on_device

    def one_bit(kernel: Kernel, arguments: Any, backend: Any) -> Any:
        written = real(kernel, arguments, backend)
        written["key_out"].view(np.uint32)[3] ^= 1
        return written

    monkeypatch.setattr(kernels_gpu, "on_device", one_bit)
    found = measure_on_device(KEY, gpu, 1, size=40)
    assert found.samples_s == () and found.proof is not None and found.proof.startswith("key_out: 1 of")


def test_roofs_come_from_the_probe(gpu: Any, capsys: pytest.CaptureFixture[str]) -> None:
    roofs = measure_device_roofs(gpu, memory_bytes=2**12, chain_count=2, round_s=1.0)
    threads = 256 * 2 * gpu.multiprocessors
    assert roofs.copy_bytes_per_s == pytest.approx(2 * 2**12) and roofs.read_bytes_per_s == pytest.approx(2**12)
    assert roofs.fma_flop_per_s == pytest.approx(2 * 6 * 2 * threads)
    assert roofs.shared_adds_per_s == pytest.approx(2 * threads)
    found = measure_on_device(KEY, gpu, 1, size=40)
    row = document(found, roofs)
    assert row["verified"] and row["binding_ratio"] > 0.0
    show_kernels(KernelTable((found,), roofs))
    out = capsys.readouterr().out
    assert "mpm_key" in out and "equal bits" in out and "additions to shared memory" in out


def roofs_of_one() -> DeviceRoofs:
    return DeviceRoofs(
        device="x",
        llc_bytes=1,
        copy_bytes_per_s=1e12,
        read_bytes_per_s=1e12,
        cache_copy_bytes_per_s=1e12,
        cache_read_bytes_per_s=1e12,
        fma_flop_per_s=1e12,
        shared_adds_per_s=1e9,
        rates={},
    )


def test_what_is_still_in_the_cache_is_no_claim_on_memory() -> None:
    """Four times the cache of a copy: a quarter of it is written to memory after the last stamp."""
    roofs = dataclasses.replace(roofs_of_one(), llc_bytes=10**9)
    for seconds, told in ((3.1e-3, None), (2.5e-3, "claims 1.20 x the bandwidth of memory")):
        measured = kernel_bench.KernelTiming(
            "k", "thing", 1, 1, Traffic(1, 2 * 10**9, 2 * 10**9, 0), "memory", (seconds,) * 5, None
        )
        assert measured.too_good(roofs) == told
    only_read = dataclasses.replace(measured, traffic=Traffic(1, 4 * 10**9, 0, 0), samples_s=(3.1e-3,) * 5)
    assert only_read.too_good(roofs) == "claims 1.29 x the bandwidth of memory"


def test_a_rate_above_a_roof_of_the_device_is_a_problem() -> None:
    roofs = roofs_of_one()
    measured = kernel_bench.KernelTiming(
        "k", "thing", 1, 1, Traffic(1, 1, 1, 1, atomics=2 * 10**9), "memory", (1.0,) * 5, None
    )
    assert measured.too_good(roofs) == "claims 2.00 x the rate of shared additions"
    assert measured.binding(roofs) == ("rate of shared additions", 2.0)
    assert document(measured, roofs)["problem"] == "claims 2.00 x the rate of shared additions"
