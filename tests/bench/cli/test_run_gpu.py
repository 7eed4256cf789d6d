"""The whole command with CPU and GPU, the GPU being the emulator: one record, equal bits, and the ratio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.backend import choose
from bench.backend.choose import Choice
from bench.backend.numba_cpu import NumbaBackend
from bench.cli.main import main
from bench.record.read import read_record
from bench.record.schema import TOTALS
from tests.emulator.gpu import NEEDS_COMPILER, emulated_gpu
from tests.support.tiny_shot import write_tiny_shot

pytestmark = [pytest.mark.slow, NEEDS_COMPILER]


def test_one_record_with_an_honest_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = [NumbaBackend(), emulated_gpu(tmp_path, launch_s=1.0)]
    made[0].threads = 8  # what the record says of it, whatever this machine has
    monkeypatch.setattr(choose, "choose_backends", lambda *asked: Choice(list(made), None))
    shot, results = str(write_tiny_shot(tmp_path)), tmp_path / "results"
    arguments = ["run", shot, "--backend", "all", "--frames", "2", "--rounds", "3", "--results", str(results)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.stderr
    assert "0001 numba 8 threads against 0001 cupy: same work, same bits" in done.stdout
    assert "0001 numba 1 thread against 0001 cupy: same work, same bits" in done.stdout
    (path,) = results.glob("*/*.json")
    record = read_record(path)
    assert record.complete and not record.rejected
    sides = {(row.backend, row.threads): row for row in record.rows if row.stage == "frame"}
    assert set(sides) == {("numba", 8), ("numba", 1), ("cupy", None)}
    for what in ("state_sha256", "picture_sha256", "work_sha256"):
        assert len({getattr(row, what) for row in sides.values()}) == 1, what
    # The virtual clock counts launches: kernels one by one, and graphs of the same ones
    kernels, resident = (record.row("pool", stage, backend="cupy") for stage in ("kernels", "resident"))
    assert kernels is not None and resident is not None
    assert kernels.samples_s == pytest.approx(resident.samples_s, rel=1e-12)  # a hold before each moves the readings
    done = CliRunner().invoke(main, ["compare", str(path), "--json"])
    lines = json.loads(done.stdout)["stages"]
    assert {line["stage"] for line in lines} >= set(TOTALS)
    for line in lines:
        assert line["why_no_ratio"] is None and line["a"]["median_s"] > 0.0
        assert line["stage"] == "encode" or line["ratio"] == line["a"]["median_s"] / line["b"]["median_s"]
