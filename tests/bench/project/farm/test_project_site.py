"""``shotmark project --site``: overheads as farm check measured them, or a line that says how to measure them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench.base.errors import EXIT_BAD_INPUT, UserError
from bench.base.files import dump
from bench.cli.main import main
from bench.project.inputs.cluster import DATED, Range, load_cluster
from bench.project.inputs.measured_cluster import check_of, with_check
from bench.project.inputs.site_check import check_path
from bench.project.model.costs import scene_seconds
from tests.bench.project.farm.made_up_site import site_check
from tests.support.project_record import SECONDS, make_record, make_row

KEYS = ("dispatch_s", "startup_s", "storage_bandwidth_bytes_per_s", "storage_client_bandwidth_bytes_per_s")


def test_measured_numbers_take_the_place_of_the_file_s() -> None:
    before, check = load_cluster("h200-1000"), site_check(nodes=3, workers=2)
    made = with_check(before, check)
    assert made.dispatch_s == Range(0.001, 0.0011, 0.0012)
    assert made.startup_s == Range(pytest.approx(2.3), pytest.approx(2.3), pytest.approx(2.3))
    assert made.storage_client_bandwidth_bytes_per_s == Range(4e8, 4e8, 4e8)
    assert made.storage_bandwidth_bytes_per_s == Range(4e8, 6e8, 12e8)
    for key in KEYS:
        assert made.sources[key].startswith("measured by farm check on 2026-11-30, site three") and DATED.search(
            made.sources[key]
        )
    for entry in made.entries():
        if entry.name not in KEYS:
            assert entry.value == getattr(before, entry.name) and entry.source == before.sources[entry.name]


def test_a_scene_that_the_record_timed_is_start_up() -> None:
    rows = [*(make_row(stage) for stage in SECONDS), dataclasses.replace(make_row("encode"), stage="frame")]
    rows[-1] = dataclasses.replace(rows[-1], before_s={"scene": 2.0, "upload": 0.5, "first_touch": None})
    record = make_record(*rows)
    assert scene_seconds(record, "S") == pytest.approx(2.5) and scene_seconds(make_record(), "S") is None
    larger = scene_seconds(record, "M")
    assert larger is not None and 15.0 < larger < 40.0  # ten times the particles
    made = with_check(load_cluster("workstation"), site_check(), larger)
    assert (
        made.startup_s.likely == pytest.approx(2.3 + larger)
        and "for the scene by the record" in made.sources["startup_s"]
    )


def test_which_check_is_meant(tmp_path: Path) -> None:
    path, told = check_path(tmp_path, "three"), list[str]()
    path.parent.mkdir()
    path.write_bytes(dump(site_check().document()))
    site_file = tmp_path / "three.toml"
    site_file.write_text("")
    for site in ("three", str(site_file), str(path)):
        found = check_of(site, tmp_path, told.append)
        assert found is not None and found.site == "three"
    assert not told
    assert check_of("four", tmp_path, told.append) is None
    assert told == [
        "four was not checked: the cluster's own numbers stand;"
        " shotmark farm check --site four measures dispatch, start-up and storage"
    ]
    for site in (str(tmp_path / "none.toml"), str(tmp_path / "none.json"), "a/b"):
        with pytest.raises(UserError, match=r"none|a/b"):
            check_of(site, tmp_path, told.append)
    path.write_text("{}")
    with pytest.raises(UserError, match=r"three\.json: schema: expected 1"):
        check_of("three", tmp_path, told.append)


def projected(*words: str) -> Result:
    return CliRunner().invoke(main, ["project", "0004", "--shot", "wave", "--size", "S", "--gpus", "4", *words])


def test_the_command_says_where_its_numbers_come_from(tmp_path: Path) -> None:
    path = tmp_path / "three.json"
    path.write_bytes(dump(site_check(nodes=3).document()))
    done = projected("--site", str(path), "--json")
    assert done.exit_code == 0, done.output
    lines: list[dict[str, Any]] = json.loads(done.stdout)["stands_on"]
    (dispatch,) = [line for line in lines if line["name"] == "cluster.dispatch_s"]
    assert dispatch["likely"] == 0.0011 and dispatch["source"].startswith("measured by farm check on 2026-11-30")


def test_without_a_check_a_line_says_how_to_make_one() -> None:
    done = projected("--site", "nowhere", "--json")
    assert done.exit_code == 0 and "shotmark farm check --site nowhere" in done.stderr
    wrong = projected("--site", "nowhere.toml")
    assert wrong.exit_code == EXIT_BAD_INPUT and "--site: expected a site, its .toml file" in wrong.stderr
