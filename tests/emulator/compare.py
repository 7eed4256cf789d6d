"""Whether two runs of a kernel left the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.kernel import Kernel


def copied(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same arguments, arrays copied."""
    return {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in arguments.items()}


def in_order(array: np.ndarray) -> list[bytes]:
    """Rows sorted by their bytes."""
    return sorted(row.tobytes() for row in array)


def differences(kernel: Kernel, want: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """One line for each array whose bits differ: of ``unordered`` ones sets of rows, of ``summed`` ones sums of rows.

    Scratch is not compared.
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
            if in_order(expected) == in_order(found):
                continue
            lines.append(f"{name}: its rows differ")
            continue
        size = expected.itemsize
        bytes_ = (expected.reshape(-1).view(np.uint8) != found.reshape(-1).view(np.uint8)).reshape(-1, size).any(axis=1)
        at = np.flatnonzero(bytes_)
        first = int(at[0])
        lines.append(
            f"{name}: {len(at)} of {expected.size} differ, the first at {np.unravel_index(first, expected.shape)}: "
            f"{expected.reshape(-1)[first]!r} became {found.reshape(-1)[first]!r}"
        )
    return lines
