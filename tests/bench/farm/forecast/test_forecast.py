"""What is foretold of a farm run: what it stands on, what moves it, and what it can do without."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.farm.forecast import Here, Known, SiteFacts, facts_of, of_site, project, project_on, site_facts
from bench.pipeline.shoot import RenderJob
from bench.project.backtest.farm_runs import Faults, keep_run
from bench.project.inputs.assumptions import farm_assumptions
from bench.project.inputs.cluster import ASSUMED
from bench.project.inputs.site_check import SiteCheck
from bench.record.schema import Record
from bench.shot.load import load_shot
from tests.bench.project.farm.made_up_site import site_check
from tests.bench.project.farm.test_farm_runs import farm_run
from tests.support.project_record import make_record
from tests.support.tiny_shot import write_tiny_shot

RECORD = make_record()  # wave at S on two threads: 1 s of simulation, 0.1 + 4 s of picture, 0.06 s of encoding
FRAME_S = 1.0 + 0.1 + 4.0 + 0.06


def job(frames: int = 30, shot: str = "wave", samples: int | None = None) -> RenderJob:
    return RenderJob(load_shot(shot), "S", range(1, frames + 1), samples)


def facts(
    nodes: int = 1, workers: int = 1, threads: int = 2, cores: int = 2, check: SiteCheck | None = None
) -> SiteFacts:
    return site_facts("three", "local", nodes=nodes, workers=workers, threads=threads, cores=cores, check=check)


def foretold(
    site: SiteFacts, check: SiteCheck | None = None, records: tuple[Record, ...] = (RECORD,), **more: Any
) -> Any:
    of = more.pop("of", None) or job()
    return project(of, site, check, records, Known(**more), draws=40, now=lambda: 1790000000.0)


def middle(found: Any, name: str = "makespan_s") -> float:
    return float(found[name]["p50"])


def test_one_worker_takes_what_the_record_says_and_its_start() -> None:
    found = foretold(facts())
    assert middle(found) == pytest.approx(30 * FRAME_S + 8.0, rel=0.12)
    assert middle(found, "render_s") == pytest.approx(30 * 4.1, rel=0.1)
    assert found["stands_on"] == ["here/0001.json"]
    assert {"start", "poll", "unforeseen"} <= set(found["assumed"]) and "core_trace" not in found["assumed"]


def test_the_same_is_foretold_again_and_it_is_json() -> None:
    first, again = foretold(facts()), foretold(facts())
    assert json.loads(json.dumps(first, allow_nan=False)) == again
    assert first["kind"] == "projected" and first["schema"] == 1 and first["at_s"] == 1790000000.0
    assert (first["shot"], first["size"], first["frames"], first["workers"]) == ("wave", "S", list(range(1, 31)), 1)
    for name in ("makespan_s", "chain_s", "start_s", "render_s", "write_s", "dispatch_s", "utilisation"):
        assert first[name]["p10"] <= first[name]["p50"] <= first[name]["p90"]


def test_workers_of_one_machine_share_its_cores() -> None:
    emulated = site_check(nodes=3, workers=2, cores=2, machines=1)
    apart = site_check(nodes=3, workers=2, cores=2, machines=3)
    shared = foretold(facts(3, 2, threads=1, check=emulated), emulated)
    own = foretold(facts(3, 2, threads=1, check=apart), apart)
    assert (shared["cores"], own["cores"]) == (2, 6)
    assert middle(shared) > 45.0 > 1.1 * middle(own, "chain_s")  # 90 s of work on two cores; on six the chain of 30 s


def test_more_workers_than_cores_are_no_faster() -> None:
    few = foretold(facts(1, 2, threads=1))
    many = foretold(facts(1, 8, threads=1))
    assert middle(many) > 0.9 * middle(few)
    assert foretold(facts(8, 1, threads=2))["cores"] == 16


def test_a_check_sets_the_level() -> None:
    check = site_check()  # 1 s of simulation and 2 s of picture, where the record has 1 and 4.1 on two threads
    site = facts(threads=1, check=check)
    found = foretold(site, check)
    assert middle(found, "render_s") == pytest.approx(30 * 2.0, rel=0.1)
    assert middle(found, "chain_s") == pytest.approx(30 * 1.0, rel=0.4)
    assert any("farm check of 2026-11-30" in line for line in found["stands_on"])
    assert {"start", "queue_local", "dispatch", "crowding", "sync"}.isdisjoint(found["assumed"])


def test_a_check_does_without_a_record() -> None:
    check = site_check()
    found = foretold(facts(threads=1, check=check), check, ())
    assert middle(found, "render_s") == pytest.approx(30 * 2.0, rel=0.25)
    assert "core_trace" not in found["assumed"]


def test_without_a_record_and_a_check_it_is_assumed_and_says_so() -> None:
    found, known = foretold(facts(), records=()), foretold(facts())
    assert {"core_simulate", "core_surface", "core_trace", "core_pixel"} <= set(found["assumed"])
    assert found["stands_on"] == []
    width = [one["makespan_s"]["p90"] / one["makespan_s"]["p10"] for one in (found, known)]
    assert width[0] > 1.3 * width[1]


def test_a_shot_of_ones_own_stands_on_the_check(tmp_path: Path) -> None:
    mine = RenderJob(load_shot(write_tiny_shot(tmp_path)), "S", range(1, 5))
    check = site_check()
    found = foretold(facts(threads=1, check=check), check, of=mine)
    assert found["shot"] == "pool" and 0.0 < middle(found) < 60.0


def test_fewer_samples_take_less_and_states_that_are_there_nothing() -> None:
    whole = foretold(facts())
    samples = load_shot("wave").size("S").samples
    assert middle(foretold(facts(), of=job(samples=samples // 2)), "render_s") < 0.6 * middle(whole, "render_s")
    late = RenderJob(load_shot("wave"), "S", range(20, 31))
    on = foretold(facts(), of=late, simulated_to=19)
    assert middle(on, "chain_s") < 0.5 * middle(foretold(facts(), of=late), "chain_s")
    assert [task["frame"] for task in on["tasks"]] == list(range(20, 31))
    rest = foretold(facts(), of=late, simulated_to=25)  # six of eleven pictures have their states
    assert [task["frame"] for task in rest["tasks"]] == list(range(20, 31))
    assert middle(rest, "render_s") == pytest.approx(middle(on, "render_s"), rel=0.1)
    assert 0.0 < middle(rest, "chain_s") < middle(on, "chain_s")
    none = foretold(facts(), of=late, simulated_to=30)
    assert middle(none, "chain_s") == 0.0 and middle(none) > 0.6 * middle(on)


def test_limits_hold_while_all_are_busy() -> None:
    found = foretold(facts(1, 6, threads=1))
    limit = found["task_p90_s"]
    slowest = max(t["load_s"] + t["surface_s"] + t["trace_s"] + t["write_s"] for t in found["tasks"])
    assert limit["render"] > slowest and limit["simulate"] > found["chain_s"]["p50"]
    pixels = 320 * 134 * 16
    assert limit["part_fixed"] + pixels * limit["part_per_sample"] == pytest.approx(limit["render"], rel=0.3)


def test_pieces_are_put_together() -> None:
    one = RenderJob(load_shot("wave"), "S", [1])
    whole, cut = (foretold(facts(6, 1, threads=1), of=one, pieces=pieces) for pieces in (1, 6))
    assert middle(cut) < middle(whole) and middle(cut, "render_s") == pytest.approx(middle(whole, "render_s"), rel=0.3)


def test_the_simpler_estimates_stand_beside_it() -> None:
    found = foretold(facts(2, 1, threads=2))
    assert found["linear_s"] == pytest.approx(30 * FRAME_S / 2, rel=0.1)
    assert found["farm_formula_s"] == pytest.approx(30 * 4.16 / 2, rel=0.1)


def test_every_assumption_has_a_source_and_its_order() -> None:
    for name, one in farm_assumptions().items():
        assert ASSUMED.search(one.source), name
        assert min(one.fast, one.slow) <= one.likely <= max(one.fast, one.slow), name


@dataclass(frozen=True)
class Pool:
    """As a site file says it."""

    name: str = "cpus"
    provider: str = "slurm"
    nodes: int = 3
    gpus: int = 0
    workers: int = 2
    cores: int = 2
    threads: int = 1
    backend: str = "auto"


@dataclass(frozen=True)
class MadeUpSite:
    """A loaded one."""

    name: str
    pools: tuple[Pool, ...]


def test_a_site_of_two_pools() -> None:
    site = MadeUpSite("two", (Pool(), Pool("gpus", nodes=1, gpus=4, workers=4, cores=32, threads=8)))
    found = facts_of(site, None)
    assert [(node.node, node.backend) for node in found.nodes] == [
        ("cpus node 1", "numba"), ("cpus node 2", "numba"), ("cpus node 3", "numba"), ("gpus node 1", "cupy"),
    ]  # fmt: skip
    assert found.worker_count == 10 and found.cores == 3 * 2 + 32 and found.provider == "slurm"
    checked = facts_of(MadeUpSite("three", (Pool(),)), site_check(nodes=3, workers=2, cores=2))
    assert [node.machine for node in checked.nodes] == ["boot-0"] * 3 and checked.cores == 2


def test_auto_takes_the_cpu_where_a_check_has_found_no_gpu_that_works() -> None:
    pool = Pool(gpus=2)
    assert {node.backend for node in facts_of(MadeUpSite("three", (pool,)), None).nodes} == {"cupy"}
    checked = site_check(nodes=3, workers=2, cores=2)
    assert {node.backend for node in facts_of(MadeUpSite("three", (pool,)), checked).nodes} == {"numba"}


def test_gpus_do_not_share_cores() -> None:
    site = facts_of(MadeUpSite("gpus", (Pool(nodes=1, gpus=4, workers=4, cores=4),)), None)
    assert middle(foretold(site)) < 60.0  # by assumption: no record has a GPU


def test_what_farm_run_calls_takes_the_committed_records() -> None:
    """Of a site on which no run was kept."""
    found: Any = project_on(job(), MadeUpSite("nowhere", (Pool(),)), None, pieces=2)
    assert found["site"] == "nowhere" and found["pieces"] == 2 and len(found["stands_on"]) == 1
    assert not found["stands_on"][0].startswith("/") and "poll" not in found["assumed"]


def test_threads_of_others_and_a_cold_cache_make_it_longer() -> None:
    quiet, busy = foretold(facts()), foretold(facts(), here=Here(threads_of_others=4.0))
    assert middle(busy) > 1.3 * middle(quiet) and "others" in busy["assumed"] and "others" not in quiet["assumed"]
    cold = foretold(facts(), here=Here(compiles=True))
    assert middle(cold) > middle(quiet) + 40.0 and cold["compiles"] and "compile" in cold["assumed"]
    away = site_facts("far", "slurm", nodes=1, workers=1, threads=2, cores=2)
    near = foretold(away, here=Here("boot-9", 4.0))
    assert middle(near) == middle(foretold(away))  # others on this machine are none on that node


def test_what_runs_here_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = tmp_path / "loadavg"
    load.write_text("0.50 0.40 0.30 5/200 1234\n")
    monkeypatch.setattr(of_site, "LOAD", load)
    assert of_site.threads_of_others(2, 0.0) == 4.0
    for text in ("", "a b c d", "0 0 0 x/2 1", "1 2"):
        load.write_text(text)
        assert of_site.threads_of_others(2, 0.0) == 0.0
    monkeypatch.setattr(of_site, "LOAD", tmp_path / "none")
    monkeypatch.setattr(of_site, "BOOT_ID", tmp_path / "none")
    assert of_site.threads_of_others(2, 0.0) == 0.0 and of_site.boot_id() is None


def test_losses_that_are_known_of_make_it_longer() -> None:
    calm, rough = foretold(facts(1, 2, threads=1)), foretold(facts(1, 2, threads=1), losses_per_hour=120.0)
    assert middle(rough) > 1.1 * middle(calm) and "notice" in rough["assumed"] and "notice" not in calm["assumed"]


def test_of_what_a_check_saw_beyond_sharing_a_share_is_the_machine_s() -> None:
    quiet, crowded = site_check(workers=2, slowing=1.0), site_check(workers=2, slowing=1.6)
    found = [foretold(facts(1, 2, threads=1, check=one), one)["render_s"] for one in (quiet, crowded)]
    ratio = {name: found[1][name] / found[0][name] for name in ("p10", "p50", "p90")}
    assert 1.1 < ratio["p10"] < ratio["p50"] < ratio["p90"] < 1.65


def test_a_fresh_check_is_surer_than_an_old_one() -> None:
    check = site_check()
    moment = datetime.fromisoformat(check.checked).timestamp()
    spans = []
    for at_s in (moment, moment + 40 * 3600.0):
        site = facts(threads=1, check=check)
        found: Any = project(job(), site, check, (RECORD,), now=partial(float, at_s), draws=120)
        spans.append(found["chain_s"]["p90"] / found["chain_s"]["p10"])
    assert spans[0] < spans[1]


def test_earlier_runs_of_the_site_are_learned_from(tmp_path: Path) -> None:
    plain = foretold(facts())
    assert middle(foretold(facts(), lessons=(1.3, 1.2))) == middle(plain)  # two say too little
    slower = foretold(facts(), lessons=(1.3, 1.25, 1.2, 1.28, 1.22, 1.3, 1.25, 1.27))
    assert slower["learned"] == pytest.approx(1.2, abs=0.03)
    assert middle(slower) / middle(plain) == pytest.approx(1.2 / plain["learned"], rel=0.05)
    assert "unforeseen" not in slower["assumed"] and "8 earlier runs on three" in slower["stands_on"]
    for minute, (took_s, faults) in enumerate([(120.0, 0), (110.0, 0), (500.0, 3)]):
        keep_run(farm_run(100.0, took_s, minute, learned=1.1, faults=Faults(lost=faults)), tmp_path)
    keep_run(farm_run(100.0, 300.0, 9, site="other"), tmp_path)
    (tmp_path / "farm" / "run_0.json").write_text("{")  # no run stops for it
    assert of_site.lessons_of("three", tmp_path) == pytest.approx((1.32, 1.21))  # over the model alone, faults left out
