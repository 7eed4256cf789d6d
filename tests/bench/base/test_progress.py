"""A long step tells how far it is: not before two seconds, and not too often."""

from __future__ import annotations

import pytest

from bench.base import progress
from bench.base.progress import Bars, Lines, told_when_slow


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress.time, "perf_counter", made.perf_counter)
    return made


def test_only_a_slow_step_is_told(clock: Clock) -> None:
    said: list[str] = []
    tell = told_when_slow("scene", said.append)
    for tenths in range(100):
        clock.now = 100.0 + 0.1 * tenths
        tell(tenths / 100.0)
        assert bool(said) == (tenths > 20)
    assert said[0] == "scene: 21 %" and 12 <= len(said) <= 16


def test_a_line_every_few_seconds_and_a_bar_each_time(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.begin("wave-L", 3)
    for second in range(12):
        clock.now += 1.0
        lines.within("wave-L", f"scene: {second} %")
    shown = capsys.readouterr().err.splitlines()
    assert shown == ["wave-L: starts", "wave-L: scene: 0 %", "wave-L: scene: 6 %"]
    bars = Bars(1)
    bars.begin("wave-L", 3)
    bars.within("wave-L", "scene: 40 %")
    task = bars._bars.tasks[-1]
    assert task.fields["now"] == "scene: 40 %" and task.completed == 0
