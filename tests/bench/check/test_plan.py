"""What certify says it would do and when, held against what it does: one order, one budget, figures of every part."""

from __future__ import annotations

import itertools
import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.check.certify.figures import FIGURES, as_toml, load_figures, with_records
from bench.check.certify.order import steps
from bench.check.certify.plan import DONE, NONE, SOME, Piece, Planned, Planner
from bench.check.certify.session import HOT, Limits
from bench.cli.main import main
from bench.record.read import list_records
from bench.shot.load import shot_names
from tests.support.source_tree import ROOT

HOST, GPU = load_figures()


def planned(budget_s: float = 300.0, cores: int = 16, on_gpu: bool = True, **options: Any) -> dict[str, Planned]:
    planner = Planner(replace(Limits(), **options), HOST, GPU if on_gpu else None, cores)
    return {one.part: one for one in planner.plan(budget_s)}


@pytest.mark.parametrize("on_gpu", [True, False])
@pytest.mark.parametrize("budget_s", [20.0, 300.0, 3600.0])
def test_it_is_the_order_of_the_parts_that_are_done(on_gpu: bool, budget_s: float) -> None:
    found = planned(budget_s, on_gpu=on_gpu)
    assert list(found) == [step.name for step in steps(Limits(), on_gpu)]
    rows = list(found.values())
    for before, after in itertools.pairwise(rows):
        assert after.begins_s == pytest.approx(before.begins_s + before.takes_s)
    assert rows[-1].begins_s + rows[-1].takes_s <= max(budget_s, GPU.start_s)


def test_five_minutes_on_an_h200_reach_size_l_and_what_comes_after() -> None:
    found = planned(300.0, cores=16)
    whole = ("compile", "roofs", "water", "twins", "shots S", "shots M", "shots L", "kernels", "other twins", "energy")
    assert {found[name].verdict for name in (*whole, "checks", "sanitizer memcheck")} == {DONE}
    assert found["shots L"].begins_s + found["shots L"].takes_s < 150.0
    assert found["shots XL"].verdict == SOME  # one film-sized shot


def test_a_smaller_host_waits_longer_for_numba_and_still_reaches_l() -> None:
    few, many = planned(cores=2), planned(cores=16)
    assert few["shots S"].takes_s > many["shots S"].takes_s
    assert few["shots L"].verdict == DONE and few["shots L"].takes_s > many["shots L"].takes_s


def test_a_cpu_does_what_a_cpu_can() -> None:
    found = planned(300.0, cores=2, on_gpu=False)
    assert {found[name].verdict for name in ("compile", "twins", "shots S", "kernels", "other twins")} == {DONE}
    assert found["shots L"].verdict == NONE and "no time for lava" in found["shots L"].line
    assert found["energy"].line == found["sanitizer memcheck"].line == "only on a GPU"


def test_what_has_no_time_for_all_its_rounds_has_fewer() -> None:
    piece = Piece("wave", least_s=10.0, round_s=2.0, rounds=5)
    assert piece.fitted_s(11.9) is None and piece.fitted_s(12.0) == 12.0
    assert piece.fitted_s(16.0) == 14.0 and piece.fitted_s(100.0) == 20.0
    assert Piece("roofs", 3.0).fitted_s(3.0) == 3.0


def test_the_figures_name_every_kernel_and_shot_and_none_is_nothing() -> None:
    assert set(HOST.gpu_examples_s) == set(HOT) and set(HOST.frame_core_s) == set(shot_names())
    assert set(GPU.paths_per_s) == set(GPU.particle_sound_steps_per_s) == set(shot_names())
    for figures in (HOST, GPU):
        for value in vars(figures).values():
            numbers = value.values() if isinstance(value, dict) else [] if isinstance(value, str) else [value]
            assert all(number > 0 for number in numbers)
    assert 0.0 < HOST.numba_longest_s <= HOST.numba_hot_core_s <= HOST.numba_core_s
    written = tomllib.loads(as_toml(HOST))["host"]
    assert written == tomllib.loads(FIGURES.read_text())["host"]


def test_records_of_this_machine_say_what_a_frame_takes_here() -> None:
    records = [record for record in list_records(ROOT / "results")[0] if record.machine_id == HOST.machine]
    found = with_records(HOST, records)
    row = next(row for row in records[-1].rows if (row.shot, row.stage, row.size) == ("wave", "frame", "S"))
    middle = sorted(row.samples_s)[len(row.samples_s) // 2]
    assert row.threads and found.frame_core_s["wave"] == pytest.approx(row.threads * middle, rel=0.1)
    assert with_records(HOST, []) == HOST


def test_the_command_only_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    asked = ["certify", "--plan", "--budget", "5m", "--cores", "16", "--results", str(tmp_path / "none")]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    assert "one H200, 16 host cores" in done.stdout and "not yet run on a GPU" in done.stdout.replace("\n", " ")
    assert not (tmp_path / "none").exists()
    document = json.loads(CliRunner().invoke(main, [*asked, "--json"]).stdout)
    assert document["planned"] and [part["part"] for part in document["parts"]][:2] == ["compile", "roofs"]
    done = CliRunner().invoke(main, [*asked, "--backend", "numba"])
    assert done.stdout.startswith("certify on 16 CPU cores")


def test_cores_are_of_a_plan(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["certify", "--cores", "4", "--results", str(tmp_path)])
    assert done.exit_code == 2 and "--cores: expected with --plan" in done.output and not list(tmp_path.iterdir())
