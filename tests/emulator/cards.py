"""Real cards: what a multiprocessor of each holds, so that a launch can be made as that card would make it.

Registers and shared memory of an entry are ptxas' own for the card's architecture; how many blocks a multiprocessor
holds follows from them as the driver reckons it (CUDA C++ Programming Guide, table of technical specifications per
compute capability; CUDA occupancy calculator: registers are dealt to warps in units of 256, warps to four schedulers,
from 8.0 on a block's shared memory has a kilobyte beside its own).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from kernels.base import nvrtc
from kernels.base.kernel import Pass

REGISTERS = 65536  # of a multiprocessor, on every card from 7.5 on
REGISTER_UNIT = 256  # of a warp
SCHEDULERS = 4
WARP = 32
KIB = 1024


@dataclass(frozen=True)
class Card:
    """A GPU as its maker describes it."""

    name: str
    architecture: str  # as NVRTC calls it
    multiprocessors: int
    threads: int  # that a multiprocessor holds
    blocks: int
    shared_bytes: int
    clock_hz: float  # boost
    shared_unit: int = 128  # bytes of shared memory are dealt in such units
    shared_reserved: int = KIB  # of each block

    def resident(self, registers: int, shared_bytes: int, threads: int) -> int:
        """Blocks that a multiprocessor holds at once, of an entry that takes this much."""
        warps = -(-threads // WARP)
        by_threads = self.threads // WARP // warps
        of_block = _up(shared_bytes + self.shared_reserved, self.shared_unit)
        by_shared = self.shared_bytes // of_block if of_block else self.blocks
        of_warp = _up(registers * WARP, REGISTER_UNIT)
        by_registers = REGISTERS // SCHEDULERS // of_warp * SCHEDULERS // warps
        return min(self.blocks, by_threads, by_shared, by_registers)

    def resident_of(self, text: str, one: Pass) -> int:
        """The same of a pass whose entry stands in an assembled text."""
        taken = _resources(text, self.architecture)[one.entry]
        return self.resident(taken.registers, taken.shared_bytes + one.shared_bytes, one.threads)

    def per_multiprocessor(self, text: str, one: Pass) -> int:
        """Blocks for each multiprocessor of a launch of the pass, as the GPU back-end makes it; 0: one single block."""
        return min(one.blocks_per_sm, self.resident_of(text, one)) if one.blocks_per_sm else 0


@functools.cache
def _resources(text: str, architecture: str) -> dict[str, nvrtc.Resources]:
    return nvrtc.resources(nvrtc.compile_text(text, architecture, verbose=True)[1])


def _up(number: int, unit: int) -> int:
    return -(-number // unit) * unit


CARDS = {
    card.name: card
    for card in (
        Card("T4", "sm_75", 40, 1024, 16, 64 * KIB, 1.590e9, shared_unit=256, shared_reserved=0),
        Card("A100", "sm_80", 108, 2048, 32, 164 * KIB, 1.410e9),
        Card("RTX 3090", "sm_86", 82, 1536, 16, 100 * KIB, 1.695e9),
        Card("RTX 4090", "sm_89", 128, 1536, 24, 100 * KIB, 2.520e9),
        Card("H100", "sm_90", 132, 2048, 32, 228 * KIB, 1.980e9),
        Card("H200", "sm_90", 132, 2048, 32, 228 * KIB, 1.980e9),
        Card("B200", "sm_100", 148, 2048, 32, 228 * KIB, 1.965e9),
        Card("RTX 5090", "sm_120", 170, 1536, 24, 100 * KIB, 2.407e9),
    )
}


def for_architecture(text: str, architecture: str) -> str:
    """A text behind the definition that NVRTC makes by itself, where the text asks for it."""
    asked = "__CUDA_ARCH__" in text
    return f"#define __CUDA_ARCH__ {architecture.removeprefix('sm_')}0\n{text}" if asked else text
