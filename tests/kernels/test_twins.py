"""Every kernel's CUDA twin against its Numba version, bit for bit.

Without a GPU the text of the ``.cu`` runs in the emulator, plainly and with every access checked, in the natural order
of blocks and threads and in shuffled ones. With ``--device N`` the same inputs run on GPU N.
Inputs are each kernel's example and those of ``twin_cases``.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from bench.backend.same_bits import copied, differences, on_device, unequal_elements
from kernels.base import nvrtc, source
from kernels.base.constants import COUNT_BLOCKS_NEEDED, COUNT_ERROR
from kernels.base.kernel import Kernel, Pass
from kernels.base.registry import all_kernels
from tests.emulator import Emulator, build
from tests.emulator.cards import CARDS
from tests.twin_cases import cases_of

KERNELS = {name: kernel for name, kernel in all_kernels().items() if source.has_twin(name)}
EXAMPLE = "example"
EXAMPLE_SIZE = 300
EXAMPLE_SIZES = {"img_trace": 24}  # a picture is a hundred times as much work as the rest
SEED = 20260131
ORDERS = 12
# Constants of a twin alone, made so small in one run that a case of this size gets where a full one does
SMALL = {"mpm_sort": {"DEVICE_CHUNKS": 2}}
RUNS: tuple[dict[str, Any], ...] = (
    {},
    {"seed": 7, "device_sms": 1},
    {"checked": True},
    {"checked": True, "seed": 11},
    {"small": True, "seed": 5},
)


@pytest.fixture(autouse=True)
def somewhere_to_run(gpu: Any) -> None:
    if gpu is None and not build.available():
        pytest.skip(build.why_not())


def each_case() -> list[Any]:
    return [
        pytest.param(name, label, id=f"{name}-{label.replace(' ', '_')}")
        for name in KERNELS
        for label in (EXAMPLE, *cases_of(name))
    ]


def made(name: str, label: str) -> dict[str, Any]:
    """The arguments of a case in the order of the kernel's."""
    rng = np.random.default_rng(SEED)
    kernel = KERNELS[name]
    if label == EXAMPLE:
        arguments = kernel.example(rng, EXAMPLE_SIZES.get(name, EXAMPLE_SIZE))
    else:
        arguments = cases_of(name)[label](rng)
    return {name: arguments[name] for name in kernel.argument_names}


def by_numba(kernel: Kernel, arguments: dict[str, Any]) -> dict[str, Any]:
    found = copied(arguments)
    kernel.cpu(*found.values())
    return found


def by_emulator(kernel: Kernel, arguments: dict[str, Any], small: bool = False, **options: Any) -> dict[str, Any]:
    found = copied(arguments)
    text = source.assemble(kernel.name)
    for name, value in SMALL[kernel.name].items() if small else ():
        text, times = re.subn(rf"(?m)^constexpr int {name} = \d+;$", f"constexpr int {name} = {value};", text)
        assert times == 1, name
    Emulator(**options).launch_text(text, kernel.passes, kernel.argument_names, tuple(found.values()))
    return found


def runs_of(name: str) -> list[int]:
    """Which of RUNS are a kernel's."""
    return [n for n, options in enumerate(RUNS) if "small" not in options or name in SMALL]


def void(kernel: Kernel, arguments: dict[str, Any], want: dict[str, Any]) -> set[str]:
    """Arrays whose content nobody states: the order where the sort fails, which then only carried its own work."""
    if kernel.name != "mpm_sort":
        return set()
    was, counts = arguments["counts_inout"], want["counts_inout"]
    failed = counts[COUNT_ERROR] != 0 or counts[COUNT_BLOCKS_NEEDED] != was[COUNT_BLOCKS_NEEDED]
    return {"order_out"} if failed else set()


@pytest.mark.parametrize(("name", "label"), each_case())
def test_a_twin_gives_the_same_bits(name: str, label: str, gpu: Any) -> None:
    kernel = KERNELS[name]
    arguments = made(name, label)
    want = by_numba(kernel, arguments)
    want = {n: value for n, value in want.items() if n not in void(kernel, arguments, want)}
    if gpu is not None:
        assert differences(kernel, want, on_device(kernel, arguments, gpu), any_nan=True) == []
        return
    for n in runs_of(name):
        assert differences(kernel, want, by_emulator(kernel, arguments, **RUNS[n])) == [], RUNS[n]


@pytest.mark.parametrize("name", KERNELS)
def test_no_order_of_blocks_and_threads_changes_a_bit(name: str, gpu: Any) -> None:
    """Nor how many blocks there are."""
    kernel = KERNELS[name]
    arguments = made(name, EXAMPLE)
    want = by_numba(kernel, arguments)
    for n in range(ORDERS):
        if gpu is not None:
            found = on_device(kernel, arguments, gpu)
        else:
            found = by_emulator(kernel, arguments, seed=100 + n, device_sms=1 + n % 5)
        assert differences(kernel, want, found, any_nan=gpu is not None) == []


@pytest.mark.skipif(nvrtc.library_path() is None, reason=nvrtc.LIBRARY_MISSING)
@pytest.mark.parametrize("card", ["T4", "RTX 4090", "H200"])
@pytest.mark.parametrize("name", [name for name in KERNELS if "__CUDA_ARCH__" in source.assemble(name)])
def test_every_architecture_s_text_gives_the_same_bits(name: str, card: str, gpu: Any) -> None:
    """In blocks as that card holds them."""
    if gpu is not None:
        pytest.skip("a GPU has one architecture")
    kernel = KERNELS[name]
    for label in (EXAMPLE, *cases_of(name)) if name != "img_trace" else (EXAMPLE,):
        arguments = made(name, label)
        found = by_emulator(kernel, arguments, device_sms=2, card=CARDS[card])
        assert differences(kernel, by_numba(kernel, arguments), found) == [], label


# --- The functions of common.py, one by one -----------------------------------------------------

FUNCTIONS = {
    "exp": "exp_f32(a)",
    "log": "log_f32(a)",
    "pow": "pow_f32(MIN_NORMAL <= fabsf(a) && fabsf(a) <= MAX ? fabsf(a) : ONE, b)",
    "sin": "sin_f32(fabsf(a) < 100000.0f ? a : ONE)",
    "cos": "cos_f32(fabsf(a) < 100000.0f ? a : ONE)",
    "floor": "(float)floor_int(fabsf(a) < 2.0e9f ? a : ONE)",
    "unit": "unit_float((unsigned)float_bits(a))",
    "pcg": "bits_float((int)(pcg4d((unsigned)float_bits(a), (unsigned)float_bits(b), 3u, 4u).w >> 9))",
}


def common_by_numba(a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    from kernels.base import common

    largest = common.F32(3.4028234663852886e38)
    x = np.where((np.abs(a) >= common.F32(1.1754943508222875e-38)) & (np.abs(a) <= largest), np.abs(a), common.F32(1))
    small = np.where(np.abs(a) < 100000, a, common.F32(1))
    bits = a.view(np.uint32)
    words = [common.pcg4d(p, q, np.uint32(3), np.uint32(4))[3] for p, q in zip(bits, b.view(np.uint32))]
    return {
        "exp": np.array([common.exp_f32(v) for v in a], np.float32),
        "log": np.array([common.log_f32(v) for v in a], np.float32),
        "pow": np.array([common.pow_f32(v, w) for v, w in zip(x, b)], np.float32),
        "sin": np.array([common.sin_f32(v) for v in small], np.float32),
        "cos": np.array([common.cos_f32(v) for v in small], np.float32),
        "floor": np.array([common.floor_int(v) for v in np.where(np.abs(a) < 2e9, a, common.F32(1))], np.float32),
        "unit": np.array([common.unit_float(v) for v in bits], np.float32),
        "pcg": (np.array(words, np.uint32) >> 9).view(np.float32),
    }


def common_inputs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    edges = [
        0.0,
        -0.0,
        1e-45,
        -1e-45,
        1e-39,
        1.1754944e-38,
        3.4028234663852886e38,
        1.4142135381698608,  # where the logarithm splits, and the two ways round differently
        -3.4e38,
        np.inf,
        -np.inf,
        np.nan,
        88.72284,
        88.7229,
        -103.97,
    ]
    a = np.concatenate(
        [
            np.array([*edges, 0.5, 1.0, 0.70710677, 2.0, -87.5, 1.5707964, 3.1415927], np.float32),
            rng.integers(0, 2**32, 1500, dtype=np.uint32).view(np.float32),
            rng.uniform(-90, 90, 500).astype(np.float32),
        ]
    )
    return a, rng.uniform(-4, 4, len(a)).astype(np.float32)


def common_text() -> str:
    stores = "".join(f"    out[{n} * n + i] = {text};\n" for n, text in enumerate(FUNCTIONS.values()))
    return source.paste(
        '#include "common.cuh"\nextern "C" __global__ void common_functions(long long n, Array<const float> a_in, '
        "Array<const float> b_in, Array<float> out) {\n"
        "  for (long long i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {\n"
        f"    float a = a_in[i], b = b_in[i];\n{stores}  }}\n}}\n",
        "kernels/common_functions.cu",
    )


def wrong_common(want: dict[str, np.ndarray], a: np.ndarray, b: np.ndarray, gpu: Any = None) -> list[Any]:
    """The functions whose bits differ from Numba's, with examples."""
    text, out = common_text(), np.zeros(len(FUNCTIONS) * len(a), np.float32)
    if gpu is None:
        for checked in (False, True):
            arguments = (len(a), a, b, out)
            Emulator(checked=checked).launch_text(
                text, (Pass("common_functions"),), ("n", "a_in", "b_in", "out"), arguments
            )
    else:
        there = [gpu.array(values) for values in (a, b, out)]
        gpu.run_pass(gpu.load_text(text, "common_functions", Pass("common_functions")), len(a), *there)
        out = gpu.host(there[2])
    wrong = []
    for name, found in zip(FUNCTIONS, out.reshape(len(FUNCTIONS), -1)):
        at = np.flatnonzero(unequal_elements(want[name], found, any_nan=True))[:3]
        if at.size:
            wrong.append((name, a[at], b[at], want[name][at], found[at]))
    return wrong


def test_common_functions_give_the_same_bits(rng: np.random.Generator, gpu: Any) -> None:
    a, b = common_inputs(rng)
    with np.errstate(all="ignore"):
        want = common_by_numba(a, b)
    assert wrong_common(want, a, b, gpu) == []


# --- Roofs --------------------------------------------------------------------------------------


def test_the_roofs_loops_do_what_they_are_timed_for(rng: np.random.Generator) -> None:
    from kernels.base import roof_probe as probe

    text = source.assemble("roof_probe")
    emulator = Emulator(device_sms=1, checked=True)
    threads, blocks = 8 * probe.PROBE_THREADS, 8
    values = rng.uniform(0, 1, 50_000).astype(np.float32)

    def run(name: str, names: tuple[str, ...], *arguments: Any) -> None:
        emulator.launch_text(text, (probe.DEVICE_PASSES[name],), names, arguments)

    target, sums = np.zeros_like(values), np.zeros(threads, np.float32)
    run("copy", ("repeats", "source_in", "target_out"), 2, values, target)
    assert np.array_equal(values, target)
    for repeats in (1, 3):
        run("read", ("repeats", "source_in", "sums_out"), repeats, values, sums)
        assert abs(float(sums.sum(dtype=np.float64)) - repeats * float(values.sum(dtype=np.float64))) < 1e-2
    run("multiply_add", ("count", "sums_out"), 40, sums)
    want = np.zeros(threads, np.float32)
    for task in range(0, threads, 97):
        want[task] = probe._chains_6(np.float32(task), 40)
        assert sums[task] == want[task]
    counted = np.zeros(blocks, np.int32)
    run("shared_add", ("count", "amount", "sums_out"), 33, 5, counted)
    assert counted.tolist() == [33 * 5 * probe.PROBE_THREADS] * blocks
