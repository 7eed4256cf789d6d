"""Ctrl-C and what schedulers send, while a farm works: the first ends the run in order, the second at once.

A signal that raises wherever the process just is would leave Parsl's locks held; so the first is only noted, and the
loop looks at it.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Self

from bench.base.errors import EXIT_SIGNAL, Stopped

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Stop:
    """Listens while the block lasts."""

    def __init__(self) -> None:
        self.number: int | None = None  # of the signal that came
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def __call__(self) -> bool:
        """Whether the run should end."""
        return self.number is not None

    def raise_if_stopped(self, note: str) -> None:
        """Raise Stopped, with what was kept, where a signal came."""
        if self.number is not None:
            stop = Stopped(self.number)
            stop.add_note(note)
            raise stop

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            return
        print("shotmark: stopped at once; nodes that were asked for end by themselves", file=sys.stderr, flush=True)
        os._exit(EXIT_SIGNAL + number)
