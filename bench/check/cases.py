"""Shots as cases to measure, each with what its output has to be."""

from __future__ import annotations

from collections.abc import Sequence

from bench.base.errors import UserError
from bench.check.golden import definition_sha256, expected, golden_frames, is_shipped, load_golden
from bench.measure.meter import ShotCase
from bench.shot.load import Shot


def make_cases(
    shots: Sequence[Shot], size: str, frame: int, rounds: int | None, earlier: bool = False
) -> list[ShotCase]:
    """One case a shot; ``earlier``: golden frames before the measured one are proved as well.

    Raises UserError for an unknown size, too many frames or two shots of one name.
    """
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
        known = golden if is_shipped(shot) else {}
        before = [n for n in golden_frames(known, shot.name, size) if n < frame] if earlier else []
        cases.append(
            ShotCase(
                shot,
                shot.name,
                size,
                frame,
                rounds,
                expected(known, shot.name, size, frame),
                definition_sha256(shot),
                {number: expected(known, shot.name, size, number) or {} for number in before},
            )
        )
    return cases
