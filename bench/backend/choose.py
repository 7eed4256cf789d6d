"""Which back-ends can run here, and if not, why and what helps: one line each. Makes the one that is asked for.

The GPU is looked for in steps: a driver, one that is new enough, CuPy installed, a device, one that the kernels are
made for, NVRTC, the CUDA twins of all kernels. CuPy is imported only where a driver is. Where a GPU is there and one of
these is missing, ``auto`` takes the CPU and its choice says why.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.backend.limits import GpuUnused, usable_cores
from bench.backend.numba_cpu import NumbaBackend
from bench.backend.numba_settings import require_numba, thread_limit
from bench.backend.nvrtc_cache import CAPABILITY_LEAST, import_cupy
from bench.backend.protocol import Backend, CupyObject
from bench.base import units
from bench.base.errors import CheckFailed, Unavailable, UserError, one_line
from kernels.base.nvrtc import WHEELS

BACKEND_NAMES = ("numba", "cupy")
ALL = "all"
CUPY_PACKAGES = tuple(f"cupy-cuda{major}x" for major in WHEELS)
CUDA_LEAST = 1000 * min(WHEELS)  # of a driver: what the oldest CuPy needs that can be asked for
DEVICES_MOST = 1024
REASON_MOST = 400  # characters of a reason that a record keeps
DEVICE_NAME = re.compile(r"\d+|(?:GPU|MIG)-.+")  # in CUDA_VISIBLE_DEVICES; another word hides what comes after it
NVIDIA, DISPLAY = "0x10de", "0x03"  # PCI: the vendor; the class of what shows or computes pictures
DRIVER_TRACES = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvidia0")

A_DRIVER = "an NVIDIA driver (in a container: start it with the GPU, such as docker run --gpus all)"
A_GPU = "a GPU that this process may use"
HELPS = {  # by what the driver's error is called
    "cudaErrorSystemNotReady": "start NVIDIA's fabric manager (nvidia-fabricmanager), or wait until it is ready",
    "cudaErrorSystemDriverMismatch": "reboot: the driver's library and its kernel module are of different versions",
    "cudaErrorCompatNotSupportedOnDevice": "remove CUDA's compatibility library from LD_LIBRARY_PATH",
    "cudaErrorDevicesUnavailable": "wait for the process that holds the GPU: it serves one at a time",
    "cudaErrorUnknown": "modprobe nvidia_uvm, or reboot",
    "cudaErrorInsufficientDriver": "a newer NVIDIA driver",
}


def install_cupy(driver: int | None) -> str:
    """The line that installs what an extra holds: CuPy that a driver of this version of CUDA can run, and NVRTC."""
    majors = [major for major in WHEELS if driver is None or major <= driver // 1000]
    lines = [f"pip install cupy-cuda{major}x {WHEELS[major]}" for major in majors]
    return " or ".join(lines) if driver is None else lines[-1]


@dataclass(frozen=True)
class Gpu:
    """A device as the driver shows it."""

    index: int
    name: str
    capability: tuple[int, int]
    memory_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the kernels are written for it."""
        return self.capability >= CAPABILITY_LEAST

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
class Choice:
    """The back-ends that a command runs on, and the GPU that it leaves alone."""

    backends: list[Backend]
    gpu_unused: GpuUnused | None
    by_name: bool = False  # whether the GPU was asked for: then there is no run without it

    def without_gpu(self, error: Unavailable | CheckFailed, threads: int | None) -> Choice:
        """The same where the GPU turns out to be of no use before anything is measured. Raises the error by name."""
        if self.by_name:
            raise error
        left = [one for one in self.backends if not one.is_gpu]
        unused = GpuUnused(str(error)[:REASON_MOST], _helps(error, None))
        return Choice(left or [NumbaBackend(threads)], unused)


@dataclass(frozen=True)
class Surroundings:
    """What is looked at; tests put fakes here."""

    installed: Callable[[str], bool] = lambda name: importlib.util.find_spec(name) is not None
    load: Callable[[], CupyObject] = import_cupy
    driver_version: Callable[[], int | None] = lambda: driver_version()
    without_twin: Callable[[], tuple[str, ...]] = lambda: kernels_without_twin()
    gpu_there: Callable[[], bool] = lambda: gpu_there()


def driver_version() -> int | None:
    """The newest CUDA that the driver knows, 12040 for 12.4; None where its library cannot be loaded or is a stub."""
    for name in ("libcuda.so.1", "libcuda.so", "nvcuda.dll"):
        try:
            library, found = ctypes.CDLL(name), ctypes.c_int()
            if library.cuDriverGetVersion(ctypes.byref(found)) == 0 and found.value > 0:
                return found.value
        except (OSError, AttributeError):
            continue
    return None


def gpu_there(root: Path = Path("/")) -> bool:
    """Whether this machine shows a trace of an NVIDIA GPU, with a driver or without."""
    if any((root / trace[1:]).exists() for trace in DRIVER_TRACES):
        return True
    for device in (root / "sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor == NVIDIA and kind.startswith(DISPLAY):
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
    driver, installed = around.driver_version(), around.installed("cupy")
    if driver is None:
        return _no_driver(around, installed)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not DEVICE_NAME.fullmatch(visible.split(",")[0].strip()):
        return _cannot(f"CUDA_VISIBLE_DEVICES is {visible[:40]!r} and hides every GPU", "unset CUDA_VISIBLE_DEVICES")
    if not installed:
        if driver < CUDA_LEAST:
            return _too_old_driver(driver, CUDA_LEAST, "CuPy")
        return _cannot("CuPy is not installed", install_cupy(driver))
    try:
        cupy = around.load()
    except Exception as error:  # a broken installation raises anything
        several = ", ".join(_installed_packages())
        told = f" ({several} are installed over each other)" if "," in several else ""
        helps = f"pip uninstall {several.replace(',', '')}, then " if told else "a fresh installation: "
        return _cannot(f"CuPy cannot be imported{told}: {one_line(error)}", helps + install_cupy(driver))
    try:
        return _device_state(cupy, around, visible)
    except Exception as error:  # CuPy has its own types for every library
        return _cannot(f"CuPy cannot reach the driver: {one_line(error)}", _helps(error, "a newer NVIDIA driver"))


def _cannot(reason: str, install: str | None) -> BackendState:
    return BackendState("cupy", False, "NVIDIA GPU", reason, install)


def _no_driver(around: Surroundings, installed: bool) -> BackendState:
    there = around.gpu_there()
    reason = "an NVIDIA GPU is there, but no driver for it" if there else "no NVIDIA driver was found"
    if not installed:
        return _cannot(f"{reason}; CuPy is not installed", f"{A_DRIVER}, then {install_cupy(None)}")
    return _cannot(reason if there else f"CuPy is installed, but {reason}", A_DRIVER)


def _too_old_driver(driver: int, needed: int, whose: str) -> BackendState:
    fitting = f", or {install_cupy(driver)}" if CUDA_LEAST <= driver < needed else ""
    reason = f"the NVIDIA driver is too old: it knows CUDA {_version(driver)}, {whose} needs {_version(needed)}"
    return _cannot(reason, f"a newer driver{fitting}")


def _installed_packages() -> list[str]:
    """Those of CuPy's packages that are installed: there is room for one."""
    found = []
    for name in CUPY_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version(name)
            found.append(name)
    return found


def _device_state(cupy: CupyObject, around: Surroundings, visible: str | None) -> BackendState:
    runtime = cupy.cuda.runtime
    driver, built_for = int(runtime.driverGetVersion()), int(runtime.runtimeGetVersion())
    if driver == 0:
        return _no_driver(around, True)
    # Within one major version of CUDA every driver runs what a later toolkit made
    if driver // 1000 < built_for // 1000:
        return _too_old_driver(driver, built_for // 1000 * 1000, "this CuPy")
    limited = f" (CUDA_VISIBLE_DEVICES is {visible[:40]!r})" if visible is not None else ""
    try:
        count = int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError as error:
        return _cannot(f"the NVIDIA driver shows no GPU{limited}: {one_line(error)}", _helps(error, A_GPU))
    if count == 0:
        return _cannot(f"the NVIDIA driver shows no GPU{limited}", A_GPU)
    gpus = tuple(_gpu(cupy, index) for index in range(min(count, DEVICES_MOST)))
    fit = tuple(gpu for gpu in gpus if gpu.fits)
    if not fit:
        return _cannot(_too_old(gpus[0]), "a newer GPU")
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # the library is loaded at the first call: it may be missing or of another version
        wheel = WHEELS.get(built_for // 1000)
        helps = f"pip install {wheel}" if wheel else f"NVRTC of CUDA {built_for // 1000}"
        return _cannot(f"the compiler library NVRTC cannot be loaded: {one_line(error)}", helps)
    missing = around.without_twin()
    if missing:
        return _cannot(f"these kernels have no CUDA twin yet: {', '.join(missing)}", "a later version")
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


def _helps(error: BaseException, otherwise: str | None) -> str | None:
    """What helps against an error of the driver, by its name."""
    return next((helps for name, helps in HELPS.items() if name in str(error)), otherwise)


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
    """The back-ends of ``choose_backends``."""
    return choose_backends(choice, threads, device, around).backends


def choose_backends(
    choice: str, threads: int | None = None, device: str | None = None, around: Surroundings | None = None
) -> Choice:
    """The back-ends that ``auto``, ``all`` or a name stands for, the CPU first; and why a GPU is there and not used.

    ``auto`` is the GPU where it can run, else the CPU. ``device`` is a GPU's number, the first that can be used unless
    said; of ``all`` this is the first. Raises Unavailable when a named one cannot run, and UserError for an unknown
    name or number.
    """
    if choice not in ("auto", "all", *BACKEND_NAMES):
        raise UserError(f"--backend: expected one of auto, all, {', '.join(BACKEND_NAMES)}, not {choice!r}")
    numbers = device_numbers(device)
    require_numba()  # a GPU's kernels come from the same files
    if choice == "numba":
        return Choice([NumbaBackend(threads)], None)
    by_name = choice == "cupy" or device is not None
    state = cupy_state(around)
    unused: GpuUnused | None = None
    gpu: Backend | None = None
    if state.available:
        first = next((one.index for one in state.gpus if one.fits), 0)
        try:
            gpu = make_gpu(state, (numbers or [first])[0], around)
        except Unavailable as error:
            if by_name:
                raise
            unused = GpuUnused(str(error)[:REASON_MOST], _helps(error, None))
    elif by_name:
        raise Unavailable(
            f"back-end cupy cannot run here: {state.reason}. What helps: {state.install or 'nothing known'}"
        )
    else:
        looked = around or Surroundings()
        if looked.driver_version() is not None or looked.gpu_there():
            unused = GpuUnused(str(state.reason)[:REASON_MOST], state.install)
    cpu: list[Backend] = [NumbaBackend(threads)] if choice == "all" or gpu is None else []
    return Choice([*cpu, *([gpu] if gpu is not None else [])], unused, by_name)


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
    if not gpu.fits:
        raise Unavailable(f"GPU {number}: {_too_old(gpu)}")
    return CupyBackend(number, (around or Surroundings()).load())
