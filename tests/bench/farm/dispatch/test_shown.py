"""What a person sees of a run, on a terminal and elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.farm.dispatch import shown
from bench.farm.dispatch.shown import Bars, Lines, Status

STATUS = Status(
    frames=60,
    done=20,
    failed=1,
    rendering=6,
    simulated=40,
    workers=6,
    workers_wanted=8,
    working=tuple(f"render {n} on gb{n}" for n in range(1, 7)),
    queue="1 node is on the way",
    left_s=90.0,
)


def test_a_line_says_all_of_it() -> None:
    assert STATUS.line == (
        "20 of 60 frames, 6 in work, 33 left, 1 failed, 6 of 8 workers, 1 node is on the way,"
        " render 1 on gb1; render 2 on gb2; render 3 on gb3; render 4 on gb4 and 2 more, about 90 s left"
    )
    assert replace(STATUS, failed=0, left_s=None, working=(), queue="").line == (
        "20 of 60 frames, 6 in work, 34 left, 6 of 8 workers, time left unknown"
    )


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(shown.time, "monotonic", lambda: now[0])
    with Lines("wave-S") as lines:
        for seconds in (0.0, 1.0, 4.0, 6.0, 12.0):
            now[0] = 100.0 + seconds
            lines.status(replace(STATUS, done=int(seconds)))
        now[0] = 200.0
        lines.status(replace(STATUS, done=12))  # as before: nothing new
        lines.tell("render 3 on gb1: [bold]it\x1b broke; tried again")
    said = capsys.readouterr()
    assert said.out == "" and [line.split(" of ")[0] for line in said.err.splitlines()[:3]] == [
        "wave-S: 0",
        "wave-S: 6",
        "wave-S: 12",
    ]
    assert said.err.splitlines()[3:] == ["wave-S: render 3 on gb1: [bold]it? broke; tried again"]


def test_bars_show_frames_and_states(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with Bars("wave-S") as bars:
        bars.status(STATUS)
        bars.tell("render 3 on gb1: it broke")
    said = capsys.readouterr()
    assert said.out == ""
    for words in ("20/60", "40/60", "left 90 s", "6 of 8 workers", "1 failed", "wave-S: render 3 on gb1: it broke"):
        assert words in said.err
