"""The emulator does what a GPU does with what a kernel may use, and finds what a kernel may not do."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

from kernels.base import source
from kernels.base.kernel import Pass
from tests.emulator import Emulator, EmulatorError, build

pytestmark = pytest.mark.skipif(not build.available(), reason=build.why_not())

SIGNATURE = "Array<int> data_inout, Array<int> more_inout"
GRID = "int thread = blockIdx.x * blockDim.x + threadIdx.x;\n"


def text_of(body: str, threads: int, before: str = "") -> str:
    head = (
        f'#include "common.cuh"\n{before}extern "C" __global__ void __launch_bounds__({threads}) planted({SIGNATURE})'
    )
    return source.paste(f"{head} {{\n{GRID}{body}\n}}\n", "kernels/planted.cu")


def run(
    body: str,
    data: np.ndarray | None = None,
    *,
    threads: int = 64,
    blocks_per_sm: int = 0,
    shared_bytes: int = 0,
    before: str = "",
    **options: Any,
) -> np.ndarray:
    """What the body leaves in ``data_inout``."""
    data = np.zeros(256, np.int32) if data is None else data
    one = Pass("planted", threads=threads, blocks_per_sm=blocks_per_sm, shared_bytes=shared_bytes)
    emulator = Emulator(device_sms=2, **{"checked": True, **options})
    emulator.launch_text(
        text_of(body, threads, before), (one,), ("data_inout", "more_inout"), (data, np.zeros(64, np.int32))
    )
    return data


# --- What a kernel may use ----------------------------------------------------------------------


@pytest.mark.parametrize("checked", [False, True])
def test_who_and_where(checked: bool) -> None:
    body = "data_inout[thread] = blockIdx.x * 1000 + threadIdx.x + (int)(gridDim.x * blockDim.x) * 10000;"
    found = run(body, threads=32, blocks_per_sm=1, checked=checked)[:64]
    assert found.tolist() == [640000 + b * 1000 + t for b in range(2) for t in range(32)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_barrier_orders_shared_memory(seed: int) -> None:
    body = """
    __shared__ int tile[64];
    extern __shared__ int dynamic[];
    tile[threadIdx.x] = threadIdx.x;
    dynamic[threadIdx.x] = 2 * threadIdx.x;
    __syncthreads();
    data_inout[threadIdx.x] = tile[63 - threadIdx.x] + dynamic[(threadIdx.x + 1) % 64];
    """
    found = run(body, shared_bytes=256, seed=seed)[:64]
    assert found.tolist() == [63 - t + 2 * ((t + 1) % 64) for t in range(64)]


def test_barriers_that_count_and_vote() -> None:
    body = """
    int odd = threadIdx.x % 2, three = threadIdx.x == 3;
    int count = __syncthreads_count(odd);
    int any = __syncthreads_or(three), all = __syncthreads_and(threadIdx.x < 64), not_all = __syncthreads_and(odd);
    data_inout[threadIdx.x] = count * 1000 + any * 100 + all * 10 + not_all;
    """
    assert set(run(body)[:64].tolist()) == {32110}


@pytest.mark.parametrize("seed", [0, 3])
def test_shuffles(seed: int) -> None:
    body = """
    unsigned all = 0xFFFFFFFFu;
    int v = threadIdx.x * 10;
    data_inout[threadIdx.x] = __shfl_sync(all, v, 5);
    data_inout[64 + threadIdx.x] = __shfl_up_sync(all, v, 1);
    data_inout[128 + threadIdx.x] = __shfl_down_sync(all, v, 2, 8);
    data_inout[192 + threadIdx.x] = __shfl_xor_sync(all, v, 4);
    """
    found = run(body, seed=seed).reshape(4, 2, 32)
    lane, ten = np.arange(32), np.arange(32) * 10
    assert found[0, 0].tolist() == [50] * 32 and found[0, 1].tolist() == [370] * 32
    assert found[1, 0].tolist() == [0, *ten[:31]]
    assert found[2, 0].tolist() == np.where(lane % 8 < 6, ten + 20, ten).tolist()
    assert found[3, 1].tolist() == (320 + 10 * (lane ^ 4)).tolist()


def test_shuffles_move_floats_and_words() -> None:
    body = """
    float f = __shfl_xor_sync(0xFFFFFFFFu, threadIdx.x + 0.5f, 1);
    long long w = __shfl_sync(0xFFFFFFFFu, (long long)threadIdx.x << 40, 7);
    data_inout[threadIdx.x] = float_bits(f);
    data_inout[64 + threadIdx.x] = (int)(w >> 40);
    """
    found = run(body)
    assert found[:2].view(np.float32).tolist() == [1.5, 0.5]
    assert set(found[64:96].tolist()) == {7}


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_votes_and_matches_in_a_part_of_a_warp(seed: int) -> None:
    body = """
    int lane = threadIdx.x % 32;
    unsigned half = lane < 16 ? 0x0000FFFFu : 0xFFFF0000u;
    unsigned equal;
    if (lane < 16) equal = __match_any_sync(half, lane % 4);
    else equal = __match_any_sync(half, 7);
    data_inout[threadIdx.x] = equal;
    data_inout[64 + threadIdx.x] = __ballot_sync(half, lane % 2);
    data_inout[128 + threadIdx.x] = __any_sync(half, lane == 3) * 2 + __all_sync(half, lane >= 16);
    """
    found = run(body, seed=seed).view(np.uint32)
    assert found[:2].tolist() == [0x1111, 0x2222] and found[20] == 0xFFFF0000
    assert found[64] == 0xAAAA and found[90] == 0xAAAA0000
    assert found[128] == 2 and found[150] == 1


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_who_is_active_meets_in_any_grouping(seed: int) -> None:
    """Additions that a warp makes together, whoever happens to stand together."""
    body = """
    if (threadIdx.x % 3 == 0) {
      unsigned mask = __activemask();
      int leader = __ffs(mask) - 1, lane = threadIdx.x % 32;
      int first = 0;
      if (lane == leader) first = atomicAdd(&data_inout[0], __popc(mask));
      first = __shfl_sync(mask, first, leader);
      int place = first + __popc(mask & ((1u << lane) - 1));
      data_inout[1 + place] = threadIdx.x;
    }
    """
    found = run(body, seed=seed)
    assert found[0] == 22 and sorted(found[1:23].tolist()) == list(range(0, 64, 3))


def test_atomics() -> None:
    body = """
    atomicAdd(&data_inout[0], 2);
    atomicMax(&data_inout[1], (int)threadIdx.x);
    atomicMin(&data_inout[2], -(int)threadIdx.x);
    atomicOr(&data_inout[3], 1 << (threadIdx.x % 8));
    int old = atomicAdd(&data_inout[4], 0);
    while (true) {
      int seen = atomicCAS(&data_inout[4], old, old + 3);
      if (seen == old) break;
      old = seen;
    }
    atomicAdd(reinterpret_cast<unsigned long long*>(&data_inout[6]), 1ull << 33);
    """
    for seed in range(3):
        assert run(body, seed=seed)[:8].tolist() == [128, 63, -63, 255, 192, 0, 0, 128]


def test_whole_number_intrinsics() -> None:
    body = """
    if (thread == 0) {
      data_inout[0] = __popc(0xF0F0u);
      data_inout[1] = __ffs(8);
      data_inout[2] = __clz(1);
      data_inout[3] = __clz(0);
      data_inout[4] = (int)__brev(1u);
      data_inout[5] = (int)__umulhi(0x80000000u, 6u);
      data_inout[6] = __popcll(0xFFFFFFFFFFull);
      data_inout[7] = __ffs(0);
    }
    """
    assert run(body)[:8].tolist() == [8, 4, 31, 32, -(2**31), 3, 40, 0]


def test_a_warp_operation_orders_its_lanes() -> None:
    body = """
    __shared__ int tile[64];
    tile[threadIdx.x] = threadIdx.x;
    __syncwarp();
    data_inout[threadIdx.x] = tile[threadIdx.x ^ 1];
    """
    assert run(body)[:2].tolist() == [1, 0]


def test_the_same_value_from_several_blocks_is_no_race() -> None:
    assert run("data_inout[0] = 5;", blocks_per_sm=2)[0] == 5


def test_passes_run_in_order_and_may_read_each_other() -> None:
    text = text_of("data_inout[thread] = thread;", 64) + (
        f'extern "C" __global__ void planted_two({SIGNATURE}) '
        f"{{ {GRID} more_inout[thread] = data_inout[63 - thread]; }}\n"
    )
    data, more = np.zeros(64, np.int32), np.zeros(64, np.int32)
    passes = (Pass("planted", 64, 0), Pass("planted_two", 64, 0))
    Emulator(checked=True).launch_text(text, passes, ("data_inout", "more_inout"), (data, more))
    assert more.tolist() == list(range(63, -1, -1))


# --- What a kernel may not do -------------------------------------------------------------------

PLANTED = {
    "read behind an array": ("more_inout[0] = data_inout[256];", "index 256 of an array of 256 elements"),
    "write before an array": ("data_inout[thread - 1] = 1;", "index -1 of an array"),
    "vector read over an end": ("more_inout[0] = load4(data_inout, 254).x;", "outside|misaligned|aligned"),
    "misaligned vector": ("more_inout[thread] = load4(data_inout, thread).x;", "aligned"),
    "raw pointer": ("int* p = &data_inout[0]; more_inout[0] = p[300];", "behind the end of data_inout"),
    "wild pointer": ("int* p = &data_inout[0]; p[1LL << 40] = 3;", "far from every argument"),
    "shared race, write then read": (
        "__shared__ int tile[64]; tile[threadIdx.x] = 1; data_inout[thread] = tile[(threadIdx.x + 32) % 64];",
        "race|uninitialised",
    ),
    "shared race, read then write": (
        "__shared__ int tile[64]; tile[threadIdx.x] = 1; __syncthreads();"
        "int v = tile[(threadIdx.x + 1) % 64]; tile[threadIdx.x] = v;",
        "race: a write to shared memory|race: a read of shared memory",
    ),
    "shared race, two writes": (
        "__shared__ int word; word = thread; __syncthreads(); data_inout[thread] = word;",
        "race: a write to shared",
    ),
    "shared race in a warp": (
        "__shared__ int tile[64]; tile[threadIdx.x] = 1; data_inout[thread] = tile[threadIdx.x ^ 1];",
        "race|uninitialised",
    ),
    "a warp's order is not the block's": (
        "__shared__ int tile[64]; tile[threadIdx.x] = 1; __syncwarp(); data_inout[thread] = tile[63 - threadIdx.x];",
        "race|uninitialised",
    ),
    "a shuffle orders no memory": (
        "__shared__ int tile[64]; tile[threadIdx.x] = 1; __syncthreads(); tile[threadIdx.x] = 2;"
        "int v = __shfl_xor_sync(0xFFFFFFFFu, 3, 1); data_inout[thread] = tile[threadIdx.x ^ 1] + v;",
        "race",
    ),
    "a block's read before another's write": (
        "if (blockIdx.x == 0) more_inout[threadIdx.x] = data_inout[5];"
        "else { int v = data_inout[5]; __syncthreads(); if (threadIdx.x == 9) data_inout[5] = v + 1; }",
        "race",
    ),
    "atomic and plain": (
        "__shared__ int sum; if (threadIdx.x == 0) sum = 0; __syncthreads();"
        "atomicAdd(&sum, 1); if (threadIdx.x == 63) data_inout[0] = sum;",
        "race: a read of shared memory|race: an atomic on shared memory",
    ),
    "global race, other values": ("data_inout[0] = thread;", "race: a write of another value to data_inout"),
    "global race between blocks": (
        "if (blockIdx.x == 0) data_inout[thread] = 1; else more_inout[threadIdx.x] = data_inout[threadIdx.x];",
        "race: a read of data_inout|race: a write to data_inout",
    ),
    "global race, plain and atomic": (
        "atomicAdd(&data_inout[0], 1); if (thread == 9) data_inout[0] = 0;",
        "race: a write to data_inout|race: an atomic on data_inout",
    ),
    "uninitialised shared memory": (
        "__shared__ int tile[64]; data_inout[thread] = tile[threadIdx.x];",
        "uninitialised",
    ),
    "shared memory of an earlier block": (
        "__shared__ int word; if (blockIdx.x == 0 && threadIdx.x == 0) word = 4;"
        "if (blockIdx.x == 1 && threadIdx.x == 0) data_inout[0] = word;",
        "uninitialised",
    ),
    "index outside a fixed array": (
        "__shared__ int tile[64]; tile[threadIdx.x + 1] = 1; __syncthreads(); data_inout[thread] = tile[1];",
        "index outside a fixed array",
    ),
    "pointer past a shared array": (
        "__shared__ int tile[64], more[64]; int* at = tile + threadIdx.x; at[1] = 1; more[threadIdx.x] = 1;",
        "shared memory, 0 bytes behind the end",
    ),
    "pointer past the last shared array": (
        "__shared__ int tile[64]; __shared__ long long last; long long* at = &last;"
        "if (thread == 0) at[9] = tile[0] = 1;",
        "shared memory, 64 bytes behind the end",
    ),
    "dynamic shared memory that was not asked for": (
        "extern __shared__ int dynamic[]; dynamic[64 + threadIdx.x] = 1;",
        "dynamic shared memory has 256 bytes",
    ),
    "barrier in a branch": ("if (threadIdx.x < 32) __syncthreads();", "is not reached by 32 of 64 threads"),
    "two barriers at once": (
        "if (threadIdx.x < 32) __syncthreads();\nelse __syncthreads();",
        "threads of one block wait at",
    ),
    "barrier against warp": (
        "if (threadIdx.x == 1) __syncthreads(); else __syncwarp();\nif (threadIdx.x != 1) __syncthreads();",
        "deadlock",
    ),
    "lanes that do not come": (
        "if (threadIdx.x % 32 < 31) __shfl_sync(0xFFFFFFFFu, 1, 0); else __syncthreads();",
        "deadlock",
    ),
    "a lane outside its mask": ("__shfl_sync(0x0000FFFFu, 1, 0);", "is not in its own mask"),
    "shift by too much": ("data_inout[thread] = 1 << (thread + 1);", "a shift by more bits"),
    "shift of a negative number": ("data_inout[thread] = (3 - thread) << 2;", "a shift by more bits"),
    "float without a whole number": ("data_inout[thread] = (int)(thread * 1e9f);", "no whole number"),
    "what floor_int cannot hold": ("data_inout[thread] = floor_int(thread * -1e9f);", "no whole number"),
    "what is not a number": ("data_inout[thread] = floor_int(INF - INF * thread);", "no whole number"),
    "float beyond 64 bits": ("data_inout[thread] = (int)(long long)(thread * 1e18f);", "no whole number"),
    "sum of two": ("data_inout[thread] = 0x7FFFFFF0 + thread;", "a sum beyond"),
    "difference of two": ("data_inout[thread] = -0x7FFFFFF0 - thread;", "a difference beyond"),
    "product of two": ("data_inout[thread] = 0x7FFFFFF0 * thread;", "a product beyond"),
    "product of two of 64 bits": ("data_inout[thread] = (int)((1ll << 60) * thread >> 60);", "a product beyond"),
    "negative of the least number": ("data_inout[thread] = -(-0x7FFFFFFF - thread);", "a negative|a difference"),
    "division by zero": ("data_inout[thread] = 7 / (thread - 3);", "division by zero"),
    "endless recursion": ("data_inout[0] = deep(thread + 1);", "outside: too much local memory"),
}
BEFORE = {
    "endless recursion": "__device__ __noinline__ int deep(int n) { volatile int a[64]; a[n % 64] = n;"
    " return n == 0 ? 0 : deep(n + 1) + a[n % 64]; }\n"
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found(what: str, seed: int) -> None:
    body, message = PLANTED[what]
    with pytest.raises(EmulatorError, match=message):
        run(body, blocks_per_sm=1, shared_bytes=256, seed=seed, before=BEFORE.get(what, ""))


def test_the_plain_build_survives_a_wild_pointer() -> None:
    with pytest.raises(EmulatorError, match="outside: no memory"):
        run("int* p = &data_inout[0]; p[1LL << 40] = 3;", checked=False)


def test_the_plain_build_finds_what_was_written_beside_an_array() -> None:
    with pytest.raises(EmulatorError, match="written beside data_inout"):
        run("int* p = &data_inout[0]; p[256] = 3;", checked=False)


@pytest.mark.parametrize(
    "body", ["while (data_inout[0] == 0) atomicAdd(&more_inout[0], 0);", "while (__activemask()) {}"]
)
def test_an_endless_loop_ends(body: str) -> None:
    with pytest.raises(EmulatorError, match="endless"):
        run(body, checked=False, seed=1, limit_s=1)


def test_a_fault_names_the_kernels_line() -> None:
    if shutil.which("addr2line") is None:
        pytest.skip("addr2line is not installed")
    with pytest.raises(EmulatorError, match=r"at kernels/planted\.cu:5$"):
        run("\nint* p = &data_inout[0]; more_inout[0] = p[300];")
    with pytest.raises(
        EmulatorError, match=r"by thread 0 of block 0 at kernels/planted\.cu:4.*at kernels/planted\.cu:5$"
    ):
        run("data_inout[thread] = 1;\nmore_inout[0] = data_inout[thread - thread % 2];")


def test_arguments_must_fit() -> None:
    text = text_of("data_inout[0] = 1;", 32)
    one = (Pass("planted", 32, 0),)
    good = np.zeros(4, np.int32)
    for names, values, message in (
        (("data_inout",), (good,), "are not those of cpu"),
        (("data_inout", "more_inout"), (good, good.astype(np.float32)), "cannot take float32"),
        (("data_inout", "more_inout"), (good, 3), "cannot take int"),
    ):
        with pytest.raises(EmulatorError, match=message):
            Emulator().launch_text(text, one, names, values)
    with pytest.raises(EmulatorError, match="__launch_bounds__ allow 32"):
        Emulator().launch_text(text, (Pass("planted", 64, 0),), ("data_inout", "more_inout"), (good, good))
