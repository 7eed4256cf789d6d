"""Whether two versions of a kernel, on any two back-ends, left the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.backend import Backend
from kernels.kernel import Kernel


def differences(kernel: Kernel, want: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """One line for each array whose bits differ: of ``unordered`` ones sets of rows, of ``summed`` ones sums of rows.

    Scratch is not compared. A number that is none equals any other such: processors make them of different bits.
    """
    lines = []
    for name, expected in want.items():
        if not isinstance(expected, np.ndarray) or name in kernel.scratch:
            continue
        found = got[name]
        if name in kernel.summed:
            expected, found = expected.sum(axis=0), found.sum(axis=0)
        if expected.tobytes() == found.tobytes():
            continue
        if name in kernel.unordered:
            if _in_order(expected) == _in_order(found):
                continue
            lines.append(f"{name}: its rows differ")
            continue
        other = np.ascontiguousarray(expected).view(np.uint8) != np.ascontiguousarray(found).view(np.uint8)
        other = other.reshape(expected.size, -1).any(axis=1)
        if expected.dtype.kind == "f":
            other &= ~(np.isnan(expected) & np.isnan(found)).reshape(-1)
        at = np.flatnonzero(other)
        if not len(at):
            continue
        first = int(at[0])
        lines.append(
            f"{name}: {len(at)} of {expected.size} differ, the first at {first}:"
            f" {expected.reshape(-1)[first]!r} became {found.reshape(-1)[first]!r}"
        )
    return lines


def _in_order(array: np.ndarray) -> list[bytes]:
    return sorted(row.tobytes() for row in array)


def on_cpu(kernel: Kernel, arguments: dict[str, Any], threads: int) -> dict[str, Any]:
    """The arguments after a run of the Numba version on copies of them."""
    import numba

    written = {name: np.copy(v) if isinstance(v, np.ndarray) else v for name, v in arguments.items()}
    numba.set_num_threads(threads)
    kernel.cpu(*[written[name] for name in kernel.argument_names])
    return written


def on_device(kernel: Kernel, arguments: dict[str, Any], backend: Backend) -> dict[str, Any]:
    """The arguments after a run on a back-end, on the host again."""
    held = held_by(backend, arguments)
    backend.launch(kernel, *[held[name] for name in kernel.argument_names])
    backend.synchronize()
    return {name: backend.host(v) if isinstance(arguments[name], np.ndarray) else v for name, v in held.items()}


def held_by(backend: Backend, arguments: dict[str, Any]) -> dict[str, Any]:
    """The same arguments with their arrays on a back-end."""
    return {name: backend.array(v) if isinstance(v, np.ndarray) else v for name, v in arguments.items()}
