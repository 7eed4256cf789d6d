"""What a worker answers: tasks of a real shot without an engine, and whatever stands in its way."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import CheckFailed, Unavailable, UserError
from bench.farm import worker
from bench.farm.dispatch.answers import TRIES_MOST, error_words
from bench.farm.engine.providers import GPUS
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

TOKEN = "0123abcd"


def order_of(out: Path, kind: str, **more: Any) -> dict[str, Any]:
    """An order for a task of the tiny shot."""
    from bench.check.golden import definition_sha256
    from bench.pipeline.shoot import RenderJob
    from bench.shot.load import load_shot

    shot = load_shot(out / "farm" / worker.SHOT_COPY)
    task = {"kind": kind, "frame": None, "part": None, "frames": [], **more.pop("task", {})}
    words = {"token": TOKEN, "out": str(out), "size": "S", "samples": None, "kinds": ["png"], "backend": "numba"}
    words |= {"header": RenderJob(shot, "S", (), None).header(definition_sha256(shot)), "threads": 1, "task": task}
    words |= {"note": "t-1", "limit_s": None, "start_limit_s": 600.0, "avoid": [], "others": False}
    return words | more


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a run begins it, and a worker that has done nothing yet."""
    (tmp_path / "farm" / "now").mkdir(parents=True)
    write_tiny_shot(tmp_path / "farm").rename(tmp_path / "farm" / worker.SHOT_COPY)
    (tmp_path / "farm" / worker.TOKEN).write_text(TOKEN, encoding="utf-8")
    monkeypatch.setattr(worker, "_kept", worker._Kept())
    monkeypatch.setattr(worker, "SEEN_WITHIN_S", 0.0)
    monkeypatch.setenv("PARSL_WORKER_RANK", "1")
    monkeypatch.setenv("SLURMD_NODENAME", "gb1")
    return tmp_path


def test_a_shot_is_made_task_by_task(out: Path) -> None:
    made = worker.perform(order_of(out, "simulate", task={"frames": [1, 2]}))
    assert made["outcome"] == "done" and (made["node"], made["worker"], made["pid"]) == ("gb1", "1", os.getpid())
    assert [(one["kind"], one["frame"]) for one in made["made"]] == [("simulate", 1), ("simulate", 2)]  # type: ignore[attr-defined]
    assert made["backend"] == "numba" and made["threads"] == 1 and str(made["device"]).endswith("1 thread")
    maker = worker._kept.maker
    made = worker.perform(order_of(out, "render", task={"frame": 1}))
    assert made["outcome"] == "done" and worker._kept.maker is maker, "scene and renderer are kept"
    for row in ((0, 0, 12, 3, 0, 1), (0, 3, 12, 5, 0, 1)):
        assert worker.perform(order_of(out, "part", task={"frame": 2, "part": row}))["outcome"] == "done"
    made = worker.perform(order_of(out, "assemble", task={"frame": 2}))
    assert [one["kind"] for one in made["made"]] == ["assemble"]  # type: ignore[attr-defined]
    assert (out / "pool.0001.png").is_file() and (out / "pool.0002.png").is_file()
    assert worker.perform(order_of(out, "render", task={"frame": 1}))["made"] == [], "it is there"
    assert not list((out / "farm" / "now").iterdir())


def test_a_task_is_given_back_where_it_failed_before(out: Path) -> None:
    order = order_of(out, "render", task={"frame": 1}, avoid=[["gb1", "1"]], others=True)
    assert worker.perform(order)["outcome"] == "elsewhere"
    order = order_of(out, "render", task={"frame": 1}, avoid=[["gb1", "0"]], others=True)
    assert worker.perform(order)["outcome"] == "failed"
    order = order_of(out, "render", task={"frame": 1}, avoid=[["gb1", "1"]], others=False)
    assert worker.perform(order)["outcome"] == "failed"


def test_a_state_that_is_not_there_is_told_apart(out: Path) -> None:
    made = worker.perform(order_of(out, "render", task={"frame": 1}))
    assert (made["outcome"], made["kind"]) == ("failed", "missing") and "\n" not in str(made["why"])


@pytest.mark.parametrize("content", ["another run", None])
def test_a_folder_that_this_node_does_not_share_is_told(out: Path, content: str | None) -> None:
    token = out / "farm" / worker.TOKEN
    token.unlink() if content is None else token.write_text(content, encoding="utf-8")
    made = worker.perform(order_of(out, "render", task={"frame": 1}))
    assert (made["outcome"], made["kind"]) == ("failed", "folder")


@pytest.mark.parametrize("key", ["version", "kernels", "definition"])
def test_another_installation_is_told(out: Path, key: str) -> None:
    order = order_of(out, "simulate", task={"frames": [1]})
    order["header"][key] = "other"
    made = worker.perform(order)
    assert (made["outcome"], made["kind"]) == ("failed", "unusable") and key in str(made["why"])


def test_a_wrong_setting_is_a_line_and_no_traceback(out: Path) -> None:
    made = worker.perform(order_of(out, "simulate", task={"frames": [1]}, size="XL"))
    assert (made["outcome"], made["kind"]) == ("failed", "input") and "--size" in str(made["why"])


@pytest.mark.parametrize(
    ("given", "rank", "count", "there", "gets"),
    [
        ("", "1", "2", "1", "1"),  # nobody gave any: as Parsl says
        ("4,5", "1", "2", "1", "5"),  # a part of a shared node
        ("4,5", "0", "2", "0", "4"),
        ("4,5", "3", "4", "1", "5"),  # two workers a GPU
        ("GPU-a,GPU-b", "1", "2", "1", "GPU-b"),
        ("4,5", "1", "2", None, None),  # a pool without GPUs
        ("4,5", "", "", "0", "0"),  # no worker of Parsl's
    ],
)
def test_a_worker_gets_a_gpu_of_those_that_its_node_was_given(
    monkeypatch: pytest.MonkeyPatch, given: str, rank: str, count: str, there: str | None, gets: str | None
) -> None:
    values = {GPUS: given, "PARSL_WORKER_RANK": rank, "PARSL_WORKER_COUNT": count}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if there is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", there)
    for _ in range(2):  # asked again, the answer stays
        worker.pin_gpu()
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == gets


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (CheckFailed("frame 3: a is not b"), "proof", "frame 3: a is not b"),
        (Unavailable("no state"), "missing", "no state"),
        (UserError("--size"), "input", "--size"),
        (MemoryError(), "memory", "memory does not hold"),
        (OSError(errno.ENOSPC, "No space left on device", "x/y"), "disk", "No space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk", "quota"),
        (OSError(errno.EIO, "Input/output error"), "system", "Input/output"),
        (ValueError("a\nb"), "defect", "ValueError: a b"),
    ],
)
def test_every_error_is_a_kind_and_a_line(error: BaseException, kind: str, says: str) -> None:
    words = error_words(error)
    assert words["kind"] == kind and says in str(words["why"]) and "\n" not in str(words["why"])
    json.dumps(words)
    assert TRIES_MOST == 4, "a first try and three elsewhere"


HANGS = """
import json, sys, time
from pathlib import Path
from bench.farm import worker
order = json.loads(sys.argv[1])
worker._maker = lambda order: None
def hang(maker, order):
    sum(range(10**12))  # holds the interpreter, as a kernel does
worker._do = hang
worker.perform(order)
"""


def test_a_task_that_hangs_ends_its_process_and_says_where(out: Path) -> None:
    order = order_of(out, "render", task={"frame": 1}, limit_s=0.5, start_limit_s=0.5)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    begun = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", HANGS, json.dumps(order)], env=environment, cwd=ROOT, timeout=60)
    assert ended.returncode == 1 and time.monotonic() - begun < 30
    assert "in hang" in (out / "farm" / "now" / "t-1.late").read_text(encoding="utf-8")
    assert json.loads((out / "farm" / "now" / "t-1.json").read_text(encoding="utf-8"))["node"] == "gb1"


def test_nothing_heavy_is_imported_before_the_process_has_its_gpu_and_its_threads() -> None:
    ask = "import sys, bench.farm.worker, bench.farm.check.probe; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", ask], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"numba", "cupy", "kernels", "parsl"} & set(done.stdout.split())
