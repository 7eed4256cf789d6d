"""Arrays of a device cross in pieces: whole, in order, two buffers at the most, and each byte only once it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend import crossing
from bench.backend.cupy_gpu import CupyBackend
from bench.backend.numba_cpu import NumbaBackend
from tests.support.fake_backend import FakeBackend
from tests.support.fake_cupy import CudaRuntimeError, FakeCupy


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(crossing, "PIECE_BYTES", 64)
    return 64


def gathered(backend: Any, arrays: list[Any]) -> list[bytes]:
    found = [b""] * len(arrays)
    for number, piece in backend.pieces(arrays):
        found[number] += piece.tobytes()
    return found


def arrays_of(backend: Any) -> list[Any]:
    rng = np.random.default_rng(3)
    shapes = [(50, 4), (0, 4), (16,), (1,), (17, 3)]
    return [backend.array(rng.standard_normal(shape).astype(np.float32)) for shape in shapes]


@pytest.mark.parametrize("pins", [True, False])
def test_every_byte_crosses_once_and_in_order(tmp_path: Path, small: int, pins: bool) -> None:
    """The fake writes what crosses only when it is waited for: a buffer that is read or used again too early shows."""
    cupy = FakeCupy()
    cupy.pin_fails = not pins
    gpu = CupyBackend(0, cupy, tmp_path)
    arrays = arrays_of(gpu)
    gpu.synchronize()
    expected = [array.tobytes() for array in arrays]
    for _ in range(2):
        assert gathered(gpu, arrays) == expected
    assert gathered(gpu, [array[:3] for array in arrays]) == [array[:3].tobytes() for array in arrays]
    assert gathered(gpu, []) == gathered(gpu, [gpu.zeros((0, 4), np.float32)])[:0]
    pinned = [entry for entry in cupy.log if entry[0] == "pinned"]
    assert pinned == ([("pinned", small)] * crossing.BUFFERS if pins else []), "buffers are kept"
    assert cupy.host_bytes_most == 0, "nothing crosses as a whole"


def test_the_next_piece_is_on_its_way_while_one_is_read(tmp_path: Path, small: int) -> None:
    cupy = FakeCupy()
    gpu = CupyBackend(0, cupy, tmp_path)
    ahead = [len(cupy.crossing) for _ in gpu.pieces([gpu.zeros(5 * small, np.uint8)])]
    assert ahead == [1, 1, 1, 1, 0]


def test_a_reader_that_stops_leaves_the_buffers_in_order(tmp_path: Path, small: int) -> None:
    gpu = CupyBackend(0, FakeCupy(), tmp_path)
    arrays = arrays_of(gpu)
    for _ in gpu.pieces(arrays):
        break
    one, two = gpu.pieces(arrays), gpu.pieces(arrays)  # and two readers at once do not share them
    assert [(a[0], a[1].tobytes()) for a, b in zip(one, two, strict=True) if a[1].tobytes() == b[1].tobytes()] == [
        (number, piece.tobytes()) for number, piece in gpu.pieces(arrays)
    ]


def test_a_device_that_fails_in_between_is_one_line(tmp_path: Path, small: int) -> None:
    from bench.base.errors import Unavailable

    cupy = FakeCupy()
    gpu = CupyBackend(0, cupy, tmp_path)
    held = gpu.zeros(4 * small, np.uint8)

    def lost(pointer: int) -> int:
        raise CudaRuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    cupy.cuda.runtime.eventQuery = lost
    with pytest.raises(Unavailable, match="GPU 0 failed: cudaErrorIllegalAddress"):
        list(gpu.pieces([held]))


@pytest.mark.parametrize("backend", [NumbaBackend(1), FakeBackend()])
def test_on_a_cpu_nothing_is_copied(backend: Any) -> None:
    arrays = arrays_of(backend)
    assert gathered(backend, arrays) == [array.tobytes() for array in arrays]
    assert all(np.shares_memory(piece, arrays[number]) for number, piece in backend.pieces(arrays))
