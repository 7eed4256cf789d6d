"""The log of a farm's runs: ``OUT/farm/log.jsonl``, one JSON object a line, each with ``event`` and ``at_s``.

A line is written whole and at once: whoever reads the log while it grows, or after a kill, has all but the last line.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOG_NAME = "log.jsonl"
LINE_BYTES_MAX = 2**24


class FarmLog:
    """Appends events to a folder's log."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self.path = folder / LOG_NAME
        self._now = now
        self.mend()

    def mend(self) -> None:
        """End a line that a killed run had begun: what follows would be lost with it."""
        try:
            with open(self.path, "rb+") as file:
                if file.seek(0, os.SEEK_END) and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                    file.write(b"\n")
        except FileNotFoundError:
            return

    def write(self, event: str, **words: object) -> float:
        """Append one event; returns when that was, unix time. Raises OSError."""
        at_s = round(self._now(), 6)
        line = json.dumps({"event": event, "at_s": at_s, **words}, allow_nan=False) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if os.write(handle, line.encode()) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            error.filename = str(self.path)
            raise
        finally:
            os.close(handle)
        return at_s


def read_log(path: Path) -> Iterator[dict[str, object]]:
    """Events in their order; a line that is none is passed over."""
    try:
        with open(path, "rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                try:
                    found = json.loads(line)
                except ValueError:
                    continue
                if isinstance(found, dict) and isinstance(found.get("event"), str):
                    yield found
    except FileNotFoundError:
        return
