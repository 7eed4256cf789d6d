"""What shows only in a run is a warning: in its table, in the record, in what ``render`` says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bench.backend.numba_cpu import NumbaBackend
from bench.base.errors import UserError
from bench.base.files import dump
from bench.cli.main import main
from bench.pipeline.frame import FrameWork, warnings_of
from bench.pipeline.scene.build import build_scene
from bench.pipeline.simulate import Simulation
from bench.record.read import parse_record, read_record
from bench.record.write import document_of
from kernels.mpm.mpm_common import PEAK_SPEED_X, PEAK_SPEED_Z
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import box_body, plain_shot, water

COMMITTED = sorted((ROOT / "results").glob("**/[0-9]*.json"))
FINE = FrameWork(1, 5, 0.01, 100, 7, 0, 500, 25, 2500, 1.0, 2.0, (0.99, 1.01))


def falling(limit_m_per_s: float) -> str:
    """A cube that falls over a metre in 12 frames: 4.9 m/s."""
    return water(limit_m_per_s) + box_body("[0.6, 0.6, 1.2]", "[1.0, 1.0, 1.5]")


def test_nothing_is_said_where_all_is_well() -> None:
    assert (
        warnings_of([])
        == ()
        == warnings_of([FINE, replace(FINE, frame=2, volume_ratios=(0.9, 1.1), speed_m_per_s=2.0)])
    )


def test_the_worst_frame_is_named() -> None:
    frames = [replace(FINE, frame=2, speed_m_per_s=3.0), replace(FINE, frame=3, speed_m_per_s=2.5)]
    (line,) = warnings_of(frames)
    assert line == "the liquid reached 3 m/s in frame 2, beyond material.speed_limit_m_per_s (2)"
    tight, wide = replace(FINE, frame=4, volume_ratios=(0.7, 1.0)), replace(FINE, frame=5, volume_ratios=(0.8, 1.2))
    assert [line.split(",")[0] for line in warnings_of([FINE, tight, wide])] == [
        "liquid had 0.7 of its volume at rest in frame 4",
        "liquid had 1.2 of its volume at rest in frame 5",
    ]


def seen_by(backend: Any, frames: int, limit_m_per_s: float = 2.0) -> list[FrameWork]:
    scene = build_scene(plain_shot(falling(limit_m_per_s), cells_x=16), "S", threads=1)
    simulation = Simulation(scene, backend)
    made = [simulation.advance_frame() for _ in range(frames)]
    peaks = np.array(backend.host(simulation._state.arrays["peak"]))[: made[-1].active_blocks]
    # The last substep of free fall is the fastest one
    assert made[-1].speed_m_per_s >= peaks[:, PEAK_SPEED_X : PEAK_SPEED_Z + 1].max() > 0
    return made


def test_a_frame_knows_its_fastest_and_its_tightest() -> None:
    """Of all its substeps: free fall gets faster with every frame, and the impact squeezes."""
    made = seen_by(NumbaBackend(1), 14)
    # The first substep lacks half of its sound steps: velocities stand that far behind positions
    each = made[1].sound_steps // made[1].substeps
    behind_s = made[0].dt_s * (each - made[0].sound_steps % each) / each
    assert 0.0 < behind_s <= 0.5 * made[0].dt_s
    for frame in range(2, 11):
        assert made[frame].speed_m_per_s == pytest.approx(9.81 * ((frame + 1) / 24 - behind_s), rel=0.002)
    assert made[0].volume_ratios[0] > 0.999
    assert min(one.volume_ratios[0] for one in made) < 0.99
    assert "in frame " in warnings_of(made)[0] and "(2)" in warnings_of(made)[0]


@NEEDS_COMPILER
def test_a_gpu_knows_the_same(tmp_path: Path) -> None:
    assert seen_by(emulated_gpu(tmp_path), 3) == seen_by(NumbaBackend(1), 3)


def test_a_record_keeps_them_and_others_stay_readable() -> None:
    old = read_record(COMMITTED[0])
    assert "warnings" not in document_of(old)["benchmarks"][0]["extra_info"]  # type: ignore[index]
    rows = tuple(replace(row, warnings=("too fast",)) if row.stage == "frame" else row for row in old.rows)
    document: Any = json.loads(dump(document_of(replace(old, rows=rows))))
    assert [row.warnings for row in parse_record(document, old.path).rows] == [row.warnings for row in rows]
    for wrong in ("too fast", [1.0], {"too": "fast"}):
        document["benchmarks"][0]["extra_info"]["warnings"] = wrong
        with pytest.raises(UserError, match=r"benchmarks\[0\]\.extra_info\.warnings"):
            parse_record(document, Path("a.json"))


@pytest.mark.parametrize(("limit", "warned"), [(1.0, True), (6.0, False)])
def test_commands_say_them(limit: float, warned: bool, tmp_path: Path) -> None:
    text = (ROOT / "tests" / "fixtures" / "pool.toml").read_text()
    head, tail = text.split("[material]")[0], text[text.index("[camera]") :]
    head = head.replace(
        "cells_x = 48\nwidth = 96\nheight = 40\nsamples = 4", "cells_x = 16\nwidth = 12\nheight = 5\nsamples = 1"
    )
    path = tmp_path / "fall.toml"
    path.write_text(head.replace('"pool"', '"fall"') + falling(limit) + tail)
    asked = ["--backend", "numba", "--threads", "1"]
    said = f"beyond material.speed_limit_m_per_s ({limit:g})"
    out = tmp_path / "out"
    for task in ([], ["--states-only"]):
        folder = ["--out", str(out / ("task" if task else "whole"))]
        result = CliRunner().invoke(main, ["render", str(path), "--frames", "6", *folder, *task, *asked])
        assert result.exit_code == 0, result.output
        assert (said in result.stderr) == warned
    results = ["--results", str(tmp_path / "results")]
    run = ["run", str(path), "--frames", "6", "--rounds", "1", *results, *asked]
    result = CliRunner().invoke(main, run)
    assert result.exit_code == 0, result.output
    assert (said in " ".join(result.output.split())) == warned
    record = read_record(next((tmp_path / "results").glob("**/[0-9]*.json")))
    whole = next(row for row in record.rows if row.stage == "frame")
    assert (whole.warnings is not None and said in whole.warnings[0]) == warned
    assert all(row.warnings is None for row in record.rows if row.stage != "frame")
