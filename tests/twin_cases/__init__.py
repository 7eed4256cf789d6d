"""Inputs of the kernels at their edges, one file a family, or a folder.

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
    here = Path(__file__).parent
    for path in sorted(here.rglob("[a-z]*.py")):
        module = ".".join([__name__, *path.relative_to(here).with_suffix("").parts])
        cases: dict[str, dict[str, Maker]] = importlib.import_module(module).CASES
        found.update(cases.get(kernel, {}))
    return found
