"""Memory that two processes have in common: what is written is read, it grows, and it is nowhere once both are gone."""

from __future__ import annotations

import errno
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.base.errors import Unavailable
from bench.pipeline.gpu_pool.shared import SharedRoom, hand, taken

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs descriptors that a child process gets")
ARRAYS = {
    "position": np.arange(4000, dtype=np.float32).reshape(1000, 4),
    "none": np.zeros((0, 4), np.float32),
    "kind": np.arange(7, dtype=np.int32),
    "one": np.array([3.5]),
}


@pytest.fixture(params=["memfd", "file"])
def both_ends(request: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[SharedRoom, SharedRoom]:
    """One room as two processes have it."""
    if request.param == "file":
        refuse_memfd(monkeypatch)
    room = SharedRoom.make()
    assert room is not None
    return room, SharedRoom(os.dup(room._descriptor))


def refuse_memfd(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*rest: Any) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refused, raising=False)


def test_what_is_written_is_read(both_ends: tuple[SharedRoom, SharedRoom]) -> None:
    here, there = both_ends
    for factor in (1, 3, 2):  # it grows once, and is used again
        arrays = {name: np.concatenate([array] * factor) * 2 for name, array in ARRAYS.items()}
        message = pickle.dumps(hand(here, arrays))
        assert len(message) < 400, "places cross the pipe, not arrays"
        found = taken(there, pickle.loads(message))
        assert set(found) == set(arrays)
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype and np.array_equal(found[name], array)
            assert found[name].flags.c_contiguous and found[name].flags.aligned
    size = os.fstat(here._descriptor).st_size
    assert 3 * ARRAYS["position"].nbytes <= size < 3 * ARRAYS["position"].nbytes + 5 * 4096


def test_what_was_read_outlives_the_room(both_ends: tuple[SharedRoom, SharedRoom]) -> None:
    here, there = both_ends
    found = taken(there, hand(here, ARRAYS))
    hand(here, {"more": np.full(10_000, 7, np.int32)})  # over it, and into a larger room
    for room in (here, there, there):
        room.close()
    assert (found["kind"] == 7).all(), "a view shows what lies there now"


def test_it_has_no_name_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So that nothing is left of it, whoever is killed; and the size of /dev/shm does not matter."""
    folders = [path for path in (Path("/dev/shm"), tmp_path) if path.is_dir()]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = [set(path.iterdir()) for path in folders]
    rooms = [SharedRoom.make()]
    refuse_memfd(monkeypatch)
    rooms.append(SharedRoom.make())
    for room in rooms:
        assert room is not None
        room.write(ARRAYS)
    assert [set(path.iterdir()) for path in folders] == before


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_memory_that_is_not_there_is_one_line(
    both_ends: tuple[SharedRoom, SharedRoom], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = both_ends
    places = here.write({"kind": ARRAYS["kind"]})

    def full(*rest: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(Unavailable, match=r"^24\.0 KiB of memory to hand a frame .*: No space left on device; fewer"):
        here.write(ARRAYS)
    assert np.array_equal(there.read(places)["kind"], ARRAYS["kind"]), "what was there is still there"


def test_without_anything_in_common_arrays_go_through_the_pipe() -> None:
    found = taken(None, pickle.loads(pickle.dumps(hand(None, ARRAYS))))
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)
