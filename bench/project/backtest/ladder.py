"""The sizes, frames and rounds of each kind of series; light, so that the command line can list the kinds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One size of a series, made from a shot's size S."""

    cells_factor: float  # cells along x over those of size S
    width: int  # of the picture, pixels
    height: int
    samples: int  # per pixel


@dataclass(frozen=True)
class Kind:
    """One kind of series."""

    steps: tuple[Step, ...]
    rounds: int | None = None  # timed rounds; None as time allows
    every_frame: bool = False  # every ``FRAME_STEP``-th frame of the shot, not one alone


LADDER = (
    Step(0.5, 160, 66, 8),
    Step(0.7, 224, 94, 16),
    Step(1.0, 320, 134, 16),
    Step(1.4, 448, 188, 16),
    Step(2.0, 640, 268, 16),
)
FRAME_STEP = 2
SERIES = {
    "sizes": Kind(LADDER),
    "frames": Kind((Step(0.7, 160, 66, 8),), rounds=4, every_frame=True),
    "workers": Kind((Step(1.0, 224, 94, 16), Step(1.4, 320, 134, 8)), rounds=6),
}
KINDS = tuple(SERIES)
