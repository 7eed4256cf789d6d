"""python -m tests.emulator NAME...: a kernel's example through Numba and through its .cu in the emulator, compared."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from bench.backend.same_bits import copied, differences
from kernels.base import source
from kernels.base.registry import all_kernels
from tests.emulator import Emulator, EmulatorError, build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("names", nargs="*", help="kernels; all that have a .cu when none is named")
    parser.add_argument("--size", type=int, default=300, help="given to example()")
    parser.add_argument("--rng", type=int, default=1, help="seed of example()'s random numbers")
    parser.add_argument("--orders", type=int, default=3, help="orders of blocks and threads, the natural one first")
    chosen = parser.parse_args()
    kernels, failed = all_kernels(), False
    for name in chosen.names or [name for name in kernels if source.has_twin(name)]:
        kernel = kernels[name]
        arguments = kernel.example(np.random.default_rng(chosen.rng), chosen.size)
        want = copied(arguments)
        kernel.cpu(*want.values())
        for checked in (False, True):
            for seed in range(chosen.orders):
                got, before = copied(arguments), time.perf_counter()
                try:
                    Emulator(checked=checked, seed=seed).launch(kernel, *got.values())
                    wrong = differences(kernel, want, got)
                except (EmulatorError, build.BuildError, source.SourceError) as error:
                    wrong = [str(error)]
                failed |= bool(wrong)
                kind, took = "checked" if checked else "plain", time.perf_counter() - before
                print(f"{name:20s} {kind:8s} order {seed}  {'; '.join(wrong) or 'equal'}  ({took:.2f} s)")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
