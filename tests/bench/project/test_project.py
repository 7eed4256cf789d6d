"""The projection: labelled, ordered, with sources; it widens where it should, and never passes for a measurement."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from bench.base.errors import UserError
from bench.cli.main import main
from bench.project.inputs.assumptions import assumptions, claims, facts
from bench.project.inputs.cluster import cluster_names, load_cluster
from bench.project.inputs.defaults import CLUSTER
from bench.project.model.answers import lengths, parts_for
from bench.project.output.claims import VERDICTS_OF
from bench.project.output.document import as_csv, as_document
from bench.project.output.plot import terminal
from bench.project.output.projection import project, summary
from bench.project.output.result import Projection, Quantiles
from bench.project.output.table import explain, lines
from bench.record.read import parse_record
from bench.record.schema import Record
from tests.support.project_record import LAWS, SECONDS, ladder, make_record, make_row, series, with_samples
from tests.support.quick_projection import QUICK, quick

WITH_TORNADO = dataclasses.replace(QUICK, tornado=True)
TIMES = ("cpu_s", "one_gpu_s", "frame_a_gpu_s", "gpus_s", "chain_s")
FILM_FIGURES = (
    "once_s", "with_passes_s", "passes", "utilisation", "gpu_hours", "gpu_hours_with_passes", "busy_gpu_hours",
    "energy_kwh", "price", "price_with_passes", "energy_price", "storage_bytes", "link_bytes", "upload_s",
    "shots_per_day", "gpu_hours_a_shot",
)  # fmt: skip


@pytest.fixture(scope="module")
def made() -> Projection:
    return quick(sweep=[1, 10, 100])


def width(found: Quantiles) -> float:
    assert found.p10 is not None
    return math.inf if found.p90 is None else found.p90 / found.p10


# --- the document -----------------------------------------------------------------------------------------


def test_document_is_labelled_and_ordered(made: Projection) -> None:
    document = as_document(made)
    assert document["kind"] == "projected" and made.record.path.endswith("0001.json")
    (shot,) = made.shots
    for key in TIMES:
        times = shot.times[key]
        assert 0.0 < times.p10 <= times.p50 <= times.p90
        assert times.measured_p10 <= times.measured_p90
    assert shot.chain_s.p50 <= shot.gpus_s.p50 <= shot.one_gpu_s.p50 <= shot.cpu_s.p50
    assert shot.size == "XL" and shot.gpu_basis == "assumption"
    assert max(shot.bounds_s.values()) <= shot.gpus_s.p90
    json.dumps(document, allow_nan=False)


def keys_of(value: Any, at: str = "") -> dict[str, str]:
    """The keys of every object in a document, in order; of a list, those of its first entry."""
    if isinstance(value, list | tuple):
        return keys_of(value[0], at) if value else {}
    if not isinstance(value, dict):
        return {}
    found = {at: " ".join(value)}
    for key, inner in value.items():
        found |= keys_of(inner, f"{at}.{key}".lstrip("."))
    return found


def test_the_document_keeps_its_keys() -> None:
    found = keys_of(json.loads(json.dumps(as_document(quick(sweep=[10], effort=WITH_TORNADO)))))
    times = "p10 p50 p90 measured_p10 measured_p90"
    of_shot = {f"shots.{name}": times for name in TIMES}
    of_stage = {f"shots.frame.{stage}": "cpu_s gpu_s" for stage in SECONDS}
    of_film = {f"film.{name}": "p10 p50 p90" for name in FILM_FIGURES}
    assert found == {
        "": "kind record cluster gpus frames shot_length_s threads my_frame_hours simulate_gpus worlds shots film sweep"
        " tornado flags stands_on claims",
        "record": "path time machine commit clean complete",
        "cluster": "name path gpu_kind currency",
        "worlds": "all measured film",
        "shots": "shot measured_size size particles samples_per_frame gpu_basis frame cpu_s gpus_s one_gpu_s"
        " frame_a_gpu_s chain_s tasks_per_frame bounds_s utilisation enough_gpus best_s bound_by",
        "shots.frame": "simulate surface trace resolve encode",
        "shots.bounds_s": "work chain storage scheduler link",
        **of_shot,
        **of_stage,
        "film": "shots frames tasks once_s with_passes_s passes utilisation gpu_hours gpu_hours_with_passes"
        " busy_gpu_hours energy_kwh price price_with_passes energy_price storage_bytes link_bytes upload_s"
        " shots_per_day bounds_s gpu_hours_a_shot uploads",
        "film.bounds_s": "work",
        "film.uploads": "what bytes link_s at_400_gbit_s at_10_gbit_s",
        **of_film,
        "sweep": "gpus shots film_once_s",
        "sweep.shots": "wave",
        "sweep.shots.wave": "p10 p50 p90",
        "sweep.film_once_s": "p10 p50 p90",
        "tornado": "shot film",
        "tornado.shot": "name text source low_s high_s factor",
        "tornado.film": "name text source low_s high_s factor",
        "stands_on": "name text unit low likely high source",
        "claims": "verdicts days_to_hours",
        "claims.verdicts": "claim text claimed found verdict why source",
        "claims.days_to_hours": "way condition",
    }
    assert keys_of(as_document(quick()))["tornado"] == ""


def test_the_command_and_the_projection_have_the_same_defaults() -> None:
    given = {option.name: option.default for option in main.get_command(None, "project").params}  # type: ignore
    same = ("seconds", "frames", "film_shots", "gpus", "size", "simulate_gpus", "my_frame_hours")
    assert [given[name] for name in same] == [project.__kwdefaults__[name] for name in same]
    assert given["cluster"] == CLUSTER


def test_the_same_arguments_give_the_same_figures(made: Projection) -> None:
    assert quick(sweep=[1, 10, 100]) == made


def test_a_projection_is_no_record(made: Projection) -> None:
    with pytest.raises(UserError, match="no record"):
        parse_record(as_document(made), Path("made.json"))
    assert not isinstance(made, Record)


def test_everything_printed_says_projected(made: Projection) -> None:
    printed = list(lines(made))
    assert "Projected" in printed[0]
    titles = [str(table.title) for table in printed if isinstance(table, Table)]
    assert len(titles) >= 5 and all("projected" in title or "would be true" in title for title in titles)
    assert "projected" in str(explain(made).title)
    assert "projected" in terminal(made)[0]
    assert all(row[0] == "projected" for row in list(csv.reader(io.StringIO(as_csv(made))))[1:])


def test_csv_and_json_agree(made: Projection) -> None:
    document: Any = as_document(made)
    rows = list(csv.DictReader(io.StringIO(as_csv(made))))
    (one,) = [r for r in rows if r["of"] == "wave XL" and r["quantity"] == "gpus_s"]
    assert float(one["p50"]) == document["shots"][0]["gpus_s"]["p50"] and one["gpus"] == "100"
    assert {r["gpus"] for r in rows if r["quantity"] == "sweep_s"} == {"1", "10", "100"}


def test_more_gpus_are_not_slower(made: Projection) -> None:
    times = [row.shots["wave"].p50 for row in made.sweep]
    films = [row.film_once_s.p50 for row in made.sweep]
    assert times == sorted(times, reverse=True) and films == sorted(films, reverse=True)


def test_a_film_that_is_simulated_in_part_keeps_its_load() -> None:
    """1,900 shots on a few GPUs take as many GPU-days whether or not the part's size divides the number of GPUs.

    One to three GPUs stand for all here, and their speeds differ by 8 %; a part that does not fit is off by a third.
    """
    made = quick(film_shots=1900, sweep=[8, 12, 16, 20, 24, 33])
    gpu_s = [row.gpus * row.film_once_s.p50 for row in made.sweep]
    assert max(gpu_s) < 1.15 * min(gpu_s)


def test_which_shot_is_the_fastest_is_as_uncertain_as_its_measurements() -> None:
    """The assumed speed of a GPU is that of the fastest shot; what another shot takes on it follows from both."""
    rows = [make_row(stage, shot=shot) for shot in ("wave", "tornado") for stage in SECONDS]
    rows[0] = make_row("simulate", shot="wave", samples_s=(0.4, 0.41, 0.39, 0.8, 0.79, 0.81))
    fastest, other = (shot.chain_s for shot in quick(make_record(*rows), size="S").shots)
    assert fastest.measured_p90 == fastest.measured_p10
    assert other.measured_p90 > 1.2 * other.measured_p10


def test_latency_and_throughput_are_separate(made: Projection) -> None:
    film, shot = made.film, made.shots[0]
    # Many shots at once give more of them a day than one after another
    assert film.shots_per_day.p50 > 86400.0 / shot.gpus_s.p50
    assert film.frames == pytest.approx(20 * 60, rel=0.02)
    assert film.with_passes_s.p50 > film.once_s.p50 > film.bounds_s["work"] * 0.5


def test_a_longer_simulation_chain_holds_the_shot() -> None:
    slow = make_record(*[make_row(stage, factor=1.0 if stage == "simulate" else 0.01) for stage in SECONDS])
    shot = quick(slow).shots[0]
    assert "simulation" in shot.bound_by and shot.enough_gpus < 64


def test_own_frame_hours_scale_the_shot() -> None:
    one, two = (quick(my_frame_hours=hours, frames=24) for hours in (1.0, 2.0))
    assert one.shots[0].cpu_s.p50 == pytest.approx(24 * 3600.0, rel=1e-6)
    assert two.shots[0].chain_s.p50 == pytest.approx(2.0 * one.shots[0].chain_s.p50)


def test_a_gpu_record_takes_the_place_of_the_assumption() -> None:
    gpu = make_record(*[make_row(stage, "cupy", 0.01) for stage in SECONDS])
    found = quick(size="S", others=[gpu])
    shot = found.shots[0]
    assert shot.gpu_basis.startswith("measured: ")
    frame = shot.frame
    assert frame["trace"].cpu_s / frame["trace"].gpu_s == pytest.approx(100.0)
    assert not any("GPU's speed is an assumption" in flag for flag in found.flags)


def test_rows_that_did_not_verify_are_not_projected() -> None:
    rows = [dataclasses.replace(make_row(stage), verified=None) for stage in SECONDS]
    assert summary(make_record(*rows)) is None
    with pytest.raises(UserError, match="expected verified CPU rows"):
        project(make_record(*rows))


def test_a_shot_of_ones_own_stays_at_its_size() -> None:
    found = quick(make_record(*[make_row(stage, shot="mine") for stage in SECONDS]))
    assert found.shots[0].size == "S"


# --- where it has to widen, or say so -----------------------------------------------------------------------


def test_heavy_tails_widen_the_interval_and_are_named() -> None:
    calm = quick(size="S")
    wild = quick(with_samples(make_record(), "trace", (4.0, 3.9, 4.1, 60.0)), size="S")
    assert width(wild.shots[0].cpu_s) > 1.5 * width(calm.shots[0].cpu_s)
    assert any("heavy tail" in flag for flag in wild.flags)


def test_one_huge_frame_is_named_and_held() -> None:
    frames = [make_row(s, frame=f, factor=40.0 if f == 30 else 1.0) for f in range(1, 61, 2) for s in SECONDS]
    frames += [make_row(s, frame=30, factor=40.0) for s in SECONDS]
    course = make_record(*frames, run={"series": "frames"})
    calm, wild = quick(size="S", gpus=60), quick(size="S", gpus=60, others=[course])
    assert any("huge frame" in flag for flag in wild.flags)
    assert wild.shots[0].gpus_s.p50 > calm.shots[0].gpus_s.p50


def slowed(**changes: Any) -> Any:
    """The default cluster with some numbers fixed."""
    from bench.project.inputs.cluster import Range

    found = {name: Range(value, value, value) for name, value in changes.items()}
    return load_cluster("h200-1000").model_copy(update=found)


def test_bound_by_storage_is_named() -> None:
    found = quick(cluster=slowed(storage_bandwidth_bytes_per_s=1e7))
    assert any("the storage is busy" in flag for flag in found.flags)
    assert found.shots[0].bound_by == "storage"


def test_a_failure_every_minute_is_named() -> None:
    found = quick(cluster=slowed(failures_per_gpu_hour=60.0, restart_s=600.0))
    assert any("failures" in flag or "fail faster" in flag for flag in found.flags)
    calm = quick()
    worse = found.shots[0].one_gpu_s.p50
    assert worse is None or worse > 2.0 * calm.shots[0].one_gpu_s.p50
    json.dumps(as_document(found), allow_nan=False)


def test_far_extrapolation_is_named_and_a_fit_that_fails_widens() -> None:
    short = ladder((1, 2, 3, 4))
    good = quick(others=[series(LAWS, works=short)])
    bad = quick(others=[series(LAWS, noise=lambda stage, index: (1.0, 2.0, 0.6, 1.7)[index], works=short)])
    assert any("extrapolated" in flag for flag in good.flags)
    assert width(bad.shots[0].cpu_s) > 1.5 * width(good.shots[0].cpu_s)


# --- claims and sources ---------------------------------------------------------------------------------------


def test_every_number_that_was_not_measured_has_a_source(made: Projection) -> None:
    dated = re.compile(r"\b(?:19|20)\d\d\b|assumption|measured: |144 min|as the report says", re.IGNORECASE)
    for one in [*assumptions().values()]:
        assert dated.search(one.source) and one.text
    for published in [*claims().values(), *facts().values()]:
        assert dated.search(published["source"]) and published["text"]
    for entry in made.stands_on:
        assert dated.search(entry.source) or "fitted on" in entry.source, entry
    assert explain(made).row_count == len(made.stands_on)


def test_claims_have_verdicts_and_conditions(made: Projection) -> None:
    verdicts = {row.claim: row for row in made.claims.verdicts}
    assert set(verdicts) == set(VERDICTS_OF) <= set(claims())
    assert {row.verdict for row in verdicts.values()} <= {"consistent", "not consistent", "cannot be told"}
    assert "it does not take 1,000 GPUs" in verdicts["shot_centre"].why
    assert "a peak" in verdicts["gpus"].why and "62.6 %" in verdicts["gpus"].why
    assert "not the centre's" in verdicts["capacity"].why
    ways = {row.way: row.condition for row in made.claims.days_to_hours}
    assert ways["machines alone"].startswith("12 to 60 machines")


def test_uploads_of_a_film(made: Projection) -> None:
    (data,) = [row for row in made.film.uploads if row.bytes == 250e12]
    assert data.at_400_gbit_s == pytest.approx(5000.0) and data.at_10_gbit_s == pytest.approx(200_000.0)


def test_lengths_of_shots() -> None:
    made = lengths(1900, 60.0, 4.0)
    assert made.sum() == pytest.approx(1900 * 60, rel=0.01) and made.min() >= 1
    assert made.max() == pytest.approx(240, rel=0.1)
    assert parts_for(60, 1000) == 17 and parts_for(60, 60) == 1 and parts_for(60, 1) == 1


# --- pictures and clusters --------------------------------------------------------------------------------------------


def test_a_picture_of_the_sweep(made: Projection, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'plot'")
    from bench.project.output.plot import save

    for name in ("plot.png", "plot.svg"):
        save(made, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5000
    drawn = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    for text in ("projected, not measured", "film, every frame once", "wave"):
        assert text in drawn


@pytest.mark.parametrize("name", cluster_names())
def test_every_cluster_projects(name: str) -> None:
    cluster = load_cluster(name)
    found = quick(cluster=cluster, gpus=None, size="S")
    assert found.gpus == cluster.gpu_count and found.film.once_s.p50 is not None


def test_of_several_numbers_of_threads_the_largest_is_projected() -> None:
    alone = [dataclasses.replace(make_row(stage, factor=2.0), threads=1) for stage in SECONDS]
    both = quick(make_record(*alone, *[make_row(stage) for stage in SECONDS]))
    assert both.threads == 2 and both.shots == quick().shots
