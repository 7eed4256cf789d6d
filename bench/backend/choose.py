"""Which back-ends can run here, and if not, why and what helps: one line each. Makes the one that is asked for.

The GPU is looked for in steps: CuPy installed, a driver, one that is new enough, a device, one that the kernels are
made for, NVRTC, the CUDA twins of all kernels. CuPy is imported only where a driver is.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass

from bench.backend.limits import usable_cores
from bench.backend.numba_cpu import NumbaBackend
from bench.backend.numba_settings import require_numba, thread_limit
from bench.backend.nvrtc_cache import CAPABILITY_LEAST
from bench.backend.protocol import Backend, CupyObject
from bench.base import units
from bench.base.errors import Unavailable, UserError

BACKEND_NAMES = ("numba", "cupy")
ALL = "all"
INSTALL_CUPY = "pip install 'shotmark[cuda12]' (or cuda13)"
DEVICES_MOST = 1024


@dataclass(frozen=True)
class Gpu:
    """A device as the driver shows it."""

    index: int
    name: str
    capability: tuple[int, int]
    memory_bytes: int

    @property
    def text(self) -> str:
        return f"{self.name}, {units.byte_size(self.memory_bytes)}"


@dataclass(frozen=True)
class BackendState:
    """Whether a back-end can run here; if not, why, and what to do about it."""

    name: str
    available: bool
    device: str  # what it would run on, in words
    reason: str | None = None  # None when available
    install: str | None = None  # a command or an action; None where nothing helps
    gpus: tuple[Gpu, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """What is looked at; tests put fakes here."""

    installed: Callable[[str], bool] = lambda name: importlib.util.find_spec(name) is not None
    load: Callable[[], CupyObject] = lambda: importlib.import_module("cupy")
    driver_library: Callable[[], bool] = lambda: driver_library_found()
    without_twin: Callable[[], tuple[str, ...]] = lambda: kernels_without_twin()


def driver_library_found() -> bool:
    """Whether the driver's library can be loaded: without it CuPy is not worth its import."""
    for name in ("libcuda.so.1", "libcuda.so", "nvcuda.dll"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def kernels_without_twin() -> tuple[str, ...]:
    """Kernels that have no ``.cu`` in this version."""
    from kernels.base.registry import kernel_names
    from kernels.base.source import has_twin

    return tuple(name for name in kernel_names() if not has_twin(name))


def cupy_state(around: Surroundings | None = None) -> BackendState:
    """Whether a GPU can be used, or the first thing that is missing."""
    around = around or Surroundings()

    def cannot(reason: str, install: str | None) -> BackendState:
        return BackendState("cupy", False, "NVIDIA GPU", reason, install)

    if not around.installed("cupy"):
        without = "" if around.driver_library() else "no NVIDIA driver was found; "
        return cannot(f"{without}CuPy is not installed", ("an NVIDIA driver, then " if without else "") + INSTALL_CUPY)
    if not around.driver_library():
        return cannot("CuPy is installed, but no NVIDIA driver was found", "an NVIDIA driver")
    try:
        cupy = around.load()
    except Exception as error:  # a broken installation raises anything
        return cannot(f"CuPy cannot be imported: {_line(error)}", f"a fresh installation: {INSTALL_CUPY}")
    try:
        return _device_state(cupy, around, cannot)
    except Exception as error:  # CuPy has its own types for every library
        return cannot(f"CuPy cannot reach the driver: {_line(error)}", "a newer NVIDIA driver")


def _device_state(
    cupy: CupyObject, around: Surroundings, cannot: Callable[[str, str | None], BackendState]
) -> BackendState:
    runtime = cupy.cuda.runtime
    driver, built_for = int(runtime.driverGetVersion()), int(runtime.runtimeGetVersion())
    if driver == 0:
        return cannot("CuPy is installed, but no NVIDIA driver was found", "an NVIDIA driver")
    # Within one major version of CUDA every driver runs what a later toolkit made
    if driver // 1000 < built_for // 1000:
        return cannot(
            f"the NVIDIA driver is too old: it knows CUDA {_version(driver)}, this CuPy needs {built_for // 1000}.0",
            f"a newer driver, or the CuPy for CUDA {driver // 1000}",
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    limited = f" (CUDA_VISIBLE_DEVICES is {visible!r})" if visible is not None else ""
    try:
        count = int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError as error:
        return cannot(f"the NVIDIA driver shows no GPU{limited}: {_line(error)}", "a GPU that this process may use")
    if count == 0:
        return cannot(f"the NVIDIA driver shows no GPU{limited}", "a GPU that this process may use")
    gpus = tuple(_gpu(cupy, index) for index in range(min(count, DEVICES_MOST)))
    fit = tuple(gpu for gpu in gpus if gpu.capability >= CAPABILITY_LEAST)
    if not fit:
        return cannot(_too_old(gpus[0]), "a newer GPU")
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # the library is loaded at the first call: it may be missing or of another version
        wheel = f"pip install nvidia-cuda-nvrtc-cu{built_for // 1000}" if built_for < 13000 else INSTALL_CUPY
        return cannot(f"the compiler library NVRTC cannot be loaded: {_line(error)}", wheel)
    missing = around.without_twin()
    if missing:
        return cannot(f"these kernels have no CUDA twin yet: {', '.join(missing)}", "a later version")
    text = f"GPU, {fit[0].text}" if len(fit) == 1 else f"{len(fit)} GPUs, the first {fit[0].text}"
    return BackendState("cupy", True, text, gpus=gpus)


def _gpu(cupy: CupyObject, index: int) -> Gpu:
    properties = cupy.cuda.runtime.getDeviceProperties(index)
    name = properties["name"]
    return Gpu(
        index=index,
        name=name.decode(errors="replace") if isinstance(name, bytes) else str(name),
        capability=(int(properties["major"]), int(properties["minor"])),
        memory_bytes=int(properties["totalGlobalMem"]),
    )


def _too_old(gpu: Gpu) -> str:
    found, least = (".".join(str(part) for part in pair) for pair in (gpu.capability, CAPABILITY_LEAST))
    return f"{gpu.name} has compute capability {found}, {least} is needed"


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _line(error: BaseException) -> str:
    return " ".join(f"{error}".split())[:200] or type(error).__name__


def available_backends(around: Surroundings | None = None) -> tuple[BackendState, ...]:
    """Every back-end, with the reason for each that cannot run."""
    return _numba_state(), cupy_state(around)


def _numba_state() -> BackendState:
    try:
        require_numba()
    except (UserError, Unavailable) as error:
        return BackendState("numba", False, "CPU", str(error), "what that line says")
    threads = min(usable_cores(), thread_limit())
    return BackendState("numba", True, f"CPU, {threads} thread{'s' if threads != 1 else ''}")


def make_backends(
    choice: str, threads: int | None = None, device: str | None = None, around: Surroundings | None = None
) -> list[Backend]:
    """The back-ends that ``auto``, ``all`` or a name stands for, the CPU first.

    ``auto`` is the GPU where it can run, else the CPU. ``device`` is a GPU's number, 0 unless said; of ``all`` this is
    the first. Raises Unavailable when a named one cannot run, and UserError for an unknown name or number.
    """
    if choice not in ("auto", "all", *BACKEND_NAMES):
        raise UserError(f"--backend: expected one of auto, all, {', '.join(BACKEND_NAMES)}, not {choice!r}")
    numbers = device_numbers(device)
    require_numba()  # a GPU's kernels come from the same files
    if choice == "numba":
        return [NumbaBackend(threads)]
    state = cupy_state(around)
    if not state.available and (choice == "cupy" or device is not None):
        raise Unavailable(
            f"back-end cupy cannot run here: {state.reason}. What helps: {state.install or 'nothing known'}"
        )
    made: list[Backend] = []
    if choice == "all" or not state.available:
        made.append(NumbaBackend(threads))
    if state.available:
        made.append(make_gpu(state, (numbers or [0])[0], around))
    return made


def device_numbers(device: str | None) -> list[int]:
    """``--device``: the numbers asked for; an empty list for none and for ``all``. Raises UserError."""
    if device is None or device == ALL:
        return []
    if not (device.isascii() and device.isdigit() and int(device) < DEVICES_MOST):
        raise UserError(f"--device: expected a GPU's number or {ALL}, not {device[:40]!r}")
    return [int(device)]


def make_gpu(state: BackendState, number: int, around: Surroundings | None = None) -> Backend:
    """The back-end of one GPU. Raises UserError for a number that is not there, Unavailable for one that is too old."""
    from bench.backend.cupy_gpu import CupyBackend

    if number >= len(state.gpus):
        shown = f"0 to {len(state.gpus) - 1}" if len(state.gpus) > 1 else "0"
        raise UserError(f"--device: expected {shown}, the GPUs that the driver shows, not {number}")
    gpu = state.gpus[number]
    if gpu.capability < CAPABILITY_LEAST:
        raise Unavailable(f"GPU {number}: {_too_old(gpu)}")
    return CupyBackend(number, (around or Surroundings()).load())
