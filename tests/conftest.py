"""Fixtures that several test files use."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", type=int, default=None, help="run the CUDA twins on this GPU instead of the emulator")


def pytest_configure() -> None:
    """What commands print is as wide here as where it is no screen, whichever this runs on."""
    os.environ.pop("COLUMNS", None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that asks for the emulated Slurm is marked so, and slow. With several processes: what stays in one."""
    several = config.pluginmanager.hasplugin("xdist")
    for item in items:
        if "slurm" in getattr(item, "fixturenames", ()):
            item.add_marker("slurm")
            item.add_marker("slow")
        if several:
            # What starts real workers, with limits on how long they may take, is never beside another of its kind, and
            # there is one Slurm. Of the other files each stays in one process: its fixtures are made once.
            file = item.nodeid.split("::")[0]
            started = file.startswith(("tests/bench/farm/", "tests/farm_nodes/"))
            item.add_marker(pytest.mark.xdist_group("farm" if started else file))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out that ``needs`` what this system has not."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if not has(name):
                pytest.skip(f"this system has no {name}")


def has(name: str) -> bool:
    """Whether there is a module's attribute, as ``os.fork``, or a program of that name."""
    module, _, attribute = name.rpartition(".")
    if not module:
        return shutil.which(name) is not None
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return False


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


@pytest.fixture(scope="session")
def slurm() -> Iterator[Any]:
    """A real Slurm with three emulated nodes of two cores and two fake GPUs each (``tests.farm_nodes.slurm.Slurm``)."""
    from tests.farm_nodes.slurm import start, why_not

    if reason := why_not():
        pytest.skip(reason)
    # A short name: sockets lie in it
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        started = start(Path(folder))
        try:
            yield started
        finally:
            started.stop()
            left = started.processes()
        assert not left, "the emulated Slurm left processes behind"
