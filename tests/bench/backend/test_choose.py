"""What is said where a GPU cannot be used: the first thing that is missing, in one line, and what helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.backend import choose
from bench.backend.choose import Surroundings, choose_backends, cupy_state, gpu_there, make_backends
from bench.backend.cupy_gpu import CupyBackend
from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import EXIT_UNAVAILABLE, Unavailable, UserError
from bench.cli.main import main
from tests.support.fake_cupy import CudaRuntimeError, FakeCupy, FakeGpu

TURING, PASCAL = FakeGpu("Turing", (7, 5)), FakeGpu("Pascal", (6, 1))


def around(
    cupy: Any = None,
    installed: bool = True,
    driver: int | None = 12040,
    missing: tuple[str, ...] = (),
    there: bool = True,
) -> Surroundings:
    def load() -> Any:
        if isinstance(cupy, Exception):
            raise cupy
        return cupy or FakeCupy()

    return Surroundings(lambda name: installed, load, lambda: driver, lambda: missing, lambda: there)


class Reports(FakeCupy):
    """A driver that answers the first question with an error."""

    def _device_count(self) -> int:
        raise CudaRuntimeError(self.compile_log)


CASES = [
    (
        around(installed=False, driver=None, there=False),
        "no NVIDIA driver was found; CuPy is not installed",
        "an NVIDIA driver .*, then pip install cupy-cuda12x nvidia-cuda-nvrtc-cu12 or pip install cupy-cuda13x",
    ),
    (around(installed=False, driver=None), "GPU is there, but no driver for it; CuPy is not installed", "--gpus all"),
    (around(installed=False), "CuPy is not installed", "pip install cupy-cuda12x nvidia-cuda-nvrtc-cu12$"),
    (around(installed=False, driver=13010), "CuPy is not installed", "pip install cupy-cuda13x nvidia-cuda-nvrtc$"),
    (around(installed=False, driver=11040), "too old: it knows CUDA 11.4, CuPy needs 12.0", "a newer driver$"),
    (around(driver=None, there=False), "CuPy is installed, but no NVIDIA driver was found", "driver"),
    (around(driver=None), "an NVIDIA GPU is there, but no driver for it", "an NVIDIA driver"),
    (around(FakeCupy(driver=0), there=False), "CuPy is installed, but no NVIDIA driver was found", "driver"),
    (around(ImportError("libcublas.so.12 is\nmissing")), "cannot be imported: libcublas.so.12 is missing", "pip"),
    (around(FakeCupy(driver=11080)), r"too old: it knows CUDA 11.8, this CuPy needs 12.0", "a newer driver$"),
    (
        around(FakeCupy(driver=12040, built_for=13000)),
        r"too old: it knows CUDA 12.4, this CuPy needs 13.0",
        "newer driver, or pip install cupy-cuda12x nvidia-cuda-nvrtc-cu12",
    ),
    (around(FakeCupy(gpus=())), "shows no GPU.*cudaErrorNoDevice", "a GPU"),
    (around(Reports(compile_log="cudaErrorSystemNotReady: x")), "shows no GPU: cudaErrorSystemNotReady", "fabric"),
    (around(Reports(compile_log="cudaErrorUnknown: unknown error")), "cudaErrorUnknown", "nvidia_uvm"),
    (around(FakeCupy(gpus=(PASCAL,))), r"Pascal has compute capability 6.1, 7.5 is needed", "newer GPU"),
    (around(FakeCupy(nvrtc_version=None)), "NVRTC cannot be loaded: libnvrtc", "pip install nvidia-cuda-nvrtc-cu12$"),
    (
        around(FakeCupy(driver=13000, built_for=13000, nvrtc_version=None)),
        "NVRTC cannot be loaded",
        "pip install nvidia-cuda-nvrtc$",
    ),
    (around(missing=("img_trace",)), "no CUDA twin yet: img_trace", "later version"),
]


@pytest.mark.parametrize(("found", "reason", "helps"), CASES, ids=[case[1][:30] for case in CASES])
def test_what_is_missing_is_said_in_one_line(found: Surroundings, reason: str, helps: str) -> None:
    state = cupy_state(found)
    assert not state.available and state.reason and "\n" not in state.reason and len(state.reason) < 300
    with pytest.raises(Unavailable, match=rf"^back-end cupy cannot run here: .*{reason}.*\. What helps: .*{helps}"):
        make_backends("cupy", around=found)
    # The CPU runs all the same, and where a driver or a GPU is there it is said why
    for choice in ("auto", "all"):
        chosen = choose_backends(choice, 1, around=found)
        assert [made.name for made in chosen.backends] == ["numba"]
        if found.driver_version() is None and not found.gpu_there():
            assert chosen.gpu_unused is None
        else:
            assert chosen.gpu_unused is not None
            assert (chosen.gpu_unused.reason, chosen.gpu_unused.helps) == (state.reason, state.install)
    assert choose_backends("numba", 1, around=found).gpu_unused is None


@pytest.mark.parametrize("visible", ["", "-1", " ", "NoDevFiles", "none,0"])
def test_gpus_that_are_hidden_are_explained(visible: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    unused = choose_backends("auto", 1, around=around()).gpu_unused
    assert unused is not None and f"CUDA_VISIBLE_DEVICES is {visible!r} and hides every GPU" in unused.line
    assert unused.helps == "unset CUDA_VISIBLE_DEVICES"


@pytest.mark.parametrize("visible", ["7", "0,7", "GPU-0af2", "MIG-1f"])
def test_a_gpu_that_is_not_there_is_explained(visible: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert choose_backends("auto", 1, around=around()).gpu_unused is None  # it is the driver that knows them
    unused = choose_backends("auto", 1, around=around(FakeCupy(gpus=()))).gpu_unused
    assert unused is not None and f"shows no GPU (CUDA_VISIBLE_DEVICES is {visible!r})" in unused.line


def test_a_gpu_that_another_process_holds_leaves_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exclusive mode: the driver shows the GPU, and refuses when it is to be used."""
    busy = FakeCupy()
    error = CudaRuntimeError("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable")

    def refuse(non_blocking: bool) -> Any:
        raise error

    busy.cuda.Stream = refuse
    chosen = choose_backends("auto", 1, around=around(busy))
    assert [made.name for made in chosen.backends] == ["numba"] and chosen.gpu_unused is not None
    assert "cudaErrorDevicesUnavailable" in chosen.gpu_unused.reason and "holds the GPU" in str(chosen.gpu_unused.helps)
    for named in (("cupy", None), ("auto", "0")):
        with pytest.raises(Unavailable, match="GPU 0 failed: cudaErrorDevicesUnavailable"):
            make_backends(named[0], 1, named[1], around(busy))


def test_two_cupys_in_one_place_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_installed_packages", lambda: list(choose.CUPY_PACKAGES))
    state = cupy_state(around(ImportError("undefined symbol")))
    assert "(cupy-cuda12x, cupy-cuda13x are installed over each other)" in str(state.reason)
    assert str(state.install).startswith("pip uninstall cupy-cuda12x cupy-cuda13x, then pip install cupy-cuda12x")


def test_a_card_without_a_driver_is_seen(tmp_path: Path) -> None:
    def device(number: int, vendor: str, kind: str) -> None:
        folder = tmp_path / "sys" / "bus" / "pci" / "devices" / f"0000:00:{number:02d}.0"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "class").write_text(f"{kind}\n")

    assert not gpu_there(tmp_path)
    device(1, "0x8086", "0x030000")
    device(2, "0x10de", "0x040300")  # the sound of a card
    (tmp_path / "sys" / "bus" / "pci" / "devices" / "empty").mkdir()
    assert not gpu_there(tmp_path)
    device(3, "0x10de", "0x030200")
    assert gpu_there(tmp_path)


@pytest.mark.parametrize("trace", choose.DRIVER_TRACES)
def test_a_driver_leaves_traces(trace: str, tmp_path: Path) -> None:
    (tmp_path / trace[1:]).parent.mkdir(parents=True)
    (tmp_path / trace[1:]).write_text("")
    assert gpu_there(tmp_path)


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

    assert make_backends("numba", 1, around=Surroundings(refuse, refuse, refuse, refuse, refuse))[0].name == "numba"


@pytest.mark.parametrize("device", ["2", "-1", "x", "1.0", "9" * 30, ""])
def test_a_device_that_is_not_there_is_bad_input(device: str) -> None:
    with pytest.raises(UserError, match="--device: expected"):
        make_backends("cupy", device=device, around=around(FakeCupy(gpus=(TURING, TURING))))


def test_one_gpu_of_several_may_be_too_old() -> None:
    found = around(FakeCupy(gpus=(TURING, PASCAL)))
    assert cupy_state(found).available
    with pytest.raises(Unavailable, match=r"GPU 1: Pascal has compute capability 6.1"):
        make_backends("cupy", device="1", around=found)
    # Which one is first does not matter
    (made,) = make_backends("auto", around=around(FakeCupy(gpus=(PASCAL, TURING))))
    assert isinstance(made, CupyBackend) and made.device == 1


@pytest.mark.parametrize("command", ["run", "verify", "render wave"])
def test_commands_end_with_code_3_and_one_line(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "cupy_state", lambda around=None: cupy_state(CASES[5][0]))
    done = CliRunner().invoke(main, [*command.split(), "--backend", "cupy"])
    assert done.exit_code == EXIT_UNAVAILABLE and done.stdout == ""
    assert done.stderr.startswith("shotmark: back-end cupy cannot run here") and done.stderr.count("\n") == 1
