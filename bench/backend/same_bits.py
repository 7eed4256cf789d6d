"""Whether two versions of a kernel, on any two back-ends, left the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.backend.protocol import Backend
from kernels.base.kernel import Kernel


def copied(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same arguments, arrays copied."""
    return {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in arguments.items()}


def in_order(array: np.ndarray) -> list[bytes]:
    """Rows sorted by their bytes."""
    return sorted(row.tobytes() for row in array)


def differences(kernel: Kernel, want: dict[str, Any], got: dict[str, Any], any_nan: bool = False) -> list[str]:
    """One line for each array whose bits differ; scratch is not looked at.

    ``unordered`` arrays are compared as sets of rows, ``summed`` ones by their sums over rows. With ``any_nan``, every
    NaN is the same: processors do not agree on its bits.
    """
    lines = []
    for name, expected in want.items():
        if not isinstance(expected, np.ndarray) or name in kernel.scratch:
            continue
        found = got[name]
        if name in kernel.summed:
            expected, found = expected.sum(axis=0), found.sum(axis=0)
        if any_nan and expected.dtype == np.float32:
            expected, found = (np.where(np.isnan(array), np.float32(np.nan), array) for array in (expected, found))
        if expected.tobytes() == found.tobytes():
            continue
        if name in kernel.unordered:
            if in_order(expected) == in_order(found):
                continue
            lines.append(f"{name}: its rows differ")
            continue
        size = expected.itemsize
        bytes_ = (expected.reshape(-1).view(np.uint8) != found.reshape(-1).view(np.uint8)).reshape(-1, size).any(axis=1)
        at = np.flatnonzero(bytes_)
        first = int(at[0])
        place = tuple(int(n) for n in np.unravel_index(first, expected.shape))
        lines.append(
            f"{name}: {len(at)} of {expected.size} differ, the first at {place}:"
            f" {expected.reshape(-1)[first]!r} became {found.reshape(-1)[first]!r}"
        )
    return lines


def on_cpu(kernel: Kernel, arguments: dict[str, Any], threads: int) -> dict[str, Any]:
    """The arguments after a run of the Numba version on copies of them."""
    import numba

    written = copied(arguments)
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
