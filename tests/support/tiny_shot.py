"""A shot of some thousand particles and sixty pixels with everything in it: for the emulator and for whole commands."""

from __future__ import annotations

import re
from pathlib import Path

from bench.shot.load import SHOTS

POOL = Path(__file__).resolve().parents[1] / "fixtures" / "pool.toml"


def write_tiny_shot(folder: Path, name: str = "pool") -> Path:
    """The test pool on a lattice of 16 cells, one sample a pixel, at sizes S and M."""
    text = POOL.read_text()
    for old, new in (
        ("cells_x = 48\nwidth = 96\nheight = 40\nsamples = 4", "cells_x = 16\nwidth = 12\nheight = 5\nsamples = 1"),
        ("cells_x = 96\nwidth = 192\nheight = 80\nsamples = 16", "cells_x = 20\nwidth = 16\nheight = 7\nsamples = 1"),
        ("sound_speed_m_per_s = 50.0", "sound_speed_m_per_s = 12.0"),
        ('name = "pool"', f'name = "{name}"'),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def write_tiny_lava(folder: Path) -> Path:
    """The shipped lava on a lattice of 24 cells: heat, rheology, embers."""
    text = re.sub(
        r"\[size\.S\]\ncells_x = \d+\nwidth = \d+\nheight = \d+\nsamples = \d+",
        "[size.S]\ncells_x = 24\nwidth = 12\nheight = 5\nsamples = 1",
        (SHOTS / "lava.toml").read_text(),
    )
    path = folder / "lava.toml"
    path.write_text(text)
    return path
