"""The golden hashes, held on the CPU by every test run: a change that alters both twins alike is seen here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.backend.numba_cpu import NumbaBackend
from bench.backend.protocol import Backend
from bench.check.golden import golden_frames, load_golden
from bench.check.physics import CHECKS, Check
from bench.pipeline.frame import FRAME_DEFAULT, make_frame
from bench.pipeline.makers import MAKERS
from bench.shot.load import load_shot, shot_names
from tests.support.source_tree import ROOT, tracked

SIZE = "S"
FRAMES = [1, FRAME_DEFAULT]
PLANTED = "kernels/solid/mpm_volume.py"
CONSTANT = re.compile(r"(?m)^CORRECTION = F32\(([0-9.]+)\)")


def backend(threads: int) -> Backend:
    import numba

    if threads > numba.config.NUMBA_NUM_THREADS:  # type: ignore[attr-defined]
        pytest.skip(f"{threads} threads: this machine has fewer cores")
    return NumbaBackend(threads)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", shot_names())
def test_state_and_picture_of_every_golden_frame(name: str, threads: int) -> None:
    golden = load_golden()
    assert golden_frames(golden, name, SIZE) == FRAMES
    device = backend(threads)
    scene = MAKERS.build_scene(load_shot(name), SIZE)
    simulation, renderer = MAKERS.simulation(scene, device), MAKERS.renderer(scene, device)
    for frame in range(1, max(FRAMES) + 1):
        if frame not in FRAMES:
            simulation.advance_frame()
            continue
        made = make_frame(simulation, renderer, frame)
        expected = golden[name][SIZE]["frames"][str(frame)]
        assert simulation.state_digest() == expected["state"], f"state of frame {frame}"
        assert made.picture.digest == expected["picture"], f"picture of frame {frame}"


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_of_verify_passes(check: Callable[[Backend], Check]) -> None:
    found = check(NumbaBackend())
    assert found.passed, f"{found.what}: {found.figure:g}, at most {found.limit:g}"


@pytest.mark.slow
def test_one_changed_constant_is_seen(tmp_path: Path) -> None:
    """Both twins read the constant, so no comparison of twins could tell."""
    for name in tracked():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    planted = tmp_path / PLANTED
    text, times = CONSTANT.subn(lambda found: f"CORRECTION = F32({found[1]}0001)", planted.read_text())
    assert times == 1
    planted.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    # Every kernel is compiled once more: on all cores first, or it takes twice as long
    ahead = (
        "from bench.backend.ahead import compile_ahead; from bench.base.progress import Silent; compile_ahead(Silent())"
    )
    subprocess.run([sys.executable, "-c", ahead], cwd=tmp_path, env=environment, check=True)
    test = "tests/bench/check/test_golden.py::test_state_and_picture_of_every_golden_frame[wave-1]"
    command = [sys.executable, "-m", "pytest", test]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "AssertionError: state of frame 1" in done.stdout, done.stdout[-3000:]
