"""Which GPUs a record names: those that the process may use, and a slice of a board as what it is."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from bench.cli.main import main
from bench.record import gpus, machine
from tests.support.fake_cupy import FakeCupy, FakeGpu

GIB = 2**30


class NvmlError(Exception):
    """NVMLError: Not Supported."""


@dataclass
class Part:
    """A board, or a slice of it, as NVML's handle."""

    uuid: str
    name: str = "NVIDIA A100-SXM4-40GB"
    bus: int = 0
    memory_bytes: int = 40 * GIB
    mig: bool = False
    slices: list[Any] = field(default_factory=list)  # None: a number that no slice has
    place: tuple[int, int] | None = None
    instance_slices: int = 1


class FakeNvml:
    """What is asked of NVML's Python library, with its names and arguments."""

    NVMLError = NvmlError
    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    def __init__(self, *boards: Part, as_bytes: bool = False) -> None:
        self.boards, self.as_bytes, self.open = boards, as_bytes, 0

    def _text(self, text: str) -> Any:
        return text.encode() if self.as_bytes else text

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> Any:
        return self._text("580.65.06")

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return 13000

    def nvmlDeviceGetCount(self) -> int:
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Part:
        return self.boards[index]

    def nvmlDeviceGetName(self, handle: Part) -> Any:
        return self._text(handle.name)

    def nvmlDeviceGetUUID(self, handle: Part) -> Any:
        return self._text(handle.uuid)

    def nvmlDeviceGetPciInfo(self, handle: Part) -> Any:
        return SimpleNamespace(busId=self._text(f"00000000:{handle.bus:02X}:00.0"))

    def nvmlDeviceGetMemoryInfo(self, handle: Part, version: Any = None) -> Any:
        return SimpleNamespace(total=handle.memory_bytes)

    def nvmlDeviceGetMigMode(self, device: Part) -> list[int]:
        if not device.mig and "H200" in device.name:
            raise NvmlError
        return [int(device.mig), int(device.mig)]

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Part) -> int:
        return len(device.slices)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Part, index: int) -> Part:
        if device.slices[index] is None:
            raise NvmlError
        return device.slices[index]  # type: ignore[no-any-return]

    def nvmlDeviceGetGpuInstanceId(self, device: Part) -> int:
        return self._place(device)[0]

    def nvmlDeviceGetComputeInstanceId(self, device: Part) -> int:
        return self._place(device)[1]

    def _place(self, device: Part) -> tuple[int, int]:
        if device.place is None:
            raise NvmlError
        return device.place

    def nvmlDeviceGetAttributes(self, device: Part) -> Any:
        return SimpleNamespace(gpuInstanceSliceCount=device.instance_slices, memorySizeMB=device.memory_bytes // 2**20)

    def nvmlDeviceGetPowerManagementLimit(self, handle: Part) -> int:
        return self._of_a_board(handle, 400_000)

    def nvmlDeviceGetClockInfo(self, handle: Part, type: int) -> int:
        return self._of_a_board(handle, 1_200)

    def nvmlDeviceGetMaxClockInfo(self, handle: Part, type: int) -> int:
        return self._of_a_board(handle, 1_410)

    def nvmlDeviceGetEccMode(self, handle: Part) -> list[int]:
        return self._of_a_board(handle, [1, 1])  # type: ignore[no-any-return]

    def _of_a_board(self, handle: Part, value: Any) -> Any:
        if handle.place is not None:
            raise NvmlError
        return value


H200 = [Part(f"GPU-{n}{n}000000-aaaa", "NVIDIA H200", bus=n, memory_bytes=140 * GIB) for n in range(4)]
SLICES = [
    Part("MIG-1a000000-0000-0000-0000-000000000000", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", 5, 5 * GIB, place=(7, 0)),
    Part("MIG-2b000000-0000-0000-0000-000000000000", "NVIDIA A100-SXM4-40GB MIG 3g.20gb", 5, 20 * GIB, place=(2, 0)),
]
CUT = Part("GPU-c0c00000-aaaa", bus=5, mig=True, slices=[None, SLICES[0], None, SLICES[1]])
EMPTY = Part("GPU-e0e00000-aaaa", bus=6, mig=True, slices=[None, None])
FULL = Part("GPU-f0f00000-aaaa", bus=7)


def described(monkeypatch: pytest.MonkeyPatch, *boards: Part, names: str | None = None, **more: Any) -> list[Any]:
    nvml = FakeNvml(*boards, **more)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)  # type: ignore[arg-type]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if names is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
    found = gpus.describe()
    assert nvml.open == 0
    return found


def uuids(monkeypatch: pytest.MonkeyPatch, *boards: Part, names: str | None = None) -> list[str]:
    return [each["uuid"] for each in described(monkeypatch, *boards, names=names)]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (None, [0, 1, 2, 3]),
        ("2", [2]),
        ("3,0", [3, 0]),
        (" 1 , 2 ", [1, 2]),
        ("", []),
        ("-1", []),
        ("1,-1,2", [1]),
        ("9", []),
        ("0,9,1", [0]),
        ("NoDevFiles", []),
        ("GPU-22", [2]),
        ("gpu-22", []),
        ("GPU-33000000-aaaa,GPU-00", [3, 0]),
        ("GPU-zz,0", []),
        ("MIG-22", []),
        ("1,1,2", [1]),
        ("9" * 30, []),
        ("\u0662", []),
    ],
)
def test_what_cuda_hides_is_not_listed(names: str | None, numbers: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert uuids(monkeypatch, *H200, names=names) == [H200[number].uuid for number in numbers]


@pytest.mark.parametrize(
    ("boards", "names", "found"),
    [
        ([CUT], None, [SLICES[0]]),
        ([CUT, FULL], None, [SLICES[0]]),  # CUDA shows no whole board beside a slice
        ([EMPTY, FULL], None, [FULL]),
        ([EMPTY], None, []),
        ([FULL, CUT], "0", [FULL]),
        ([FULL, CUT], "1", [SLICES[0]]),
        ([FULL, CUT], "0,1", [SLICES[0]]),
        ([CUT], SLICES[1].uuid, [SLICES[1]]),
        ([CUT], "MIG-2b", [SLICES[1]]),
        ([CUT], "MIG-2b,MIG-1a", [SLICES[1]]),
        ([CUT], "MIG-GPU-c0c00000-aaaa/2/0", [SLICES[1]]),
        ([CUT], "MIG-GPU-c0c00000-aaaa/3/0", []),
        ([CUT], "GPU-c0", [SLICES[0]]),
        ([CUT, EMPTY], "1", []),
    ],
)
def test_a_slice_is_a_device_of_its_own(
    boards: list[Part], names: str | None, found: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert uuids(monkeypatch, *boards, names=names) == [each.uuid for each in found]


def test_a_slice_does_not_look_like_a_whole_card(monkeypatch: pytest.MonkeyPatch) -> None:
    (small,) = described(monkeypatch, CUT)
    assert (small["model"], small["mig_profile"]) == ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "1g.5gb")
    assert (small["memory_bytes"], small["power_limit_w"], small["clock_max_hz"]) == (5 * GIB, None, 1.41e9)
    assert small["mig"] is True and small["uuid"] == SLICES[0].uuid
    (whole,) = described(monkeypatch, FULL, as_bytes=True)
    assert (whole["model"], whole["mig_profile"], whole["mig"]) == ("NVIDIA A100-SXM4-40GB", None, False)
    assert (whole["memory_bytes"], whole["power_limit_w"]) == (40 * GIB, 400.0)
    large = described(monkeypatch, CUT, names="MIG-2b")
    hardware = machine.describe()
    names = {machine.machine_id({**hardware, "gpus": found}) for found in ([small], [whole], large)}  # type: ignore[typeddict-item]
    assert len(names) == 3 and any("a100-sxm4-40gb-mig-1g-5gb" in name for name in names)


def test_a_slice_whose_name_does_not_say_so_is_named_by_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Part("MIG-3c", "NVIDIA H200", 5, 35 * GIB, place=(1, 0), instance_slices=2)
    (found,) = described(monkeypatch, Part("GPU-c0", "NVIDIA H200", 5, mig=True, slices=[plain]))
    assert (found["model"], found["mig_profile"]) == ("NVIDIA H200 MIG 2g.35gb", "2g.35gb")


def test_the_id_of_a_machine_of_whole_cards_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    hardware = machine.describe()
    old = [{"model": "NVIDIA H200"}] * 4  # all that a name is made of
    new = described(monkeypatch, *H200)
    assert machine.machine_id({**hardware, "gpus": new}) == machine.machine_id({**hardware, "gpus": old})  # type: ignore[typeddict-item]


def test_cupy_s_own_order_counts_where_it_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers go by speed unless CUDA_DEVICE_ORDER says otherwise; only the driver knows how."""
    fake = FakeCupy(gpus=(FakeGpu(), FakeGpu()))
    fake.cuda.runtime.deviceGetPCIBusId = lambda index: f"0000:0{(3, 1)[index]}:00.0"
    monkeypatch.setitem(sys.modules, "cupy", fake)  # type: ignore[arg-type]
    assert uuids(monkeypatch, *H200, names="0,1") == [H200[3].uuid, H200[1].uuid]
    fake.gpus = (FakeGpu(uuid=bytes([0x2B]) + bytes(15)),)
    fake.cuda.runtime.deviceGetPCIBusId = lambda index: "0000:05:00.0"
    assert uuids(monkeypatch, CUT) == [SLICES[1].uuid]
    # A driver that fails, or shows a board that NVML does not: what the variable says holds
    fake.cuda.runtime.deviceGetPCIBusId = lambda index: "0000:09:00.0"
    assert uuids(monkeypatch, *H200, names="2") == [H200[2].uuid]
    fake.driver = 0
    assert uuids(monkeypatch, *H200, names="2") == [H200[2].uuid]


def test_a_library_that_knows_less_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old(FakeNvml):
        nvmlDeviceGetUUID = property()  # type: ignore[assignment]  # an attribute that is not there

    nvml = Old(*H200)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)  # type: ignore[arg-type]
    assert gpus.describe() == [] and nvml.open == 0


def test_devices_shows_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(*H200))  # type: ignore[arg-type]
    for names, lines in (
        ("2", [f"         {H200[2].uuid}", "         those that this process may use, CUDA_VISIBLE_DEVICES is '2'"]),
        ("", ["GPU      none that an NVIDIA driver shows, CUDA_VISIBLE_DEVICES is ''"]),
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
        machine._hardware.cache_clear()
        try:
            told = CliRunner().invoke(main, ["devices"]).stdout.splitlines()
        finally:
            machine._hardware.cache_clear()
        assert set(lines) <= set(told) and sum("NVIDIA H200" in line for line in told if "Machine" not in line) == (
            names != ""
        )


def test_the_fake_has_the_names_and_arguments_of_the_real_library() -> None:
    real = pytest.importorskip("pynvml")
    for name, own in inspect.getmembers(FakeNvml, inspect.isfunction):
        if name.startswith("nvml"):
            theirs = list(inspect.signature(getattr(real, name)).parameters)
            assert list(inspect.signature(own).parameters)[1:] == theirs, name
    assert issubclass(real.NVMLError, Exception)
    for place, name in ((1, "NVML_CLOCK_SM"), (2, "NVML_CLOCK_MEM")):
        assert getattr(real, name) == place
    assert "busId" in dict(real.nvmlPciInfo_t._fields_)
    assert {"gpuInstanceSliceCount", "memorySizeMB"} <= set(dict(real.c_nvmlDeviceAttributes._fields_))
