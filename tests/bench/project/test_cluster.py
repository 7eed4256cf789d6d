"""Cluster files: every number with its source, and how what cannot be used is refused."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.base.errors import UserError
from bench.project.inputs.cluster import (
    ASSUMED,
    CLUSTERS,
    DATED,
    Cluster,
    ClusterSample,
    Range,
    cluster_names,
    load_cluster,
    parse_cluster,
)
from tests.bench.shot.test_shot import file_text

NAMES = ("guian-1000", "h200-1000", "studio-64", "workstation")
INF, NAN = float("inf"), float("nan")


def tree() -> dict[str, Any]:
    return tomllib.loads((CLUSTERS / "h200-1000.toml").read_text(encoding="utf-8"))


def parse(made: dict[str, Any]) -> Cluster:
    return parse_cluster(file_text(made), "mine.toml", "mine")


def test_the_clusters_that_ship() -> None:
    assert set(NAMES) <= set(cluster_names())
    assert list(cluster_names()) == sorted(path.stem for path in CLUSTERS.glob("*.toml"))
    assert [load_cluster(name).gpu_count for name in NAMES] == [1000, 1000, 64, 1]
    assert load_cluster("guian-1000").node_count == 500 and load_cluster("h200-1000").node_count == 125


@pytest.mark.parametrize("name", cluster_names())
def test_every_number_has_a_source(name: str) -> None:
    cluster = load_cluster(name)
    entries = cluster.entries()
    assert {entry.name for entry in entries} == set(tomllib.loads((CLUSTERS / f"{name}.toml").read_text()))
    for entry in entries:
        assert DATED.search(entry.source) or ASSUMED.search(entry.source), entry.name
        assert entry.meaning and (entry.unit or not isinstance(entry.value, Range))
    assert any(entry.assumed for entry in entries) and not all(entry.assumed for entry in entries)


@pytest.mark.parametrize("name", cluster_names())
def test_a_sample_takes_likely_values_unless_told_otherwise(name: str) -> None:
    cluster = load_cluster(name)
    likely, low, high = (
        cluster.sample(at) for at in (None, dict.fromkeys(cluster.ranges, 0.0), dict.fromkeys(cluster.ranges, 1.0))
    )
    for key, value in cluster.ranges.items():
        assert (getattr(low, key), getattr(likely, key), getattr(high, key)) == (value.low, value.likely, value.high)
    assert likely.gpu_count == cluster.gpu_count and likely.cpu_slots >= cluster.node_count
    assert isinstance(likely, ClusterSample)


def test_another_number_of_gpus() -> None:
    cluster = load_cluster("h200-1000").with_gpus(10)
    assert cluster.gpu_count == 10 and cluster.node_count == 2 and "assumption" in cluster.sources["gpu_count"]
    for wrong in (0, -1, 10**12):
        with pytest.raises(UserError, match="expected a whole number from 1 to"):
            cluster.with_gpus(wrong)


@given(st.lists(st.floats(0.0, 1e9), min_size=3, max_size=3), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_range_rises_from_low_by_likely_to_high(values: list[float], u: float, v: float) -> None:
    made = Range(*sorted(values))
    assert (made.at(0.0), made.at(0.5), made.at(1.0)) == (made.low, made.likely, made.high)
    lower, upper = made.at(min(u, v)), made.at(max(u, v))
    slack = 1e-12 * made.high
    assert made.low - slack <= lower <= upper + slack <= made.high + 2 * slack


def test_a_users_own_file(tmp_path: Path) -> None:
    made = tree()
    made["gpu_count"] = {"value": 12, "source": "counted, 2026"}
    made["price_per_gpu_hour"] = {"value": 0, "source": "assumption: ours already"}
    path = tmp_path / "own.toml"
    path.write_text(file_text(made), encoding="utf-8")
    cluster = load_cluster(path)
    assert cluster.name == "own" and cluster.gpu_count == 12 and cluster.price_per_gpu_hour == Range(0.0, 0.0, 0.0)
    assert not cluster.price_per_gpu_hour.uncertain and cluster.startup_s.uncertain


def put(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        table, _, inner = key.partition(".")
        if inner:
            made[table][inner] = value
        else:
            made[table] = value

    return change


def drop(key: str) -> Callable[[dict[str, Any]], None]:
    def change(made: dict[str, Any]) -> None:
        table, _, inner = key.partition(".")
        if inner:
            del made[table][inner]
        else:
            del made[table]

    return change


WRONG: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (put("colour", 1), "colour", "one of gpu_kind"),
    (put("a\x1b[31m", 1), "a", "one of gpu_kind"),
    (put("pue.colour", 1), "pue.colour", "one of low, likely, high, source"),
    (put("gpu_count.low", 1), "gpu_count.low", "one of value, source"),
    (drop("pue"), "pue", "required"),
    (drop("gpu_kind.value"), "gpu_kind.value", "a line of at most 120 characters, got nothing"),
    (drop("pue.low"), "pue.low", "a number from 1 to 10"),
    (drop("pue.source"), "pue.source", "assumption"),
    (drop("gpu_count.value"), "gpu_count.value", "a whole number from 1 to 1000000"),
    (put("pue", 1.2), "pue", "a table with value, or low, likely and high"),
    (put("pue.value", 1.2), "pue.low", "one of value, source"),
    (put("price_per_gpu_hour.low", -1.0), "price_per_gpu_hour.low", "from 0 to"),
    (put("price_per_kwh", {"value": -0.01, "source": "2026"}), "price_per_kwh.value", "from 0 to"),
    (put("gpu_count.value", 0), "gpu_count.value", "from 1 to 1000000"),
    (put("gpu_count.value", -5), "gpu_count.value", "from 1 to 1000000"),
    (put("gpu_count.value", 10**12), "gpu_count.value", "from 1 to 1000000"),
    (put("gpu_count.value", 10**400), "gpu_count.value", "from 1 to 1000000"),
    (put("gpu_count.value", 1.5), "gpu_count.value", "a whole number"),
    (put("gpu_count.value", True), "gpu_count.value", "a whole number"),
    (put("gpu_speed", {"value": NAN, "source": "2026"}), "gpu_speed.value", "a number from"),
    (put("gpu_speed", {"value": INF, "source": "2026"}), "gpu_speed.value", "a number from"),
    (put("gpu_speed", {"value": 0.0, "source": "2026"}), "gpu_speed.value", "a number from"),
    (put("gpu_speed", {"value": "fast", "source": "2026"}), "gpu_speed.value", "a number from"),
    (put("storage_bandwidth_bytes_per_s.low", 0.0), "storage_bandwidth_bytes_per_s.low", "a number from"),
    (put("pue.low", 1.4), "pue", "low <= likely <= high"),
    (put("pue.source", ""), "pue.source", "with a year"),
    (put("pue.source", "my cousin"), "pue.source", "with a year"),
    (put("pue.source", "assumption " * 50), "pue.source", "at most 400"),
    (put("pue.source", "assumption\nand more"), "pue.source", "a line of"),
    (put("pue.source", 2026), "pue.source", "a line of"),
    (put("gpu_kind.value", "\x1b[2J"), "gpu_kind.value", "a line of"),
    (put("gpu_kind.value", ""), "gpu_kind.value", "a line of"),
    (put("outlier_share.high", 1.5), "outlier_share.high", "from 0 to 1"),
    (put("outlier_factor", {"value": 0.5, "source": "2026"}), "outlier_factor.value", "from 1 to"),
]


@pytest.mark.parametrize(("change", "key", "expected"), WRONG)
def test_one_line_names_file_key_and_what_was_expected(
    change: Callable[[dict[str, Any]], None], key: str, expected: str
) -> None:
    made = tree()
    change(made)
    with pytest.raises(UserError) as caught:
        parse(made)
    line = str(caught.value)
    assert line.startswith("mine.toml: ") and key in line and expected in line
    assert line.isprintable() and len(line) < 900


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "an empty file"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"gpu_count = ", "expected TOML"),
        (b"[" * 5000, "expected TOML"),
        (b"x = 1\nx = 2", "expected TOML"),
        (b"# " + b"a" * 2_000_000, "at most"),
    ],
)
def test_files_that_are_no_cluster(data: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(data)
    with pytest.raises(UserError, match=expected) as caught:
        load_cluster(path)
    assert str(caught.value).isprintable()


def test_names_that_are_no_cluster(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected one of guian-1000"):
        load_cluster("atlantis")
    with pytest.raises(UserError, match="no such file"):
        load_cluster(tmp_path / "none.toml")
    with pytest.raises(UserError, match="a folder"):
        load_cluster(f"{tmp_path}/")


def test_a_truncated_file_is_refused_wherever_it_ends() -> None:
    text = (CLUSTERS / "studio-64.toml").read_text(encoding="utf-8").rstrip()
    for end in random.Random(1).sample(range(len(text) - 60), 60):
        with pytest.raises(UserError):
            parse_cluster(text[:end], "cut.toml", "cut")
