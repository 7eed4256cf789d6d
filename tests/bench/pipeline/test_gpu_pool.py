"""Frames over several devices: each frame once, the same files as on one device, and a device that fails."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.base.errors import CheckFailed, Unavailable
from bench.measure.plugin import new_slot
from bench.measure.scaling_gpu import measure_all_devices, scaling_lines
from bench.pipeline import makers as pipeline
from bench.pipeline.gpu_pool.pool import Rendered, WorkerPool, measure_scaling
from bench.pipeline.gpu_pool.process import started, visible_device
from bench.record.schema import ScalingRow
from bench.record.write import Draft
from tests.bench.pipeline.folder.test_shot_folder import Machine, render
from tests.support.fake_backend import FakeBackend
from tests.support.fake_shot import case, digest


class FakeDevice:
    """Renders as a Machine does; a slow one waits."""

    def __init__(self, number: int, wait_s: float = 0.0, fail_at: int | None = None, bits: str = "") -> None:
        self.name, self.wait_s, self.fail_at, self.bits = f"fake {number}", wait_s, fail_at, bits
        self.made: list[int] = []
        self.begun = self.closed = False

    def begin(self, scene: Any) -> None:
        self.begun = True

    def render(self, frame: int, state: Any, samples: int | None) -> Rendered:
        time.sleep(self.wait_s)
        if frame == self.fail_at:
            raise Unavailable(f"{self.name}: GPU has fallen off the bus")
        self.made.append(frame)
        value = int(state["value"][0])
        even = np.ones((2, 2, 3), np.float32)
        picture = SimpleNamespace(digest=digest(f"picture {value}{self.bits}"), value=value, rgb=even, variance=even)
        return Rendered(frame, picture, self.name, 0.5, 0.25, 1000 * value)

    def close(self) -> None:
        self.closed = True


STATE = {"value": np.ones(1, np.int64)}


def test_every_frame_is_made_once_and_a_slow_device_makes_fewer() -> None:
    devices = [FakeDevice(0), FakeDevice(1, wait_s=0.3)]
    done: list[int] = []
    threads = set()

    def take(made: Rendered) -> None:
        done.append(made.frame)
        threads.add(threading.current_thread())

    pool = WorkerPool(devices, take)
    for frame in range(1, 21):
        pool.submit(frame, STATE)
    pool.finish()
    assert sorted(done) == list(range(1, 21)) == sorted(devices[0].made + devices[1].made)
    assert len(devices[1].made) < len(devices[0].made)
    assert pool.frames == {"fake 0": len(devices[0].made), "fake 1": len(devices[1].made)}
    assert threads == {threading.main_thread()}, "files are written by one thread"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_shot_is_the_same_on_any_number_of_devices(tmp_path: Path, count: int) -> None:
    render(tmp_path / "one", "1-8")
    devices = [FakeDevice(n) for n in range(count)]
    log = render(tmp_path / "many", "1-8", workers=devices)
    assert all(device.begun for device in devices)
    assert log == [f"simulate {2**n}" for n in range(1, 9)], "one device simulates, every frame once"
    one, many = (json.loads((tmp_path / name / "manifest.json").read_text())["frames"] for name in ("one", "many"))
    assert one == many
    for frame in range(1, 9):
        name = f"wave.{frame:04d}.png"
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "many" / name).read_text()


def test_what_was_finished_before_a_device_failed_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="fallen off the bus"):
        render(tmp_path, "1-8", workers=[FakeDevice(0, fail_at=5)])
    kept = json.loads((tmp_path / "manifest.json").read_text())["frames"]
    assert set(kept) == {"1", "2", "3", "4"}
    devices = [FakeDevice(0), FakeDevice(1)]
    render(tmp_path, "1-8", workers=devices)
    assert sorted(devices[0].made + devices[1].made) == [5, 6, 7, 8]


def test_what_others_finished_is_taken_before_a_failure_is_told() -> None:
    done: list[int] = []
    broken = FakeDevice(0, fail_at=1)
    good = FakeDevice(1)
    pool = WorkerPool([], lambda made: done.append(made.frame))
    pool._open, pool.frames = 3, {good.name: 0}
    for found in (Unavailable(broken.name), good.render(2, STATE, None), good.render(3, STATE, None)):
        pool._finished.put(found)
    with pytest.raises(Unavailable, match="fake 0"):
        pool.finish()
    assert done == [2, 3]


def test_workers_start_side_by_side_and_none_is_left_when_one_fails() -> None:
    log: list[str] = []

    class Starting:
        def __init__(self, name: str, fails: bool = False) -> None:
            self.name, self.fails = name, fails

        def wait_ready(self) -> None:
            log.append(f"wait {self.name}")
            if self.fails:
                raise Unavailable(self.name)

        def close(self) -> None:
            log.append(f"close {self.name}")

    workers: list[Any] = [Starting("a"), Starting("b", fails=True), Starting("c")]
    with pytest.raises(Unavailable, match="b"):
        started(workers)
    assert log == ["wait a", "wait b", "close a", "close b", "close c"]


def test_golden_hashes_are_checked_on_other_devices_too(tmp_path: Path) -> None:
    right = {"state": digest("2"), "picture": digest("picture 2")}
    with pytest.raises(CheckFailed, match="frame 1: the picture's SHA-256"):
        render(tmp_path, "1", workers=[FakeDevice(0, bits="x")], golden=lambda frame: right)


def test_scaling_is_the_same_work_on_one_and_on_all() -> None:
    devices = [FakeDevice(n, wait_s=0.01) for n in range(3)]
    one, many = measure_scaling(devices, 4, STATE)
    assert (one.devices, many.devices) == (1, 3) and one.frames == many.frames == 6
    assert set(one.frames_by_device) == {"fake 0"} and sum(many.frames_by_device.values()) == 6
    assert [row.devices for row in measure_scaling(devices[:1], 4, STATE)] == [1]


def test_devices_that_disagree_are_no_scaling() -> None:
    with pytest.raises(CheckFailed, match="make different pictures of frame 4"):
        measure_scaling([FakeDevice(0), FakeDevice(1, bits="x")], 4, STATE)


def test_scaling_is_kept_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    makers = SimpleNamespace(
        build_scene=lambda shot, size, **how: None,
        simulation=lambda scene, backend: Machine([]),
    )
    monkeypatch.setattr(pipeline, "MAKERS", makers)
    draft = Draft(new_slot(tmp_path), {})
    gpu, devices = FakeBackend(threads=None), [FakeDevice(0), FakeDevice(1)]
    asked: Any = case()
    asked = type(asked)(**{**vars(asked), "shot": SimpleNamespace(path="fake.toml")})
    found = measure_all_devices([asked], [FakeBackend(threads=2), gpu], draft, lambda backend: devices)
    rows = json.loads(draft.path.read_text())["shotmark"]["scaling"]["fake"]
    assert [row["devices"] for row in rows] == [1, 2] and all(device.begun and device.closed for device in devices)
    assert [(row["handover_s"], row["handover_bytes"]) for row in rows] == [(0.25, 2000 * 2)] * 2
    assert len(scaling_lines(found)) == 2
    assert measure_all_devices([asked], [FakeBackend(threads=2)], draft) == {}


def test_a_line_has_both_absolute_times() -> None:
    handover = (0.025, 330 * 2**20)
    rows = [ScalingRow(1, 8, 4.0, {}, *handover), ScalingRow(4, 8, 1.25, {})]  # the other of an older record
    assert scaling_lines({"wave": rows}) == [
        "wave: render on 1 GPU: 500 ms a frame, 1.00 x one, 100 % of proportional; of a frame 25.0 ms is handing over"
        " 330 MiB through the host",
        "wave: render on 4 GPUs: 156 ms a frame, 3.20 x one, 80 % of proportional",
    ]


@pytest.mark.parametrize(
    ("number", "visible", "found"), [(0, None, "0"), (2, None, "2"), (1, "3,5", "5"), (0, "GPU-ab, GPU-cd", "GPU-ab")]
)
def test_a_worker_sees_its_own_device(number: int, visible: str | None, found: str) -> None:
    assert visible_device(number, visible) == found
