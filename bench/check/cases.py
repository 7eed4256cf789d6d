"""Shots as cases to measure, each with what its output has to be."""

from __future__ import annotations

from collections.abc import Sequence

from bench.base.errors import UserError
from bench.check.golden import definition_sha256, expected, is_shipped, load_golden
from bench.measure.meter import ShotCase
from bench.shot.load import Shot


def make_cases(shots: Sequence[Shot], size: str, frame: int, rounds: int | None) -> list[ShotCase]:
    """One case a shot; raises UserError for an unknown size, too many frames or two shots of one name."""
    golden = load_golden()
    cases: list[ShotCase] = []
    for shot in shots:
        shot.size(size)
        if frame > shot.frames:
            raise UserError(f"--frames: expected at most {shot.frames}, the length of {shot.name}, not {frame}")
        if any(case.shot_name == shot.name for case in cases):
            raise UserError(
                f"{shot.path}: shot.name: expected another name than {shot.name!r}, which is asked for twice"
            )
        proof = expected(golden, shot.name, size, frame) if is_shipped(shot) else None
        cases.append(ShotCase(shot, shot.name, size, frame, rounds, proof, definition_sha256(shot)))
    return cases
