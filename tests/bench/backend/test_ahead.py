"""Compiling ahead: every kernel once, a family on one worker, and a worker that dies does not stop the run."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import Any

import pytest

from bench.backend import ahead
from bench.base.progress import Silent
from bench.project.model import loop
from kernels.base import cache, registry


class Worker:
    """A process that answers a number of names, then is gone."""

    def __init__(self, answers: int) -> None:
        self.stdin = io.StringIO()
        self.stdout = io.StringIO("done\n" * answers)
        self.killed = False

    def kill(self) -> None:
        self.killed = True

    def communicate(self) -> None: ...


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache folder and two cores."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ahead, "usable_cores", lambda: 2)


def run(
    monkeypatch: pytest.MonkeyPatch, *answers: int, modules: tuple[Any, ...] = ()
) -> tuple[ahead.Ahead, list[Worker]]:
    workers = [Worker(number) for number in answers]
    waiting = iter(workers)
    start: Any = lambda: next(waiting)  # noqa: E731
    monkeypatch.setattr(ahead, "_start_worker", start)
    return ahead.compile_ahead(Silent(), modules), workers


def test_every_kernel_is_compiled_once_and_a_family_stays_together(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, workers = run(monkeypatch, 1000, 1000)
    names = [worker.stdin.getvalue().split() for worker in workers]
    assert sorted([*names[0], *names[1]]) == sorted(registry.all_kernels())
    assert found.kernel_count == len(registry.all_kernels())
    assert {n.partition("_")[0] for n in names[0]}.isdisjoint(n.partition("_")[0] for n in names[1])
    assert all(worker.killed for worker in workers)


def test_what_other_modules_compile_is_done_as_well(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found, workers = run(monkeypatch, 1000, 1000, modules=(loop,))
    names = [worker.stdin.getvalue().split() for worker in workers]
    assert found.kernel_count == len(registry.all_kernels()) + 1
    assert loop.__name__ in {*names[0], *names[1]}


def test_a_worker_that_dies_leaves_the_rest_to_the_run(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found, workers = run(monkeypatch, 2, 0)
    assert found.kernel_count == 2
    assert all(worker.killed for worker in workers)


def test_nothing_starts_where_the_cache_is_full(fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in registry.all_kernels():
        folder = Path(registry.cache_folder(name))
        (folder / "any").mkdir(parents=True)
        (folder / "any" / "kernel.nbi").touch()
        cache.seal_code(folder)
    assert run(monkeypatch)[0] == ahead.Ahead(0, 0.0)


def test_one_core_compiles_on_first_use(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "usable_cores", lambda: 1)
    assert run(monkeypatch)[0] == ahead.Ahead(0, 0.0)


@pytest.mark.parametrize("started", [0, 1])
def test_a_worker_that_cannot_start_leaves_it_to_the_run(
    started: int, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another architecture's Python, no room for a process: nothing depends on compiling ahead."""
    workers = [Worker(1000) for _ in range(started)]
    waiting = iter(workers)

    def start() -> Worker:
        for worker in waiting:
            return worker
        raise OSError(errno.ENOEXEC, "Exec format error")

    monkeypatch.setattr(ahead, "_start_worker", start)
    found = ahead.compile_ahead(Silent())
    assert found.kernel_count == (len(registry.all_kernels()) if started else 0)
    assert all(worker.killed for worker in workers)
