"""Run a kernel and its plain reading on the same arguments and compare every bit of what they write."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base.registry import kernel_named


def check_kernel(name: str, reference: Callable[..., None], arguments: dict[str, Any]) -> None:
    """The reference takes the kernel's arguments by name and fills its outputs."""
    kernel = kernel_named(name)
    assert tuple(arguments) == kernel.argument_names
    plain = copy.deepcopy(arguments)
    kernel.cpu(*arguments.values())
    with np.errstate(all="ignore"):
        reference(**plain)
    for argument, value in arguments.items():
        if isinstance(value, np.ndarray):
            expected = plain[argument]
            assert value.dtype == expected.dtype
            different = np.flatnonzero(value.view(np.uint8) != expected.view(np.uint8))
            assert different.size == 0, f"{argument}: {value.dtype} element {different[0] // value.itemsize}"
