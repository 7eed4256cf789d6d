"""How scenes are built: progress, Ctrl-C, what is compiled for it, and memory at the most."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest

from bench.backend import ahead
from bench.pipeline.makers import COMPILED
from bench.pipeline.scene import blocks_of_water, build, fill, needs, particles, terrain
from bench.pipeline.scene.build import build_scene
from bench.shot.load import load_shot, shot_names
from kernels.base import cache
from tests.support.source_tree import ROOT


def test_building_tells_its_share_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(particles, "CHUNK_POINTS", 20_000)
    monkeypatch.setattr(terrain, "CHUNK_POINTS", 5_000)
    shares: list[float] = []
    build_scene(load_shot("lava"), "S", tell=shares.append)
    assert len(shares) > 50 and shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    assert max(b - a for a, b in pairwise(shares)) < 0.1

    def stop(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_scene(load_shot("lava"), "S", tell=stop)
    before = numba.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        build_scene(load_shot("lava"), "S", threads=1, tell=stop)
    assert numba.get_num_threads() == before


def test_one_compilation_does_for_every_shot() -> None:
    """What ``compile_now`` makes ahead is all that a scene runs."""
    for name in (*shot_names(), str(ROOT / "tests" / "fixtures" / "pool.toml")):
        assert needs.block_count(build_scene(load_shot(name), "S")) > 0
    for module in (fill, terrain):
        module.compile_now()
    for loop in (fill.sweep, fill.mark_blocks, terrain.height_rows):
        assert len(loop.signatures) == 1
    assert Path(fill.cache_folder()) != Path(terrain.cache_folder())
    assert ahead.uncached(COMPILED) == ahead.uncached()


PEAK = """
import sys
from pathlib import Path
from bench.measure.scaling import water_block
from bench.pipeline.scene.build import build_scene
from bench.pipeline.scene.needs import block_count
from bench.shot.load import load_shot

def resident(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))

name, size = sys.argv[1:]
make = (lambda size: water_block(40 if size == "S" else 80)) if name == "water" else (
    lambda size: build_scene(load_shot(name), size)
)
block_count(make("S"))
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = resident("VmRSS")
scene = make(size)
block_count(scene)
kept = sum(a.nbytes for a in (scene.position, scene.velocity, scene.temperature, scene.terrain))
print((resident("VmHWM") - before) / kept)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak of a stretch of work")
@pytest.mark.parametrize("name", [*shot_names(), "water"])
def test_building_takes_little_more_memory_than_what_stays(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, name, "M"], capture_output=True, text=True, check=True, cwd=ROOT, timeout=300
    )
    assert 0.5 < float(done.stdout) < 1.1


def test_a_box_filled_by_slabs_is_the_box_filled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def whirl(points: np.ndarray) -> np.ndarray:
        return np.stack([0.3 - points[:, 1], points[:, 0], 2.0 * points[:, 2]], -1)

    low, high, cell = (2, 3, 1), (7, 5, 4), 1.0 / 24.0
    points = blocks_of_water.box_points(low, high, cell)
    whole = blocks_of_water.water_scene(points, (24, 24, 24), cell, velocity=whirl(points))
    for slab in (1, 100, 10**6):
        monkeypatch.setattr(blocks_of_water, "SLAB_POINTS", slab)
        position, velocity = blocks_of_water.filled_box(low, high, cell, whirl)
        made = blocks_of_water.water_scene(position, (24, 24, 24), cell, velocity=velocity)
        assert made.position is position and made.velocity is velocity
        assert np.array_equal(made.position, whole.position) and np.array_equal(made.velocity, whole.velocity)


def test_who_waits_for_the_compiler_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache, "_said", set())
    build_scene(load_shot("wave"), "S")
    capsys.readouterr()
    build._tell_of_compiling()
    assert capsys.readouterr().err == ""  # this process has compiled, or loaded, what it needs
    monkeypatch.setattr(fill, "sweep", SimpleNamespace(signatures=[]))
    monkeypatch.setattr(fill, "cache_folder", lambda: str(tmp_path))
    build._tell_of_compiling()
    build._tell_of_compiling()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("shotmark: what builds scenes is compiled, which takes some ten seconds")
