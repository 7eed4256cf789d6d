"""Fixtures that several test files use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", type=int, default=None, help="run the CUDA twins on this GPU instead of the emulator")


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers in every run."""
    return np.random.default_rng(20260131)


@pytest.fixture(scope="session")
def gpu(request: pytest.FixtureRequest) -> Any:
    """The back-end of the GPU that ``--device`` names; None without the option."""
    number = request.config.getoption("--device")
    if number is None:
        return None
    from bench.backend.cupy_gpu import CupyBackend

    return CupyBackend(number)
