"""Which task is asked for: what ``render``'s options for tasks mean, and which of them go together."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.base.errors import UserError
from bench.pipeline.parts import Part

SAMPLES_MAX = 1_000_000
SAMPLES = re.compile(r"(\d{1,7})(?:-(\d{1,7})(?:/(\d{1,7}))?)?")
TILE = re.compile(r"(\d{1,7}),(\d{1,7}),(\d{1,7}),(\d{1,7})")


@dataclass(frozen=True)
class Samples:
    """What ``--samples`` says: of how many a pixel, and which of them."""

    count: int | None = None  # None: the size's
    first: int | None = None  # None: all of them
    last: int | None = None


def parse_samples(text: str | None) -> Samples:
    """``64``: so many a pixel. ``0-15``: of the size's, these alone. ``0-15/64``: of 64. Raises UserError."""
    if text is None:
        return Samples()
    match = SAMPLES.fullmatch(text.strip())
    if match is None or not text.isascii():
        raise UserError(f"--samples: expected a number, a range such as 0-15, or 0-15/64 of 64, not {text[:40]!r}")
    low, high, of = (int(number) if number else None for number in match.groups())
    count = low if high is None else of
    if count is not None and not 1 <= count <= SAMPLES_MAX:
        raise UserError(f"--samples: expected 1 to {SAMPLES_MAX} samples a pixel, not {count}")
    return Samples(count) if high is None else Samples(of, low, high)


def part_of_picture(tile: str | None, samples: Samples, width: int, height: int, of: int) -> Part | None:
    """The part that ``--tile`` and ``--samples`` ask for, of a picture with ``of`` samples a pixel; None: all of it.

    Raises UserError where the picture has no such part.
    """
    if tile is None and samples.first is None:
        return None
    window = (0, 0, width, height)
    if tile is not None:
        match = TILE.fullmatch(tile.replace(" ", ""))
        if match is None or not tile.isascii():
            raise UserError(f"--tile: expected X0,Y0,X1,Y1 such as 0,0,{width},{height}, not {tile[:40]!r}")
        window = tuple(map(int, match.groups()))  # type: ignore[assignment]
        x_low, y_low, x_high, y_high = window
        if not (x_low < x_high <= width and y_low < y_high <= height):
            raise UserError(f"--tile: expected 0 <= X0 < X1 <= {width} and 0 <= Y0 < Y1 <= {height}, not {tile[:40]!r}")
    first, last = (samples.first, samples.last) if samples.first is not None else (0, of - 1)
    assert last is not None
    if not first <= last < of:
        raise UserError(f"--samples: expected a range within 0-{of - 1}, not {first}-{last}")
    return Part(*window, first, last + 1)


def require_one(**modes: bool) -> str | None:
    """The option of ``render`` that says which task is asked for, None where none is; several are a UserError."""
    said = [f"--{name.replace('_', '-')}" for name, asked in modes.items() if asked]
    if len(said) > 1:
        raise UserError(f"{' and '.join(said)}: expected one of them, each is a task of its own")
    return said[0] if said else None
