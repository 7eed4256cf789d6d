"""What a site is found to have: by real workers of this machine, and what is told of those that differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.base.errors import Unavailable
from bench.farm.check.probe import verdict
from bench.farm.check.signs import Signs
from bench.farm.check.survey import _turns
from bench.project.inputs.site_check import load_check
from tests.bench.farm.test_run import TWO, done, shotmark
from tests.support.tiny_shot import write_tiny_shot

A, B = {"state": "a", "picture": "b"}, {"state": "a", "picture": "c"}


def test_hashes_are_held_against_the_golden_ones_else_against_each_other() -> None:
    assert verdict(A, A, B) == "golden" and verdict(A, None, A) == "golden"
    assert verdict(B, A, B) == "differ: picture of frame 1, not the golden one"
    assert verdict(B, None, A) == "differ: picture of frame 1, not another worker's"
    assert verdict({}, A, A) == "differ: state and picture of frame 1, not the golden one"


def test_one_worker_of_each_machine_is_alone_at_a_time() -> None:
    machines = {"a~0": "m1", "a~1": "m1", "b~0": "m2", "c~0": "m1"}
    turns = _turns(machines)
    assert sorted(name for turn in turns for name in turn) == sorted(machines)
    assert all(len({machines[name] for name in turn}) == len(turn) for turn in turns) and len(turns) == 3


def test_signs_come_whole_and_are_waited_for(tmp_path: Path) -> None:
    signs = Signs(tmp_path)
    assert signs.read("go") is None
    with pytest.raises(Unavailable, match="go did not come within 0 s"):
        signs.wait("go", 0.0)
    with pytest.raises(Unavailable):
        Signs(tmp_path, lambda: True).wait("go", 1e9)
    signs.give("go", {"a": 1})
    assert signs.wait("go", 0.0) == {"a": 1}
    (tmp_path / "half.json").write_text("{", encoding="utf-8")
    assert signs.read("half") is None


@pytest.mark.slow
def test_every_worker_of_a_site_is_asked(tmp_path: Path) -> None:
    pytest.importorskip("parsl", reason="the farm's engine is Parsl, of the extra farm")
    site, shot = tmp_path / "two.toml", write_tiny_shot(tmp_path)
    site.write_text(TWO, encoding="utf-8")
    words = ["--site", site, "--shot", shot, "--results", tmp_path / "results", "--out", tmp_path / "out"]
    told, said = done(shotmark("farm", "check", *words))
    check = load_check(tmp_path / "results" / "sites" / "two.json")
    assert (check.site, check.provider, check.worker_count, len(check.nodes)) == ("two", "local", 2, 1)
    assert [one.worker for one in check.nodes[0].workers] == ["0", "1"]
    for one in check.nodes[0].workers:
        assert (one.backend, one.threads, one.hashes) == ("numba", 1, "golden") and one.device.endswith("1 thread")
        assert one.alone is not None and one.together is not None and one.alone.shot == "pool"
    assert check.queue_s[0] > 0.0 and min(check.dispatch_s) > 0.0 and len(check.latency_s) > 5
    assert "2 of 2 workers are there" in said and "frame alone" in told and "seen after" in told
    assert not (tmp_path / "out" / "farm" / "signs").exists()
    assert json.loads((tmp_path / "results" / "sites" / "two.json").read_text(encoding="utf-8"))["schema"] == 1


@pytest.mark.slow
def test_a_check_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    site = tmp_path / "bad.toml"
    site.write_text('[[pool]]\nname = "p"\nprovider = "local"\nnodes = 2\n', encoding="utf-8")
    for words, says in ((["--site", site], "this machine is one node"), (["--size", "Q"], "--size")):
        _, said = done(shotmark("farm", "check", *words), 2)
        assert says in said and len(said.splitlines()) == 1
