"""Hostile surroundings: a hundred environments and as many folders, mixed at random. Never a traceback.

Exit code 1 means that a check failed, and none does here: bad input is 2, what is not there 3.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.base.errors import EXIT_BAD_INPUT, EXIT_UNAVAILABLE
from bench.cli.main import main
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

ENVIRONMENTS = 110
SEED = 20261130
# As it is installed: the working folder comes before all of this
OURS = os.pathsep.join((str(ROOT / "bench" / "cli" / "entry"), str(ROOT)))
FINE = (0, EXIT_BAD_INPUT, EXIT_UNAVAILABLE)
WORDS_OF_A_DEFECT = ("Traceback", "a defect of Shotmark")

COMMANDS = [
    ["--version"],
    ["--help"],
    ["devices"],
    ["devices", "--json"],
    ["shots", "wave"],
    ["shots", "--json"],
    ["shots", "--schema"],
    ["report", "0004"],
    ["report"],
    ["compare", "0002", "0004"],
    ["compare", "--json"],
    ["project", "0004", "--shot", "wave"],
    ["project", "0004", "--shot", "wave", "--csv"],
    ["kernels", "fx_scan", "--size", "50", "--backend", "numba"],
    ["kernels", "fx_scan", "--size", "50", "--backend", "cupy"],
    ["run", "no-such-shot"],
    ["run", "wave", "--threads", "0"],
    ["render", "wave", "--frames", "0"],
    ["certify", "--budget", "never"],
    ["verify", "no-such-shot"],
    ["backtest", "--workers", "3"],
    ["peers", "--threads", "0"],
]

# What compiles and simulates: where the cache is what it was before, or a case would take a minute
WHOLE = [
    ["run", "TINY", "--frames", "1", "--rounds", "2", "--results", "results"],
    ["run", "TINY", "--frames", "1", "--rounds", "1", "--results", "results", "--json"],
    ["render", "TINY", "--frames", "1-2", "--format", "png,exr", "--out", "frames"],
]
WHOLE_EVERY = 9
COMPILES_ANEW = {"HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT"}

# Each is a name and the values that it is tried with; None takes it away
SETTINGS: dict[str, list[str | None]] = {
    "HOME": [None, "", "/nonexistent", "/dev/null"],
    "XDG_CACHE_HOME": ["/dev/null/x", "relative/cache", ""],
    "NUMBA_CACHE_DIR": ["/dev/null/x", "/proc/nothing", "", "x" * 300],
    "CUPY_CACHE_DIR": ["/dev/null/x"],
    "TMPDIR": ["/nonexistent", "/dev/null"],
    "PATH": ["", "/nonexistent", None],
    "LC_ALL": ["C", "xx_YY.junk", "POSIX"],
    "LANG": ["junk", None],
    "TZ": ["junk", ""],
    "PYTHONIOENCODING": ["ascii", "latin-1", "gbk", "utf-16", "utf-8:strict", "ascii:strict", "cp437"],
    "PYTHONUTF8": ["0", "1"],
    "PYTHONWARNINGS": ["error", "default"],
    "PYTHONDEVMODE": ["1"],
    "PYTHONOPTIMIZE": ["1", "2"],
    "PYTHONUNBUFFERED": ["1"],
    "PYTHONHASHSEED": ["1"],
    "PYTHONSAFEPATH": ["1"],
    "COLUMNS": ["0", "1", "17", "-3", "many", "100000", ""],
    "LINES": ["0", "-1", "x"],
    "TERM": ["dumb", "nonsense", "", None],
    "FORCE_COLOR": ["1"],
    "NO_COLOR": ["1"],
    "TTY_COMPATIBLE": ["1"],
    "NUMBA_NUM_THREADS": ["0", "-3", "1", "many", "", "1e3"],
    "NUMBA_THREADING_LAYER": ["junk", "tbb", "workqueue", ""],
    "NUMBA_THREADING_LAYER_PRIORITY": ["omp", "a b c", ""],
    "NUMBA_DISABLE_JIT": ["1", "yes", "0"],
    "NUMBA_OPT": ["junk"],
    "NUMBA_CPU_FEATURES": ["junk", "+junk"],
    "NUMBA_CPU_NAME": ["junk"],
    "NUMBA_CACHE_LOCATOR_CLASSES": ["InTreeCacheLocator", "no.such.Locator"],
    "NUMBA_FULL_TRACEBACKS": ["1"],
    "NUMBA_DEVELOPER_MODE": ["1"],
    "OMP_NUM_THREADS": ["0", "many", "1"],
    "OMP_THREAD_LIMIT": ["1"],
    "OMP_WAIT_POLICY": ["junk"],
    "GOMP_SPINCOUNT": ["junk"],
    "CUDA_VISIBLE_DEVICES": ["", "junk", "99", "-1", "MIG-0"],
    "CUDA_PATH": ["/nonexistent"],
    "LD_LIBRARY_PATH": ["/nonexistent"],
    "PYTEST_ADDOPTS": ["-n 2 --cov --nope"],
    "PYTEST_PLUGINS": ["nope"],
    "PYTEST_DEBUG": ["1"],
    "GIT_DIR": ["/nonexistent"],
    "CI": ["1"],
}


def _few_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


def _no_file_may_grow() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _little_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))


def _no_rights() -> None:
    os.umask(0o777)


def _one_core() -> None:
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


def _gone_folder() -> None:
    os.rmdir(os.getcwd())


# What a shell, a batch system or a container does to a process before it starts
LIMITS: list[Callable[[], None] | None] = [
    None,
    None,
    None,
    _few_files,
    _no_file_may_grow,
    _little_memory,
    _no_rights,
    _one_core,
    _gone_folder,
]
FILES = {
    ".numba_config.yaml": ["disable_jit: 1\n", "a: [\n", "\x00"],
    "pytest.ini": ["[pytest]\naddopts = --nope\n", "["],
    "conftest.py": ["raise RuntimeError('theirs')\n"],
    "pyproject.toml": ["[tool.pytest\n"],
    "kernels.py": ["raise RuntimeError('theirs')\n"],
    "bench/__init__.py": ["raise RuntimeError('theirs')\n"],
}


def environments() -> Iterator[tuple[dict[str, str | None], Callable[[], None] | None, dict[str, str], list[str]]]:
    """(variables, limit, files of the working folder, command); every setting at least once, then mixtures."""
    rng = random.Random(SEED)
    every = [(name, value) for name, values in SETTINGS.items() for value in values]
    rng.shuffle(every)
    commands = itertools.cycle(rng.sample(COMMANDS, len(COMMANDS)))
    for index in range(ENVIRONMENTS):
        taken = dict(every[index % len(every) :: 37][: rng.randint(1, 3)])
        limit = rng.choice(LIMITS) if os.name == "posix" else None
        files = {name: rng.choice(texts) for name, texts in FILES.items() if rng.random() < 0.1}
        variables = {**taken, **dict([every[index % len(every)]])}
        if index % WHOLE_EVERY == 0 and not COMPILES_ANEW & variables.keys() and limit is not _no_file_may_grow:
            yield variables, limit, {}, rng.choice(WHOLE)
        else:
            yield variables, limit, files, next(commands)


@pytest.mark.slow
def test_no_environment_makes_a_traceback(tmp_path: Path) -> None:
    tiny = write_tiny_shot(tmp_path)

    def attempt(number: int, case: tuple[Any, ...]) -> str | None:
        variables, limit, files, words = case
        folder = tmp_path / str(number)
        folder.mkdir()
        if limit is not _gone_folder:
            for name, text in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(text)
        wanted = {**os.environ, "PYTHONPATH": OURS, **variables}
        words = [str(tiny) if word == "TINY" else word for word in words]
        done = subprocess.run(
            [sys.executable, "-c", "from shotmark import main; main()", *words],
            cwd=folder,
            env={name: value for name, value in wanted.items() if value is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            preexec_fn=limit,
        )
        told = done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace")
        if done.returncode in FINE and not any(word in told for word in WORDS_OF_A_DEFECT):
            return None
        name = limit.__name__ if limit else "no limit"
        return f"{words} with {variables}, {name}, {sorted(files)}: exit code {done.returncode}: {told[-1500:]}"

    with ThreadPoolExecutor(2) as pool:
        wrong = [line for line in pool.map(attempt, itertools.count(), environments()) if line is not None]
    assert not wrong, f"{len(wrong)} of {ENVIRONMENTS}:\n" + "\n\n".join(wrong)


# --- folders of records ------------------------------------------------------------------------------
REAL = sorted((ROOT / "results").glob("*/0004_*.json"))[0]
NAMES = st.sampled_from(
    [
        REAL.name,
        "0001_x_y.json",
        "0000_a.json",
        f"0009_{'z' * 150}.json",
        f"{'9' * 9}_a.json",
        "notes.txt",
        ".lock",
        ".0007.lock",
    ]
)
NO_RECORDS = [b"", b"[]", b"null", b"{}", b"\xff\xfe{\x00", b"\xef\xbb\xbf{}", b"[" * 5000]
FOLDERS = st.sampled_from(["m", "amd-epyc-2t", "ü x", "."])
SMALL = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)
READERS = st.sampled_from(
    [
        ["report"],
        ["report", "0004"],
        ["compare"],
        ["compare", "0004", "0001", "--json"],
        ["shots", "wave"],
        ["project"],
    ]
)


class Content(bytes):
    """A file's bytes, shown by their number."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@st.composite
def contents(draw: st.DrawFn) -> Content:
    """A record that something happened to."""
    real = REAL.read_bytes()
    kind = draw(st.sampled_from(["cut", "bytes", "value", "key", "other", "real"]))
    if kind == "cut":
        return Content(real[: draw(st.integers(0, len(real)))])
    if kind == "bytes":
        at = draw(st.integers(0, len(real)))
        return Content(real[:at] + draw(st.binary(max_size=20)) + real[at + draw(st.integers(0, 20)) :])
    if kind == "other":
        return Content(draw(st.sampled_from(NO_RECORDS)))
    document = json.loads(real)
    if kind != "real":
        place = document
        while True:
            steps = sorted(place) if isinstance(place, dict) else range(len(place))
            step = draw(st.sampled_from(list(steps)))
            deeper = place[step]
            if not deeper or not isinstance(deeper, (dict, list)) or draw(st.integers(0, 3)) == 0:
                break
            place = deeper
        if kind == "key" and isinstance(place, dict):
            del place[step]
        else:
            place[step] = draw(SMALL)
    return Content(json.dumps(document).encode())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    files=st.lists(st.tuples(FOLDERS, NAMES, contents()), min_size=1, max_size=3),
    folders=st.lists(NAMES, max_size=1),
    words=READERS,
)
def test_no_folder_of_records_makes_a_traceback(
    files: list[tuple[str, str, bytes]], folders: list[str], words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    results = tmp_path_factory.mktemp("results")
    for machine, name, content in files:
        (results / machine).mkdir(exist_ok=True)
        (results / machine / name).write_bytes(content)
    for name in folders:
        with contextlib.suppress(FileExistsError):
            (results / name).mkdir()
    done = CliRunner().invoke(main, [*words, "--results", str(results)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    assert done.exit_code in FINE, done.output
    if done.exit_code:
        assert done.stdout == "" and done.stderr.startswith("shotmark: ")
