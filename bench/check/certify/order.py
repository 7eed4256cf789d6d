"""The parts of a certificate by worth: what a rented card should have proved first, if the time ends early.

Nothing that a GPU can do waits for Numba's compiler: it goes on beside the roofs and the block of water. Shots at M and
above need no CPU beside them: committed hashes prove them. A memory checker slows every launch a hundred times, so it
comes when all else is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench.check import sanitizer as sanitize
from bench.check.certify import proofs, shots, speed
from bench.check.certify.session import Limits, Session
from bench.record.certificate import Finding


@dataclass(frozen=True)
class Step:
    """One part of a certificate, before it is done."""

    name: str
    share: float  # of the whole budget, at the most
    do: Callable[[Session], Finding]


def steps(limits: Limits, on_gpu: bool) -> list[Step]:
    """Every part in its order. What a CPU has not is named as well, and left out with a reason."""
    sizes = {size: Step(f"shots {size}", 0.4, partial(shots.shots, size=size)) for size in limits.sizes}
    film = [sizes.pop("XL")] if "XL" in sizes else []
    memcheck, racecheck, initcheck = (
        Step(f"sanitizer {tool}", 0.5, partial(proofs.sanitizer, tool=tool)) for tool in sanitize.TOOLS
    )
    measured = [Step("roofs", 0.1, speed.measure_roofs), Step("water", 0.15, speed.water)]
    return [
        Step("compile", 1.0, proofs.compile_all),
        *(measured if on_gpu else ()),
        Step("twins", 0.2, partial(proofs.twins, name="twins", choose=proofs.hot_kernels)),
        *sizes.values(),
        *(() if on_gpu else measured),
        Step("kernels", 0.25, partial(speed.kernels, name="kernels", choose=proofs.hot_kernels)),
        *film,
        Step("other twins", 0.3, partial(proofs.twins, name="other twins", choose=proofs.other_kernels)),
        Step("energy", 0.05, shots.energy),
        Step("checks", 0.3, proofs.checks),
        memcheck,
        racecheck,
        Step("other kernels", 1.0, partial(speed.kernels, name="other kernels", choose=proofs.other_kernels)),
        initcheck,
    ]
