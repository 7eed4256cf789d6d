"""A GPU that is there and cannot be used: ``run`` goes on with the CPU, says why before its table, and records it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.backend import choose
from bench.backend.choose import Surroundings
from bench.base.errors import UserError
from bench.cli.main import main
from bench.record.read import parse_record, read_record
from tests.bench.backend.test_choose import PASCAL, around
from tests.support.fake_cupy import FakeCupy
from tests.support.source_tree import ROOT
from tests.support.tiny_shot import write_tiny_shot

MISSING = {
    "driver": (around(driver=None), "an NVIDIA GPU is there, but no driver for it"),
    "CuPy": (around(installed=False), "CuPy is not installed"),
    "CuPy's library": (around(ImportError("no libcudart")), "CuPy cannot be imported: no libcudart"),
    "newer driver": (around(FakeCupy(driver=11080)), "the NVIDIA driver is too old: it knows CUDA 11.8"),
    "device": (around(FakeCupy(gpus=())), "the NVIDIA driver shows no GPU: cudaErrorNoDevice"),
    "newer GPU": (around(FakeCupy(gpus=(PASCAL,))), "Pascal has compute capability 6.1, 7.5 is needed"),
    "NVRTC": (around(FakeCupy(nvrtc_version=None)), "the compiler library NVRTC cannot be loaded"),
    "twin": (around(missing=("img_trace",)), "these kernels have no CUDA twin yet: img_trace"),
}


def run(found: Surroundings, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> Result:
    monkeypatch.setattr(choose, "Surroundings", lambda: found)
    shot = str(write_tiny_shot(folder))
    words = ["run", shot, "--frames", "1", "--rounds", "3", "--threads", "1", "--results", str(folder / "results")]
    return CliRunner().invoke(main, [*words, *more])


@pytest.mark.slow
@pytest.mark.parametrize("missing", MISSING)
def test_the_reason_stands_before_the_table_and_in_the_record(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, reason = MISSING[missing]
    done = run(found, tmp_path, monkeypatch)
    assert done.exit_code == 0, done.output
    first = done.stderr.splitlines()[0]
    assert first.startswith(f"GPU not used: {reason}") and ". What helps: " in first
    assert done.output.index(first) < done.output.index("pool S numba")
    (path,) = (tmp_path / "results").glob("*/*.json")
    record = read_record(path)
    assert record.complete and not record.rejected and {row.backend for row in record.rows} == {"numba"}
    assert record.gpu_unused is not None and record.gpu_unused.line == first
    shown = CliRunner().invoke(main, ["report", str(path)])
    assert "GPU not used: " in shown.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_machine_without_a_gpu_is_not_told_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(around(installed=False, driver=None, there=False), tmp_path, monkeypatch, "--json")
    assert done.exit_code == 0 and "GPU" not in done.stderr
    document = json.loads(done.stdout)
    assert document["gpu_unused"] is None and "gpu_unused" not in read_record(Path(document["record"])).run


@pytest.mark.slow
def test_json_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(around(installed=False), tmp_path, monkeypatch, "--json")
    helps = "pip install cupy-cuda12x nvidia-cuda-nvrtc-cu12"
    assert json.loads(done.stdout)["gpu_unused"] == {"reason": "CuPy is not installed", "helps": helps}


@pytest.mark.parametrize("words", [["verify"], ["render", "wave"], ["kernels", "--backend", "auto"], ["certify"]])
def test_every_command_that_chooses_says_it(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        """The command has come past its choice."""

    def enough(*asked: object, **more: object) -> None:
        raise Enough

    monkeypatch.setattr(choose, "Surroundings", lambda: around(installed=False))
    for name in ("check.golden.load_golden", "pipeline.makers.require_memory", "record.store.claim"):
        monkeypatch.setattr(f"bench.{name}", enough)
    monkeypatch.setattr("bench.measure.kernels.time_kernels", enough)
    monkeypatch.setattr("bench.measure.plugin.claim", enough)
    done = CliRunner().invoke(main, words)
    assert isinstance(done.exception, Enough)
    assert done.stderr.startswith("GPU not used: CuPy is not installed. What helps: pip install ")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("no object", "shotmark.run.gpu_unused: expected an object"),
        ({"helps": None}, "shotmark.run.gpu_unused.reason: expected text"),
        ({"reason": "x" * 501}, "shotmark.run.gpu_unused.reason: expected at most 500 characters"),
        ({"reason": "x", "helps": 3}, "shotmark.run.gpu_unused.helps: expected text"),
    ],
)
def test_a_stranger_s_reason_is_looked_at(said: object, line: str, tmp_path: Path) -> None:
    (path,) = (ROOT / "tests" / "fixtures").glob("certificate.json")
    document = json.loads(path.read_text())
    document["shotmark"]["run"]["gpu_unused"] = {"reason": "why", "helps": None}
    assert parse_record(document, path).gpu_unused == choose.GpuUnused("why", None)
    document["shotmark"]["run"]["gpu_unused"] = said
    with pytest.raises(UserError, match=line):
        parse_record(document, path)
