"""Runs pytest for us: our suite alone, our plugin alone, nothing of the user's settings, nothing on the screen."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure.rows import CHECKOUT, SUITE

ORDER = ("verify", "frame")


@contextlib.contextmanager
def _own_pytest() -> Iterator[None]:
    """Keep the user's pytest settings and plugins out: they are for the user's tests."""
    saved = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("PYTEST_")}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            del os.environ[name]
        os.environ.update(saved)


def run_pytest(plugin: object, results: Path) -> bool:
    """Run the suite with the plugin; False when it was stopped from the keyboard."""
    arguments = [
        str(SUITE),
        # Without a cut pytest lists every folder above, and those of a cluster's homes cannot be listed
        *("-c", os.devnull, "--rootdir", str(CHECKOUT), "--confcutdir", str(SUITE.parent), "--noconftest"),
        *("-p", "pytest_benchmark.plugin"),
        *("-p", "no:cacheprovider", "-p", "no:warnings", "-s", "-q", "--no-header", "--import-mode=importlib"),
        *("-o", "python_files=suite.py", "-o", f"python_functions={' '.join(ORDER)}"),
        *("--benchmark-enable", "--benchmark-quiet", "--benchmark-disable-gc"),
        f"--benchmark-storage=file://{results}",
    ]
    from pytest_benchmark.logger import PytestBenchmarkWarning

    output = io.StringIO()
    with _own_pytest(), contextlib.redirect_stdout(output), warnings.catch_warnings():
        # A row that is refused for want of a proof does not use the benchmark fixture: that is meant.
        warnings.simplefilter("ignore", PytestBenchmarkWarning)
        code = pytest.main(arguments, plugins=[plugin])
    if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        # pytest's own output is for a reader who looks for a defect
        raise RuntimeError(f"pytest could not run the suite:\n{output.getvalue()}")
    return code != pytest.ExitCode.INTERRUPTED
