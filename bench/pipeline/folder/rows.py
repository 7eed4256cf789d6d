"""Frames as rows of evenly spaced ones: how a person writes them, and a program that counts."""

from __future__ import annotations

from collections.abc import Sequence


def rows_of(frames: Sequence[int]) -> list[range]:
    """Frames in order as evenly spaced rows, few of them. Two frames that are apart are two rows."""
    rows, start = [], 0
    while start < len(frames):
        stop = start + 1
        step = frames[stop] - frames[start] if stop < len(frames) else 1
        while stop < len(frames) and frames[stop] - frames[stop - 1] == step:
            stop += 1
        if stop - start == 2 and step > 1:
            stop -= 1
        rows.append(range(frames[start], frames[stop - 1] + 1, step if stop - start > 1 else 1))
        start = stop
    return rows


def frames_text(frames: Sequence[int], step: str = ":") -> str:
    """``1-10,20,30-60:5``: frames in order as ``--frames`` takes them; ``step`` is another program's sign for it."""
    texts = []
    for row in rows_of(frames):
        text = str(row[0]) if len(row) == 1 else f"{row[0]}-{row[-1]}"
        texts.append(text if row.step == 1 else f"{text}{step}{row.step}")
    return ",".join(texts)
