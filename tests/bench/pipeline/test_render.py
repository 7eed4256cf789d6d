"""A picture in pieces: none too long for a display's watchdog, and the same bits whatever they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.backend.numba_cpu import HostArrays, NumbaBackend
from bench.backend.protocol import Observer
from bench.pipeline import render
from bench.pipeline.frame import Bricks, make_picture
from bench.pipeline.render import Piece, Pieces, Renderer
from bench.pipeline.scene.build import build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import load_shot
from kernels.base import constants as k
from kernels.base.kernel import Kernel
from kernels.trace.trace_tiles import STRIP
from tests.emulator.backend import EmulatorBackend
from tests.emulator.gpu import NEEDS_COMPILER
from tests.support.tiny_shot import write_tiny_shot

PICTURES = {size: load_shot("wave").size(size) for size in ("S", "M", "L", "XL")}
# Paths a second: a T4 on water, an H200 on water and on the waterspout
SLOW, FAST, FASTEST = 2.0e7, 2.5e8, 3.0e9
UNEVEN = 1.35  # a path of the dearest comb of strips over the mean, tornado at XL


def timed(size: str, paths_per_s: float, dearest: float = 1.0) -> list[tuple[Piece, float]]:
    """The pieces of a shipped picture with the seconds of each; the last strips of a group cost ``dearest``."""
    picture = PICTURES[size]
    pieces = Pieces(picture.width, picture.height, picture.samples, render.PIECE_S, render.FIRST_PATHS)
    found = []
    for piece in pieces:
        cost = dearest if piece.strip_high == piece.strip_period > 1 else 1.0
        seconds = cost * piece.paths(picture.width, picture.height) / paths_per_s
        pieces.paths_per_s = paths_per_s / cost
        found.append((piece, seconds))
    return found


@pytest.mark.parametrize("paths_per_s, dearest", [(SLOW / 2, 1.0), *[(r, UNEVEN) for r in (SLOW, FAST, FASTEST)]])
@pytest.mark.parametrize("size", PICTURES)
def test_no_launch_is_long(size: str, paths_per_s: float, dearest: float) -> None:
    found = timed(size, paths_per_s, dearest)
    assert max(seconds for _, seconds in found) <= render.LAUNCH_MOST_S
    total = sum(seconds for _, seconds in found)
    assert len(found) <= 7 + total / (0.4 * render.PIECE_S), "nor needlessly short"
    for piece, _ in found:
        chunks = piece.sample_count // k.SAMPLE_CHUNK
        assert chunks & (chunks - 1) == 0, "no lane of a warp idles"


@pytest.mark.parametrize("paths_per_s", [FAST, FASTEST])
def test_a_short_picture_is_one_launch_or_two(paths_per_s: float) -> None:
    assert [len(timed(size, paths_per_s)) for size in ("S", "M")] == [1, 2]


@pytest.mark.parametrize("paths_per_s", [1.0e5, SLOW, FAST, FASTEST])
@pytest.mark.parametrize("size", PICTURES)
def test_every_sample_of_every_strip_once_and_in_order(size: str, paths_per_s: float) -> None:
    picture = PICTURES[size]
    strips = -(-picture.height // STRIP)
    done = np.zeros(strips, int)  # samples of each
    rows = 0
    for piece, _ in timed(size, paths_per_s):
        turn = np.arange(strips) % piece.strip_period
        taken = (turn >= piece.strip_low) & (turn < piece.strip_high)
        assert taken.any() and set(done[taken]) == {piece.sample_start}
        assert piece.sample_start % k.SAMPLE_CHUNK == 0, "a chunk is summed whole"
        done[taken] += piece.sample_count
        rows += piece.rows(picture.height) * piece.sample_count
    assert set(done) == {picture.samples} and rows == picture.height * picture.samples


def test_samples_that_fill_no_chunk() -> None:
    pieces = Pieces(64, 64, 37, 1.0, 16 * 64 * 8)
    found = []
    for piece in pieces:
        pieces.paths_per_s = 64.0 * 64 * 16  # a chunk a second
        found.append((piece.sample_start, piece.sample_count, piece.strip_low, piece.strip_high, piece.strip_period))
    assert found == [(0, 16, 0, 1, 2), (0, 16, 1, 2, 2), (16, 16, 0, 1, 1), (32, 5, 0, 1, 1)]


class Device(HostArrays):
    """Runs nothing but a clock, which the tracer's launches move on by their paths."""

    name = "device"
    threads: int | None = None
    is_gpu = True
    observed_apart = False
    observer: Observer | None = None

    def __init__(self, paths_per_s: float) -> None:
        self.paths_per_s = paths_per_s
        self.now_s = 0.0
        self.launches_s: list[float] = []

    def launch(self, kernel: Kernel, *args: Any) -> None:
        given = dict(zip(kernel.argument_names, args, strict=True))
        height, width = given["pixel_sums_inout"].shape[:2]
        comb = given["strip_low"], given["strip_high"], given["strip_period"]
        self.launches_s.append(Piece(0, given["sample_count"], *comb).paths(width, height) / self.paths_per_s)
        self.now_s += self.launches_s[-1]

    def clock(self) -> float:
        return self.now_s


def no_bricks() -> Bricks:
    table, value = np.full(1, -1, np.int32), np.zeros((1, k.BRICK_NODES, 2), np.float32)
    nowhere = np.zeros(6, np.float32)
    return Bricks(0, table, value, nowhere, 0, table, value, np.zeros(1, np.float32), nowhere)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return build_scene(load_shot(str(write_tiny_shot(tmp_path_factory.mktemp("tiny")))), "S")


def test_a_slow_device_has_no_long_launch(scene: Any) -> None:
    """The tiny picture with so many samples that it takes half a minute there."""
    device = Device(1.0e7)
    shares: list[float] = []
    samples = 5_000_000
    Renderer(scene, device).trace(no_bricks(), 1, samples, shares.append)
    assert max(device.launches_s) <= render.LAUNCH_MOST_S
    assert sum(device.launches_s) == pytest.approx(30.0) and len(device.launches_s) == len(shares) + 1
    assert shares == sorted(shares) and 0 < shares[0] < 0.01 and 0.9 < shares[-1] < 1


def test_the_next_picture_knows_the_rate(scene: Any) -> None:
    """A short one is one launch; where a path has become dearer since, the picture after that knows."""
    device = Device(1.0e9)
    renderer = Renderer(scene, device)
    launches = []
    for paths_per_s in (1.0e9, 1.0e9, 0.6e9, 0.6e9):
        device.paths_per_s, before = paths_per_s, len(device.launches_s)
        renderer.trace(no_bricks(), 1, 2_400_000)
        launches.append(len(device.launches_s) - before)
    assert launches[0] > 1 and launches[1] == launches[2] == 1 and launches[3] > 1
    assert max(device.launches_s) <= render.LAUNCH_MOST_S


def test_what_a_hook_raises_ends_the_picture(scene: Any) -> None:
    device = Device(1.0e7)

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Renderer(scene, device).trace(no_bricks(), 1, 5_000_000, stop)
    assert len(device.launches_s) == 1


@pytest.mark.parametrize("device", ["cpu", pytest.param("emulator", marks=[NEEDS_COMPILER, pytest.mark.slow])])
def test_pieces_give_the_bits_of_one_launch(device: str, scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every size, and the same counts of work."""
    backend: Any = NumbaBackend() if device == "cpu" else EmulatorBackend(seed=3)
    simulation, one = Simulation(scene, NumbaBackend()), Renderer(scene, NumbaBackend())
    simulation.advance_frame()
    whole = make_picture(simulation, one, 1, 50)
    want = whole.picture.digest, one.work(whole)
    for first_paths, piece_s in ((1, 0.0), (200, 1e-6), (1500, 1e9)):
        for name, value in (("FIRST_PATHS", first_paths), ("PIECE_S", piece_s)):
            monkeypatch.setattr(render, name, value)
            monkeypatch.setattr(render, f"CPU_{name}", value)
        shares: list[float] = []
        renderer = Renderer(scene, backend)
        made = make_picture(simulation, renderer, 1, 50, between=shares.append)
        assert (made.picture.digest, renderer.work(made)) == want
        assert len(shares) > 0


def test_a_cpu_that_nobody_watches_has_one_launch(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "CPU_FIRST_PATHS", 1)
    device = Device(1.0e7)
    device.is_gpu = False
    Renderer(scene, device).trace(no_bricks(), 1, 5_000_000)
    assert len(device.launches_s) == 1


def test_the_tiny_shot_is_tiny(scene: Any, tmp_path: Path) -> None:
    assert scene.picture.width * scene.picture.height == 60 and load_shot(str(write_tiny_shot(tmp_path))).name == "pool"
