"""Inputs of the kernels at their edges, one file a family.

A file holds CASES: CASES[kernel][label](rng) gives the kernel's arguments by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arguments = dict[str, Any]
Maker = Callable[[np.random.Generator], Arguments]


def cases_of(kernel: str) -> dict[str, Maker]:
    """Every case of a kernel by label."""
    found: dict[str, Maker] = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        cases: dict[str, dict[str, Maker]] = importlib.import_module(f"{__name__}.{path.stem}").CASES
        found.update(cases.get(kernel, {}))
    return found
