"""python -m tests.emulator.balance [SHOT...] [--card NAME...] [--size NAME...]: how evenly a card's warps trace.

What each tile of a picture costs is taken from the CPU twin's counters (frame 1 at size S, paths through every pixel,
weighed by the instructions of kernels/NOTES.md) and stretched to the larger pictures. Tiles are then dealt to the warps
that the card holds: by the draw that img_trace.cu makes, each warp taking the next tile when it is done with its own,
and by a fixed stride of the number of warps, as it was once. Printed are the dearest warp, the dearest multiprocessor
and the end of the launch, each over its ideal. Warps of a multiprocessor share its issue; one alone gets ISSUE_SHARE.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from bench.backend.numba_cpu import NumbaBackend
from bench.pipeline.frame import make_picture
from bench.pipeline.render import Renderer
from bench.pipeline.scene.build import build_scene
from bench.pipeline.simulate import Simulation
from bench.shot.load import Shot, load_shot, shot_names
from bench.shot.sizes import SIZE_NAMES
from kernels.base import constants as k
from kernels.base import source
from kernels.image import img_trace
from kernels.trace.trace_tiles import STRIP
from tests.emulator.cards import CARDS, Card

# Warp instructions of kernels/NOTES.md for one of each
COSTS = {
    k.WORK_SURFACE_LOOKUPS: 110,
    k.WORK_SURFACE_BRICKS: 35,
    k.WORK_FOG_BRICKS: 60,
    k.WORK_SEGMENTS: 700,
    k.WORK_PATHS: 400,
}
ISSUE_SHARE = 1.0 / 12.0  # of a multiprocessor's issue that one warp can have: it waits for its own look-ups
DEALS = ("drawn", "stride")
WARPS = img_trace.KERNEL.passes[-1].threads // 32  # of a block


@dataclass(frozen=True)
class Balance:
    """How evenly a picture's cost lies on a card."""

    tiles: int
    warps: int
    by_warp: float  # cost of the dearest over the mean
    by_multiprocessor: float
    end: float  # time of the launch over that of an even one


class Caught:
    """A back-end that keeps the arguments of the tracer's launch instead."""

    def __init__(self, backend: NumbaBackend) -> None:
        self.backend = backend
        self.arguments: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def launch(self, kernel: Any, *values: Any) -> None:
        self.arguments = dict(zip(kernel.argument_names, values, strict=True))


def cost_map(shot: Shot) -> np.ndarray:
    """Instructions of a path through each cell of the picture, float64[rows, columns]; a cell is 2 x 2 pixels of S."""
    backend = NumbaBackend()
    scene = build_scene(shot, "S")
    simulation, renderer = Simulation(scene, backend), Renderer(scene, backend)
    simulation.advance_frame()
    bricks = make_picture(simulation, renderer, 1, 1).bricks
    caught = Caught(backend)
    renderer.backend = caught  # type: ignore[assignment]
    renderer.trace(bricks, 1)
    # A picture of which each tile is a cell, and each a task of its own with counters of its own
    height, width = scene.picture.height // 2, scene.picture.width // 2
    rows = height * width
    while np.gcd(img_trace.SHUFFLE, rows) != 1:
        rows += 1
    sums = np.zeros((height * STRIP, width * STRIP, k.PIXEL_WORDS), np.float32)
    work = np.zeros((rows, k.WORK_WORDS), np.int64)
    given = {**caught.arguments, "sample_start": 0, "sample_count": 1, **img_trace.WHOLE_PICTURE}
    given |= {"pixel_sums_inout": sums, "work_inout": work}
    img_trace.cpu(*[given[name] for name in img_trace.KERNEL.argument_names])
    by_tile = np.zeros_like(work)
    by_tile[np.arange(rows) * img_trace.SHUFFLE % rows] = work
    by_cell = by_tile[: height * width].reshape(height, width, k.WORK_WORDS)
    instructions = sum(cost * by_cell[..., slot] for slot, cost in COSTS.items())
    return np.asarray(instructions / by_cell[..., k.WORK_PATHS])


def tile_shape(samples: int) -> tuple[int, int]:
    """Pixels of a tile across and down: tiling_of of trace_tiles.cuh."""
    chunks = 1
    while chunks < 32 and 2 * chunks * k.SAMPLE_CHUNK <= samples + k.SAMPLE_CHUNK - 1:
        chunks *= 2
    across, down = 8, 4
    while chunks > 1:
        across, down = (across // 2, down) if across > down else (across, down // 2)
        chunks //= 2
    return across, down


def tile_costs(costs: np.ndarray, width: int, height: int, samples: int) -> np.ndarray:
    """The cost of each tile of a picture, in the order in which they are numbered."""
    across, down = tile_shape(samples)
    x = (np.arange(0, width, across) + across / 2) * costs.shape[1] / width
    strips = -(-height // STRIP)
    y = (np.arange(0, strips * STRIP, down) + down / 2) * costs.shape[0] / height
    found = costs[np.minimum(y.astype(int), len(costs) - 1)][:, np.minimum(x.astype(int), costs.shape[1] - 1)]
    found[np.arange(0, strips * STRIP, down) >= height] = 0.0  # rows of the last strip that the picture lacks
    return found.ravel()


@njit(cache=False)
def play(costs, multiprocessors, warps, drawn):
    """(cost by warp of a multiprocessor, time): warps share what their multiprocessor issues."""
    work = np.zeros((multiprocessors, warps))
    left = np.full((multiprocessors, warps), np.inf)  # what a warp's tile ends at, on its multiprocessor's scale
    taken = np.zeros((multiprocessors, warps), np.int64)  # tile of a warp, with a fixed stride
    scale, active = np.zeros(multiprocessors), np.zeros(multiprocessors, np.int64)
    ends = np.full(multiprocessors, np.inf)
    tile, time = 0, 0.0
    for warp in range(warps):
        for m in range(multiprocessors):
            # Blocks are dealt round: the first one of each multiprocessor, then the second
            first = (warp // WARPS * multiprocessors + m) * WARPS + warp % WARPS
            one = tile if drawn else first
            if one < len(costs):
                left[m, warp], taken[m, warp] = costs[one], one
                work[m, warp] += costs[one]
                active[m] += 1
                tile += 1
    for m in range(multiprocessors):
        if active[m] > 0:
            ends[m] = left[m].min() * max(1.0 / ISSUE_SHARE, active[m])
    while True:
        m = np.argmin(ends)
        if ends[m] == np.inf:
            return work, time
        time = ends[m]
        warp = np.argmin(left[m])
        scale[m] = left[m, warp]
        one = tile if drawn else taken[m, warp] + multiprocessors * warps
        if one < len(costs):
            left[m, warp], taken[m, warp] = scale[m] + costs[one], one
            work[m, warp] += costs[one]
            tile += 1
        else:
            left[m, warp] = np.inf
            active[m] -= 1
        ends[m] = time + (left[m].min() - scale[m]) * max(1.0 / ISSUE_SHARE, active[m]) if active[m] > 0 else np.inf


def balance(costs: np.ndarray, card: Card, deal: str) -> Balance:
    """Tiles of these costs on a card, dealt in one of DEALS."""
    text = source.assemble(img_trace.KERNEL.name)
    warps = WARPS * card.per_multiprocessor(text, img_trace.KERNEL.passes[-1])
    work, time = play(costs, card.multiprocessors, warps, deal == "drawn")
    mean = costs.sum() / card.multiprocessors
    even = mean * max(1.0 / ISSUE_SHARE, warps) / warps
    return Balance(
        len(costs), work.size, work.max() / work.mean(), float(work.sum(axis=1).max() / mean), float(time / even)
    )


def balances(shot: Shot, cards: list[str], sizes: list[str]) -> Iterator[tuple[str, str, str, Balance]]:
    """(size, card, deal, how even) of a shot."""
    costs = cost_map(shot)
    for size in sizes:
        picture = shot.size(size)
        tiles = tile_costs(costs, picture.width, picture.height, picture.samples)
        for card in cards:
            for deal in DEALS:
                yield size, card, deal, balance(tiles, CARDS[card], deal)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.emulator.balance", description=__doc__)
    parser.add_argument("shots", nargs="*", metavar="SHOT", help="; all when none is named")
    parser.add_argument("--card", nargs="+", choices=list(CARDS), default=list(CARDS))
    parser.add_argument("--size", nargs="+", choices=SIZE_NAMES, default=list(SIZE_NAMES))
    chosen = parser.parse_args(words)
    print(f"{'shot':10s}{'size':5s}{'card':10s}{'deal':8s}{'tiles':>9s}{'warps':>7s}  over the mean: warp, SM; end")
    for name in chosen.shots or shot_names():
        for size, card, deal, found in balances(load_shot(name), chosen.card, chosen.size):
            print(
                f"{name:10s}{size:5s}{card:10s}{deal:8s}{found.tiles:9d}{found.warps:7d}  {found.by_warp:20.2f}"
                f"{found.by_multiprocessor:6.2f}{found.end:6.2f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
