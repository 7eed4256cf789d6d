"""A whole run with real tasks on an engine that does each at once, in this process: what ends it, what is kept."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.base.errors import CheckFailed, Stopped, Unavailable, UserError
from bench.check.golden import definition_sha256
from bench.farm import worker
from bench.farm.dispatch.shown import Silent
from bench.farm.engine.protocol import Returned
from bench.farm.log import read_log
from bench.farm.run import Asked, Project, run_farm
from bench.farm.site import Site, parse_site
from bench.pipeline.shoot import RenderJob
from bench.shot.load import load_shot
from tests.bench.farm.dispatch.fake_farm import Told
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

FRAMES = (1, 2, 3, 4)


class AtOnce:
    """An engine of one worker, which is this process."""

    def __init__(self, before: Callable[[Mapping[str, Any]], None] = lambda order: None) -> None:
        self.orders: list[Mapping[str, Any]] = []
        self.closed = False
        self._before, self._back = before, list[Returned]()
        self._now_s = time.time()

    def now(self) -> float:
        return self._now_s

    def workers(self) -> Mapping[str, int]:
        return {"here": 1}

    def submit(self, pool: str, order: Mapping[str, Any]) -> int:
        self.orders.append(order)
        self._before(order)
        self._back.append(Returned(len(self.orders), worker.perform(order)))
        return len(self.orders)

    def wait(self, most_s: float) -> list[Returned]:
        self._now_s += most_s
        found, self._back = self._back, []
        return found

    def queue(self) -> str:
        return ""

    def problem(self) -> str | None:
        return None

    def renew(self, pool: str, sound: Collection[str]) -> None: ...

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def site() -> Site:
    return parse_site('[[pool]]\nname = "here"\nprovider = "local"\ncores_per_node = 1\n', "mine.toml", "mine")


@pytest.fixture
def asked(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    monkeypatch.setattr(worker, "_kept", worker._Kept())
    shot = load_shot(write_tiny_shot(tmp_path))

    def of(**more: Any) -> Asked:
        job = RenderJob(shot, "S", more.pop("frames", FRAMES), None)
        words: dict[str, Any] = {"golden": lambda frame: None, "kinds": ("png",), "command": ["shotmark"]}
        return Asked(job, job.header(definition_sha256(shot)), folder=tmp_path / "out", site=site, **words | more)

    return of


def nothing_known(*about: object) -> dict[str, object]:
    return {"makespan_s": {"p50": 12.0}, "task_p90_s": {"render": 5.0, "simulate": 20.0}}


def run(asked: Asked, engine: AtOnce, shown: Any = None, project: Project = nothing_known) -> int:
    try:
        return run_farm(asked, shown or Silent(), project, lambda site, folder, longest_s: engine)
    finally:
        assert engine.closed or not engine.orders


def events(asked: Asked, name: str) -> list[dict[str, Any]]:
    return [one for one in read_log(asked.folder / "farm" / "log.jsonl") if one["event"] == name]


def finished(asked: Asked) -> set[str]:
    return set(json.loads((asked.folder / "manifest.json").read_text(encoding="utf-8"))["frames"])


def test_a_run_ends_with_the_manifest_and_makes_nothing_again(asked: Callable[..., Asked]) -> None:
    one, told = asked(), Told()
    assert run(one, AtOnce(), told) == 4 and finished(one) == {"1", "2", "3", "4"}
    assert told.all[0].left_s is not None, "the projection is known before anything is measured"
    assert json.loads((one.folder / "farm" / "projection.json").read_text(encoding="utf-8")) == nothing_known()
    engine = AtOnce()
    assert run(asked(), engine) == 0 and not engine.orders
    (one.folder / "pool.0002.png").write_bytes(b"edited")
    assert run(asked(), AtOnce()) == 1
    assert [one["outcome"] for one in events(one, "end")] == ["done"] * 3


def test_more_formats_and_frames_go_on_from_what_is_there(asked: Callable[..., Asked]) -> None:
    run(asked(frames=(2,)), AtOnce())
    assert run(asked(frames=(1, 2)), AtOnce()) == 1 and finished(asked()) == {"1", "2"}
    assert run(asked(frames=(1, 2), kinds=("png", "exr")), AtOnce()) == 2


def test_a_run_goes_on_without_a_projection(asked: Callable[..., Asked]) -> None:
    def cannot(*about: object) -> dict[str, object]:
        raise UserError("no record")

    told = Told()
    assert run(asked(), AtOnce(), told, cannot) == 4
    assert told.lines == ["nothing is known of how long it will take: no record"]
    assert not (asked().folder / "farm" / "projection.json").exists()


def test_a_state_that_is_cut_short_is_made_again(asked: Callable[..., Asked]) -> None:
    one, cut = asked(), list[Path]()

    def before(order: Mapping[str, Any]) -> None:
        path = one.folder / "fluid" / "000003.npz"
        if order["task"]["frame"] == 3 and not cut:
            os.truncate(path, path.stat().st_size // 2)
            cut.append(path)

    told, engine = Told(), AtOnce(before)
    assert run(one, engine, told) == 4 and cut
    tasks = [order["task"] for order in engine.orders]
    assert [task["frames"] for task in tasks if task["kind"] == "simulate"] == [[1, 2, 3, 4], [3]]
    assert len(told.lines) == 1 and "simulated again" in told.lines[0]
    rendered = [piece["frame"] for task in events(one, "task") for piece in task["made"] if piece["kind"] == "render"]
    assert sorted(rendered) == [1, 2, 3, 4]


def test_a_frame_that_cannot_be_made_is_named_and_the_others_are_kept(
    asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = worker._do

    def do(maker: Any, order: Mapping[str, Any]) -> list[dict[str, object]]:
        if order["task"]["frame"] == 2:
            raise ValueError("no")
        return real(maker, order)

    monkeypatch.setattr(worker, "_do", do)
    with pytest.raises(Unavailable) as caught:
        run(asked(), AtOnce())
    line = str(caught.value)
    assert line.startswith("1 of 4 frames were not made: frame 2: render 2 on ") and "ValueError: no" in line
    assert line.endswith("keeps what was finished: the same command goes on") and "\n" not in line
    assert finished(asked()) == {"1", "3", "4"} and events(asked(), "end")[-1]["frames"] == 3
    monkeypatch.setattr(worker, "_do", real)
    assert run(asked(), AtOnce()) == 1


def test_a_full_disk_ends_the_run_and_all_is_kept(asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    real = worker._do

    def do(maker: Any, order: Mapping[str, Any]) -> list[dict[str, object]]:
        if order["task"]["frame"] == 3:
            raise OSError(errno.ENOSPC, "No space left on device", "x/pool.0003.png")
        return real(maker, order)

    monkeypatch.setattr(worker, "_do", do)
    engine = AtOnce()
    with pytest.raises(OSError, match="No space left") as caught:
        run(asked(), engine)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == "x/pool.0003.png"
    assert events(asked(), "end")[-1]["outcome"] == "failed"
    monkeypatch.setattr(worker, "_do", real)
    again = AtOnce()
    assert run(asked(), again) == 2 and not [one for one in again.orders if one["task"]["kind"] == "simulate"]


def test_a_wrong_hash_ends_the_run_at_once(asked: Callable[..., Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    import bench.check.golden as golden

    wrong = {"state": "0" * 64, "picture": "0" * 64}
    monkeypatch.setattr(golden, "golden_of", lambda *about: lambda frame: wrong if frame == 2 else None)
    engine = AtOnce()
    with pytest.raises(CheckFailed, match="frame 2"):
        run(asked(), engine)
    assert len(engine.orders) == 1, "nobody tries again"


def test_two_runs_in_one_folder_are_told_apart(asked: Callable[..., Asked]) -> None:
    def before(order: Mapping[str, Any]) -> None:
        with pytest.raises(Unavailable, match="another farm run works in this folder"):
            run(asked(), AtOnce())

    assert run(asked(), AtOnce(before)) == 4


def test_a_folder_of_another_shot_is_refused(asked: Callable[..., Asked]) -> None:
    run(asked(frames=(1,)), AtOnce())
    other = asked()
    other.header["definition"] = "0" * 64  # type: ignore[index]
    with pytest.raises(UserError, match="it holds frames of another render"):
        run(other, AtOnce())


def test_a_signal_ends_the_run_in_order(asked: Callable[..., Asked]) -> None:
    def before(order: Mapping[str, Any]) -> None:
        if order["task"]["kind"] == "render":
            os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    engine = AtOnce(before)
    with pytest.raises(Stopped) as caught:
        run(asked(), engine)
    assert Stopped.exit_code_of(caught.value) == 143 and "keeps what was finished" in caught.value.__notes__[0]
    assert [one["task"]["kind"] for one in engine.orders] == ["simulate", "render"]
    assert events(asked(), "end")[-1]["outcome"] == "stopped" and signal.getsignal(signal.SIGTERM) is handler
    assert run(asked(), AtOnce()) in (3, 4)


def test_a_second_signal_does_not_wait_for_anything() -> None:
    text = (
        "import os, signal, time\nfrom bench.farm.stop import Stop\n"
        "with Stop() as stop:\n os.kill(os.getpid(), signal.SIGINT)\n assert stop()\n"
        " os.kill(os.getpid(), signal.SIGINT)\n time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", text], env=environment, cwd=ROOT, timeout=30, capture_output=True, text=True
    )
    assert ended.returncode == 130 and ended.stderr.startswith("shotmark: stopped at once")
