"""What is said where a GPU cannot be used: the first thing that is missing, in one line, and what helps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from bench.backend import choose
from bench.backend.choose import Surroundings, cupy_state, make_backends
from bench.backend.cupy_gpu import CupyBackend
from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import EXIT_UNAVAILABLE, Unavailable, UserError
from bench.cli.main import main
from tests.support.fake_cupy import FakeCupy, FakeGpu

TURING, PASCAL = FakeGpu("Turing", (7, 5)), FakeGpu("Pascal", (6, 1))


def around(
    cupy: Any = None, installed: bool = True, driver: bool = True, missing: tuple[str, ...] = ()
) -> Surroundings:
    def load() -> Any:
        if isinstance(cupy, Exception):
            raise cupy
        return cupy or FakeCupy()

    return Surroundings(lambda name: installed, load, lambda: driver, lambda: missing)


CASES = [
    (around(installed=False, driver=False), "no NVIDIA driver was found; CuPy is not installed", "pip install"),
    (around(installed=False), "CuPy is not installed", "pip install"),
    (around(driver=False), "CuPy is installed, but no NVIDIA driver was found", "driver"),
    (around(FakeCupy(driver=0)), "CuPy is installed, but no NVIDIA driver was found", "driver"),
    (around(ImportError("libcublas.so.12 is\nmissing")), "cannot be imported: libcublas.so.12 is missing", "pip"),
    (around(FakeCupy(driver=11080)), r"too old: it knows CUDA 11.8, this CuPy needs 12.0", "newer driver"),
    (around(FakeCupy(gpus=())), "shows no GPU.*cudaErrorNoDevice", "a GPU"),
    (around(FakeCupy(gpus=(PASCAL,))), r"Pascal has compute capability 6.1, 7.5 is needed", "newer GPU"),
    (around(FakeCupy(nvrtc_version=None)), "NVRTC cannot be loaded: libnvrtc", "nvidia-cuda-nvrtc-cu12"),
    (around(missing=("img_trace",)), "no CUDA twin yet: img_trace", "later version"),
]


@pytest.mark.parametrize(("found", "reason", "helps"), CASES, ids=[case[1][:30] for case in CASES])
def test_what_is_missing_is_said_in_one_line(found: Surroundings, reason: str, helps: str) -> None:
    state = cupy_state(found)
    assert not state.available and state.reason and "\n" not in state.reason and len(state.reason) < 300
    with pytest.raises(Unavailable, match=rf"^back-end cupy cannot run here: .*{reason}.* What helps: .*{helps}"):
        make_backends("cupy", around=found)
    # The CPU runs all the same
    assert [made.name for made in make_backends("auto", 1, around=found)] == ["numba"]
    assert [made.name for made in make_backends("all", 1, around=found)] == ["numba"]


def test_a_hidden_gpu_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES is ''" in str(cupy_state(around(FakeCupy(gpus=()))).reason)


def test_a_gpu_that_can_run_is_taken() -> None:
    found = around(FakeCupy(gpus=(TURING, FakeGpu())))
    assert cupy_state(found).device == "2 GPUs, the first Turing, 8.00 GiB"
    (gpu,) = make_backends("auto", around=found)
    assert isinstance(gpu, CupyBackend) and gpu.device == 0 and gpu.threads is None
    cpu, gpu = make_backends("all", 1, "1", found)
    assert isinstance(cpu, NumbaBackend) and isinstance(gpu, CupyBackend) and gpu.device == 1
    assert [made.name for made in make_backends("numba", 1, around=found)] == ["numba"]


def test_devices_lists_what_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cupy_state(around(FakeCupy(gpus=(TURING, FakeGpu("Hopper [x]")))))
    monkeypatch.setattr("bench.backend.choose.available_backends", lambda: (found,))
    done = CliRunner().invoke(main, ["devices"])
    assert "--device 0: Turing, 8.00 GiB, compute capability 7.5" in done.stdout
    assert "--device 1: Hopper [x], 8.00 GiB, compute capability 9.0" in done.stdout
    state = json.loads(CliRunner().invoke(main, ["devices", "--json"]).stdout)["backends"][0]
    assert [gpu["name"] for gpu in state["gpus"]] == ["Turing", "Hopper [x]"]


def test_numba_does_not_look_for_a_gpu() -> None:
    def refuse(*args: Any) -> Any:
        raise AssertionError("looked")

    assert make_backends("numba", 1, around=Surroundings(refuse, refuse, refuse, refuse))[0].name == "numba"


@pytest.mark.parametrize("device", ["2", "-1", "x", "1.0", "9" * 30, ""])
def test_a_device_that_is_not_there_is_bad_input(device: str) -> None:
    with pytest.raises(UserError, match="--device: expected"):
        make_backends("cupy", device=device, around=around(FakeCupy(gpus=(TURING, TURING))))


def test_one_gpu_of_several_may_be_too_old() -> None:
    found = around(FakeCupy(gpus=(TURING, PASCAL)))
    assert cupy_state(found).available
    with pytest.raises(Unavailable, match=r"GPU 1: Pascal has compute capability 6.1"):
        make_backends("cupy", device="1", around=found)


@pytest.mark.parametrize("command", ["run", "verify", "render wave"])
def test_commands_end_with_code_3_and_one_line(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "cupy_state", lambda around=None: cupy_state(CASES[2][0]))
    done = CliRunner().invoke(main, [*command.split(), "--backend", "cupy"])
    assert done.exit_code == EXIT_UNAVAILABLE and done.stdout == ""
    assert done.stderr.startswith("shotmark: back-end cupy cannot run here") and done.stderr.count("\n") == 1
