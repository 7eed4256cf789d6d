"""Launches as real cards make them: how many blocks fit, and that each of them has something to do."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bench.shot.load import load_shot, shot_names
from bench.shot.sizes import SIZE_NAMES
from kernels.base import constants as k
from kernels.base import nvrtc, source
from kernels.base.kernel import Pass
from kernels.base.registry import all_kernels
from tests.emulator import Emulator, balance, build
from tests.emulator.cards import CARDS, Card, for_architecture

pytestmark = [
    pytest.mark.skipif(not build.available(), reason=build.why_not()),
    pytest.mark.skipif(nvrtc.library_path() is None, reason=nvrtc.LIBRARY_MISSING),
]
# Items for more threads than a multiprocessor holds
SIZE = 30_000
SIZES = {"img_trace": 24, "img_resolve": 200, **dict.fromkeys(("mpm_p2g", "mpm_push"), 3000)}
SIZES |= dict.fromkeys(("fog_field", "fog_majorant", "surf_field", "surf_distance"), 300)
# Passes over bricks, blocks or chunks, of which an example has fewer than there are blocks; one for viscous liquids
FEW = {"fog_bricks", "surf_bricks", "mpm_sort", "mpm_sort_touched", "mpm_sort_order", "mpm_strain_viscous"}


def idle(name: str, card: Card, text: str | None = None, multiprocessors: int = 1) -> dict[str, int]:
    """Blocks by entry that wrote nothing, of a launch on so many multiprocessors of the card."""
    kernel = all_kernels()[name]
    arguments = kernel.example(np.random.default_rng(1), SIZES.get(name, SIZE))
    emulator = Emulator(multiprocessors, checked=True, card=card)
    emulator.launch_text(text or source.assemble(name), kernel.passes, kernel.argument_names, tuple(arguments.values()))
    return emulator.idle_blocks


@pytest.mark.parametrize("name", [name for name in all_kernels() if name != "img_trace"])
def test_every_block_of_a_grid_that_fits_has_work(name: str) -> None:
    for card in ("T4", "H200"):
        found = {entry: count for entry, count in idle(name, CARDS[card]).items() if entry not in FEW}
        assert not any(found.values()), (card, found)


# Blocks that a multiprocessor holds of what takes the time, in the order of CARDS
RESIDENT = {
    "img_trace": (2, 4, 4, 4, 5, 5, 5, 4),
    "mpm_p2g": (3, 6, 5, 5, 6, 6, 6, 5),
    "mpm_push": (3, 6, 5, 5, 6, 6, 5, 5),
    "mpm_g2p": (4, 5, 5, 5, 5, 5, 5, 5),
    "mpm_strain": (6, 7, 8, 8, 8, 8, 9, 9),
    "mpm_strain_viscous": (4, 5, 5, 5, 5, 5, 5, 5),
    "mpm_grid": (4, 4, 4, 4, 4, 4, 4, 4),
    "surf_field": (2, 2, 2, 2, 2, 2, 2, 2),
    "surf_distance": (2, 5, 3, 3, 6, 6, 6, 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("entry", RESIDENT)
def test_blocks_that_a_multiprocessor_holds(entry: str) -> None:
    name, one = next(
        (kernel.name, one) for kernel in all_kernels().values() for one in kernel.passes if one.entry == entry
    )
    text = source.assemble(name)
    assert tuple(card.resident_of(text, one) for card in CARDS.values()) == RESIDENT[entry]


@pytest.mark.slow
@pytest.mark.parametrize("card", ["T4", "A100", "RTX 4090", "H200"])
def test_every_block_that_traces_has_work(card: str) -> None:
    """With each number of blocks that fits. On four multiprocessors, or rounding hides what is cut."""
    assert not any(idle("img_trace", CARDS[card], multiprocessors=4).values())


def test_a_grid_that_is_cut_twice_is_seen() -> None:
    text = source.assemble("img_resolve")
    used = "(gridDim.x * 4 + 4) / 5"  # as if the launch were for five blocks a multiprocessor, of which four fit
    text = text.replace("(long long)gridDim.x", f"(long long)({used})")
    text, times = re.subn(r"(\bimg_resolve\([^{]*\{)", rf"\1 if (blockIdx.x >= {used}) return;", text)
    assert times == 1
    assert idle("img_resolve", CARDS["A100"], text) == {"img_resolve": 1}


def test_the_text_is_read_for_the_card_s_architecture() -> None:
    text = (
        '#include "common.cuh"\nextern "C" __global__ void __launch_bounds__(32) planted(Array<int> data_inout) {\n'
        "#if __CUDA_ARCH__ == 890\n  data_inout[blockIdx.x] = 89;\n#endif\n}\n"
    )
    for card, found in (("RTX 4090", 89), ("H200", 0)):
        data = np.zeros(4096, np.int32)
        pasted = source.paste(text, "kernels/planted.cu")
        Emulator(device_sms=2, card=CARDS[card]).launch_text(
            pasted, (Pass("planted", threads=32, blocks_per_sm=3),), ("data_inout",), (data,)
        )
        assert data[:7].tolist() == [found] * 6 + [0]
    assert for_architecture("nothing asks", "sm_80") == "nothing asks"


def test_resident_blocks_are_reckoned_as_the_occupancy_calculator_does() -> None:
    """Its own examples: by threads, by registers of whole warps and schedulers, by shared memory, by blocks."""
    h100, t4, ada = CARDS["H100"], CARDS["T4"], CARDS["RTX 4090"]
    assert h100.resident(32, 0, 1024) == 2 and t4.resident(32, 0, 1024) == 1 and ada.resident(32, 0, 1024) == 1
    assert h100.resident(255, 0, 32) == 8 and h100.resident(33, 0, 256) == 6
    assert h100.resident(96, 0, 128) == 5 and h100.resident(97, 0, 128) == 4
    assert h100.resident(16, 227 * 1024, 32) == 1 and ada.resident(16, 99 * 1024, 32) == 1
    assert t4.resident(16, 32 * 1024, 64) == 2 and t4.resident(16, 32 * 1024 + 1, 64) == 1
    assert [card.resident(16, 0, 32) for card in (h100, t4, ada)] == [32, 16, 24]


# --- How evenly warps trace -----------------------------------------------------------------------


def test_no_tile_belongs_to_a_warp() -> None:
    """Blocks come in turn here: the first one's warps take every tile, where nothing else would be fair."""
    kernel = all_kernels()["img_trace"]
    arguments = kernel.example(np.random.default_rng(1), 16)
    arguments["work_inout"] = np.zeros((1000, k.WORK_WORDS), np.int64)  # a row for each warp
    Emulator(device_sms=3, card=CARDS["H200"]).launch(kernel, *arguments.values())
    paths = arguments["work_inout"][:, k.WORK_PATHS]
    assert paths[: balance.WARPS].all() and paths.sum() == paths[: balance.WARPS].sum() == 16 * 16 * k.SAMPLE_CHUNK


@pytest.mark.parametrize("samples", [1, 16, 32, 64, 100, 128, 256, 512, 1024])
def test_tiles_are_those_of_the_kernel(samples: int) -> None:
    """A warp's lanes are its pixels times its chunks; as square as can be, and whole in a strip."""
    across, down = balance.tile_shape(samples)
    chunks = 32 // (across * down)
    most = max(1, -(-samples // k.SAMPLE_CHUNK))
    assert (across * down * chunks == 32 and chunks <= most < 2 * chunks) or chunks == 32
    assert across in (down, 2 * down) and balance.STRIP % down == 0
    rows, cost = np.ones((5, 7)), balance.tile_costs(np.ones((5, 7)), 40, 17, samples)
    assert len(cost) == 3 * balance.STRIP // down * -(-40 // across) and rows.sum() == 35
    assert cost.sum() == -(-17 // down) * -(-40 // across)


def test_warps_that_share_a_multiprocessor_share_its_issue() -> None:
    """Known answers: equal tiles end together; one dear tile alone runs at a warp's share."""
    even, time = balance.play(np.full(96, 3.0), 2, 24, True)
    assert np.all(even == 6.0) and time == 6.0 * 24
    alone, time = balance.play(np.array([5.0]), 2, 24, True)
    assert alone.sum() == 5.0 and time == pytest.approx(5.0 / balance.ISSUE_SHARE)
    # A stride of eight over tiles of which every eighth is dear: one warp has all of them
    costs = np.tile([9.0, *[1.0] * 7], 6)
    stride, drawn = (balance.play(costs, 2, 4, way)[0] for way in (False, True))
    assert stride.max() == 54.0 and drawn.max() < 20.0


@pytest.mark.slow
def test_multiprocessors_trace_as_much_as_each_other() -> None:
    """At every shipped size of which a card's warps have eight tiles each or more. The waterspout is the hardest: a
    tenth of its columns has most of the work. A stride did not do it."""
    costs = balance.cost_map(load_shot("tornado"))
    seen = 0
    for size in SIZE_NAMES:
        picture = load_shot("tornado").size(size)
        tiles = balance.tile_costs(costs, picture.width, picture.height, picture.samples)
        for card in CARDS.values() if size != "XL" else (CARDS["T4"], CARDS["H200"]):
            found = balance.balance(tiles, card, "drawn")
            if found.tiles >= 8 * found.warps:
                assert found.by_multiprocessor < 1.15 and found.end < 1.25, (size, card.name, found)
                seen += 1
            if (size, card.name) == ("M", "H200"):
                assert balance.balance(tiles, card, "stride").by_multiprocessor > 1.3
    assert seen == 2 * len(CARDS) + 2 and "tornado" in shot_names()
