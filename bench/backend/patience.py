"""Waiting for a GPU with a limit, so that one that hangs ends in a line and not in a process that has to be killed.

A call that waits inside the driver cannot be broken off. So ``wait`` asks instead, without a pause at first, as the
driver does itself, and then with pauses of a ten-thousandth of the time waited: no measured time is longer by more than
that, and times on a GPU are its events' anyway. What cannot be asked, such as a launch into a full queue, is looked at
by a ``Watch`` from a thread of its own; it can only end the process, after what was finished is saved.
Not yet run on a GPU.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Protocol

from bench.base.errors import EXIT_UNAVAILABLE, UserError, one_line

VARIABLE = "SHOTMARK_GPU_TIMEOUT_S"
# A wait covers a frame at the most. The longest known, XL on H200, is estimated at 15 s of tracing; cards that are ten
# to thirty times slower have not the memory for it
LIMIT_S = 600.0
LONGEST_S = 1e6  # of the variable: eleven days
NOT_READY = 600  # cudaErrorNotReady
AT_ONCE_S = 0.5  # that a wait asks without a pause
PAUSE_SHARE = 1e-4  # of the time waited
WATCH_SHARE = 1.25  # of the limit: waits that can be broken off come first
LOOKS = 20  # of a watch in one limit


def limit_s() -> float:
    """Seconds that a GPU may leave a wait without an answer. Raises UserError."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return LIMIT_S
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0.0 < found <= LONGEST_S:
        raise UserError(f"{VARIABLE}: expected seconds, above 0 and up to {LONGEST_S:.0f}, not {text[:40]!r}")
    return found


def wait(
    status: Callable[[], int],
    limit: float,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether the device was done, or had failed, within the limit; ``status`` is CUDA's answer to a query."""
    begun = now()
    while status() == NOT_READY:
        waited = now() - begun
        if waited > limit:
            return False
        if waited > AT_ONCE_S:
            pause(waited * PAUSE_SHARE)
    return True


def silence(number: int, name: str, limit: float) -> str:
    """What is said of a device that did not answer."""
    return (
        f"GPU {number} ({name}) did not answer for {limit:g} s: it hangs, or has more to do than {VARIABLE} allows."
        " What was finished is saved; run again, or use --backend numba"
    )


def failure(number: int, error: BaseException) -> str:
    """What is said of a device that the driver reports an error of."""
    why = " (the display's driver ends what takes seconds: a smaller --size, or a GPU without a display)"
    told = one_line(error) + (why if "LaunchTimeout" in str(error) else "")
    return f"GPU {number} failed: {told}. What was finished is saved; run again, or use --backend numba"


class Watched(Protocol):
    """A back-end that counts its calls of the driver."""

    calls: int  # begun so far
    inside: int  # not returned from yet: calls within calls

    def stuck(self) -> None:
        """A call has not returned for longer than any wait may take."""


def watch(watched: Watched, limit: float) -> None:
    """Look at a back-end's calls from a thread, as long as there is that back-end."""
    gone = threading.Event()
    seen = weakref.ref(watched, lambda _: gone.set())
    looks = max(1, math.ceil(LOOKS * WATCH_SHARE))

    def look() -> None:
        last, same = -1, 0
        while not gone.wait(limit / LOOKS):
            found = seen()
            if found is None:
                return
            same = same + 1 if found.inside and found.calls == last else 0
            last = found.calls
            if same >= looks:
                found.stuck()
                return
            del found

    threading.Thread(target=look, name="shotmark-gpu-watch", daemon=True).start()


def leave(line: str) -> None:
    """End this process at once, with one line: its main thread never comes back from the driver."""
    with contextlib.suppress(OSError, ValueError):
        print(f"\nshotmark: {line}", file=sys.stderr, flush=True)
    os._exit(EXIT_UNAVAILABLE)


def leave_at_the_end() -> None:
    """Once all is said, end without tidying up: freeing what a device holds that hangs would wait for it."""

    @atexit.register
    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(EXIT_UNAVAILABLE)
