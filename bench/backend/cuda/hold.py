"""Hold a device back while the host queues what is to be timed, so that no time of the host is in it.

An event is passed when the device gets to it. On an idle device that is at once, and what follows arrives when the
host is ready with it: between two events around a short kernel lies the host's time. Behind a launch that waits
(``hold.cu``) everything is queued already. A graph would not do: its own start comes after the first event, and an
observer's events have no place inside it. How long the host took is looked at: a hold that was too short says so, and
grows.
Not yet run on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kernels.base import source
from kernels.base.kernel import Pass

if TYPE_CHECKING:
    from bench.backend.cupy_gpu import CupyBackend
    from bench.backend.protocol import Stamp

TEXT = Path(__file__).with_name("hold.cu")
ENTRY = Pass("hold_stream", threads=1, blocks_per_sm=0)
FIRST_S = 200e-6  # five times what nine passes take to queue
MOST_S = 20e-3
TRIES = 4  # from FIRST_S on that reaches MOST_S
SPARE = 2.0  # of the time that the host took, when a hold has to grow
CLOCK_UNKNOWN_HZ = 3e9  # at least as fast as any: a hold is never shorter than asked for


class Hold:
    """Of one back-end."""

    def __init__(self, backend: CupyBackend) -> None:
        text = source.paste(TEXT.read_text(encoding="utf-8"), f"bench/backend/cuda/{TEXT.name}")
        self._pass = backend.load_text(text, f"bench/backend/cuda/{TEXT.name}", ENTRY)
        self._backend = backend
        self.seconds = FIRST_S

    def seconds_of(self, launches: Callable[[], None]) -> float:
        """Seconds of the device for launches that may be done several times over."""
        for _ in range(TRIES):
            before, after, in_time = self.around(launches)
            if in_time:
                break
        return float(after - before)

    def around(self, launches: Callable[[], None]) -> tuple[Stamp, Stamp, bool]:
        """Stamps around launches, and whether all of it was queued before the first of them was passed."""
        backend = self._backend
        clock_hz = backend.clock_max_hz or CLOCK_UNKNOWN_HZ
        start = backend.host_clock()
        backend.run_pass(self._pass, int(self.seconds * clock_hz))
        before = backend.clock()
        launches()
        after = backend.clock()
        took_s = backend.host_clock() - start
        in_time = took_s < self.seconds
        if not in_time:
            self.seconds = min(SPARE * took_s, MOST_S)
        return before, after, in_time
