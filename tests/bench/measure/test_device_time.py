"""A GPU's times are the device's own: a host that needs 20 us a launch changes no figure. On a CuPy of two clocks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.backend.cupy_gpu import CupyBackend
from bench.backend.protocol import KernelTimes
from bench.base.errors import Unavailable
from bench.measure import kernels_gpu
from bench.measure.kernels import ROUNDS_MIN, KernelTiming, make_example
from bench.measure.meter import ShotMeter
from bench.measure.roofs_gpu import measure_device_roofs
from bench.pipeline.frame import STAGES
from bench.pipeline.scene.build import build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot
from kernels.base import source
from kernels.base.kernel import Traffic
from kernels.base.registry import all_kernels
from tests.support.fake_cupy import FakeCupy
from tests.support.fake_shot import FakeSimulation, Workshop, case, kernel
from tests.support.tiny_shot import write_tiny_shot

SLOW_HOST = {"host_launch_s": 20e-6, "host_argument_s": 4.3e-6, "host_event_s": 5e-6}
PASS_S = 2e-6
SUBSTEPS = 20


def gpu_of(folder: Path, **options: Any) -> tuple[CupyBackend, FakeCupy]:
    """A back-end whose holds are looked at by the virtual clock."""
    cupy = FakeCupy(**{**SLOW_HOST, **options})
    gpu = CupyBackend(0, cupy, folder)
    gpu.host_clock = lambda: cupy.clocks.host_s
    return gpu, cupy


# --- kernels alone ---------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["mpm_key", "mpm_sort", "mpm_p2g"])
def test_a_short_kernel_takes_what_the_device_takes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, _ = gpu_of(tmp_path, device_s=lambda *launch: PASS_S)
    monkeypatch.setattr(kernels_gpu, "on_device", lambda kernel, arguments, backend: arguments)
    monkeypatch.setattr(kernels_gpu, "on_cpu", lambda kernel, arguments, threads: arguments)
    asked = all_kernels()[name]
    found = kernels_gpu.measure_on_device(asked, gpu, 1, size=20)
    assert len(found.samples_s) >= ROUNDS_MIN
    assert found.samples_s == pytest.approx([len(asked.passes) * PASS_S] * len(found.samples_s), rel=0.01)


class Clock:
    """Of the multiprocessors, as a test says."""

    def __init__(self, ghz: list[float]) -> None:
        self._ghz = iter(ghz)

    def reset(self) -> None: ...
    def begin(self) -> None: ...
    def end(self) -> None: ...

    def hertz(self) -> float:
        return next(self._ghz) * 1e9


@pytest.mark.parametrize(
    ("ghz", "kept"),
    [
        ([1.1] * 5, 5),  # a T4 within its 70 W: no round is done again
        ([1.5, 1.5, 1.5, 0.9, 0.9, 0.9, 0.9, 0.9], 3),  # it falls half way: what is below is in no figure
        ([1.5, 0.9, 1.5, 1.5, 1.5, 1.5], 5),
        ([1.5, 1.1, 1.1, 1.1, 1.1], 5),  # one round of boost
    ],
)
def test_a_kernel_s_rounds_are_judged_by_its_own_clock(
    ghz: list[float], kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu, _ = gpu_of(tmp_path, device_s=lambda *launch: 0.1)
    clock = Clock(ghz)
    gpu.sm_clock = lambda: clock  # type: ignore[assignment, method-assign, return-value]
    monkeypatch.setattr(kernels_gpu, "on_device", lambda kernel, arguments, backend: arguments)
    monkeypatch.setattr(kernels_gpu, "on_cpu", lambda kernel, arguments, threads: arguments)
    found = kernels_gpu.measure_on_device(all_kernels()["mpm_key"], gpu, 1, size=20)
    assert len(found.samples_s) == kept and next(clock._ghz, None) is None


def test_traffic_of_a_kernel_with_vectors_by_value_is_known(tmp_path: Path) -> None:
    gpu, _ = gpu_of(tmp_path, device_s=lambda *launch: PASS_S)
    tracer = all_kernels()["img_trace"]
    assert tracer.by_value
    traffic, seconds = kernels_gpu._traffic(tracer, make_example(tracer, 4), gpu)
    assert traffic.bytes_read > 0 and seconds == pytest.approx(len(tracer.passes) * PASS_S, rel=0.01)


# --- roofs -----------------------------------------------------------------------------------
CACHE, MEMORY = 10e12, 4e12  # bytes a second
ADDS, FLOPS = 1e12, 60e12


def probe_s(entry: str, blocks: int, threads: int, values: list[Any]) -> float:
    """What a probe takes on a card of these rates, two microseconds of which are its start."""
    start_s, count = 2e-6, int(values[0])
    if entry in ("roof_probe_copy", "roof_probe_read"):
        nbytes = int(values[1]["shape0"]) * 4
        moved = count * nbytes * (2 if entry == "roof_probe_copy" else 1)
        return start_s + moved / (CACHE if nbytes < 2**23 else MEMORY)
    work = {"roof_probe_multiply_add": 12 / FLOPS, "roof_probe_shared_add": 1 / ADDS}.get(entry, 0.0)
    return start_s + count * blocks * threads * work


def test_roofs_are_the_card_s_own(tmp_path: Path) -> None:
    gpu, _ = gpu_of(tmp_path, device_s=probe_s)
    roofs = measure_device_roofs(gpu, memory_bytes=2**24)
    assert roofs.cache_copy_bytes_per_s == pytest.approx(CACHE, rel=0.01)
    assert roofs.cache_read_bytes_per_s == pytest.approx(CACHE, rel=0.01)
    assert roofs.copy_bytes_per_s == pytest.approx(MEMORY, rel=0.01)
    assert roofs.read_bytes_per_s == pytest.approx(MEMORY, rel=0.01)
    assert roofs.fma_flop_per_s == pytest.approx(FLOPS, rel=0.01)
    assert roofs.shared_adds_per_s == pytest.approx(ADDS, rel=0.01)


def test_a_kernel_that_runs_from_a_good_card_s_cache_claims_nothing_impossible(tmp_path: Path) -> None:
    """With roofs of the cache that are memory's it would be told that it claims 2.4 x the bandwidth of cache."""
    gpu, _ = gpu_of(tmp_path, device_s=probe_s)
    roofs = measure_device_roofs(gpu, memory_bytes=2**24)
    traffic = Traffic(items=1, bytes_read=2**26, bytes_written=0, flops=0)
    found = KernelTiming("k", "thing", 1, 1, traffic, "cache", (2**26 / (0.97 * CACHE),) * 5, None)
    assert found.too_good(roofs) is None
    assert found.bandwidth_roof(roofs) > 2 * roofs.memory_bytes_per_s


def test_launches_of_the_roofs_are_far_below_a_display_s_limit(tmp_path: Path) -> None:
    gpu, _ = gpu_of(tmp_path, device_s=probe_s, launch_limit_s=0.1)
    assert measure_device_roofs(gpu, memory_bytes=2**24).cache_copy_bytes_per_s > 0.0


def test_a_launch_above_a_display_s_limit_is_one_line(tmp_path: Path) -> None:
    gpu, _ = gpu_of(tmp_path, device_s=lambda *launch: 3.0, launch_limit_s=2.0)
    with pytest.raises(Unavailable, match=r"cudaErrorLaunchTimeout.*the display's driver ends what takes seconds"):
        measure_device_roofs(gpu, memory_bytes=2**12)


# --- a frame ---------------------------------------------------------------------------------
class Substeps(FakeSimulation):
    """As a simulation launches: the same substeps in every frame, recorded where the device can."""

    def __init__(self, workshop: Workshop, backend: Any) -> None:
        super().__init__(workshop, backend)
        self.recording = backend.recording()

    def advance_frame(self) -> Any:
        def launches() -> None:
            for _ in range(SUBSTEPS):
                for name in ("mpm_sort", "mpm_p2g", "mpm_g2p"):
                    self.backend.launch(kernel(name))

        self.recording.run("frame", launches)
        return super().advance_frame()


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ShotMeter, FakeCupy]:
    monkeypatch.setattr(source, "assemble", lambda name: f'extern "C" __global__ void {name}() {{}}')
    gpu, cupy = gpu_of(tmp_path, device_s=lambda entry, *launch: 0.0 if entry == "sm_clock" else PASS_S)
    shop = Workshop()
    makers = replace(shop.makers(), simulation=lambda scene, backend: Substeps(shop, backend))
    meter = ShotMeter(case(rounds=2), gpu, makers, tmp_path)
    meter.verify()
    return meter, cupy


def test_kernels_are_not_above_the_stages_they_are_in(shot: Any) -> None:
    meter, _ = shot
    meter.restore()
    meter.run_frame()
    meter.keep()
    (done,) = meter.result.rounds
    inside = sum(done.seconds[stage] for stage in STAGES if stage != "encode")
    launches = 3 * SUBSTEPS + 2 + 3
    assert done.seconds["kernels"] == pytest.approx(launches * PASS_S, rel=0.01)
    assert done.seconds["kernels"] <= inside


def test_a_host_that_is_held_up_makes_the_next_holds_longer(shot: Any) -> None:
    meter, cupy = shot
    first = meter.backend.hold.seconds
    cupy.host_launch_s = 400e-6
    for _ in range(2):
        meter.restore()
        meter.run_frame()
        meter.keep()
    assert meter.backend.hold.seconds > 2 * 400e-6 > first
    done = meter.result.rounds[-1]
    assert done.seconds["kernels"] == pytest.approx((3 * SUBSTEPS + 5) * PASS_S, rel=0.01)


def test_substeps_with_emission_are_timed_so_too(tmp_path: Path) -> None:
    """A graph and launches of their own where particles are born; observed, launches alone."""
    shot = load_shot(str(write_tiny_shot(tmp_path)))
    gpu, cupy = gpu_of(tmp_path, device_s=lambda *launch: PASS_S)
    simulation = Simulation(build_scene(shot, "S"), gpu)
    for _ in range(4):
        simulation.advance_frame()
    assert cupy.graph_launches > 0
    gpu.observer = times = KernelTimes()
    simulation.advance_frame()
    launches = times.launches()
    assert launches["mpm_emit"] > 0 and launches["mpm_control"] > launches["mpm_emit"]
    passes = {name: len(all_kernels()[name].passes) for name in launches}
    want = {name: count * passes[name] * PASS_S for name, count in launches.items()}
    assert times.seconds() == {name: pytest.approx(seconds, rel=0.01) for name, seconds in want.items()}


def test_no_stage_has_the_clock_s_own_launches(shot: Any) -> None:
    meter, _ = shot
    seconds = []
    for sm_clock in (meter.prepared.sm_clock, None):
        meter.restore()
        timed = replace(meter.prepared, sm_clock=sm_clock).run_frame(observed=False)
        stamps = timed.stamps
        seconds.append([float(after - before) for before, after in pairwise(stamps[:5])])
    assert seconds[0] == pytest.approx(seconds[1])
