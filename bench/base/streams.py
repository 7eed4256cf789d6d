"""Standard output and error of a command: whatever their encoding, and whoever stops reading.

A character that the encoding lacks is replaced: a run of hours must not end over a dash. A reader that goes away
(``shotmark run | head -1``) is not an error either: what follows goes nowhere, and the command comes to its own end.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

READER_GONE = (errno.EPIPE, errno.EINVAL if os.name == "nt" else errno.EPIPE)


class _Pipe(io.RawIOBase):
    """A raw stream that takes everything, also when nobody reads it any more; without a label, whatever happens."""

    def __init__(self, raw: io.RawIOBase, label: str | None) -> None:
        self._raw = raw
        self._label = label

    def write(self, content: ReadableBuffer, /) -> int | None:
        try:
            return self._raw.write(content)
        except OSError as error:
            # The descriptor itself: neither the interpreter at its end nor a child process meets the same again
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._raw.fileno())
            os.close(nowhere)
            if self._label is not None and error.errno not in READER_GONE:
                error.filename = self._label  # a full disk is the user's business
                raise
        return len(memoryview(content).cast("B"))

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()

    def writable(self) -> bool:
        return True


def forgiving_streams() -> None:
    """Replace standard output and error by streams that neither an encoding nor a reader can break."""
    for name, label in (("stdout", "standard output"), ("stderr", None)):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue  # closed, or somebody's own
        if stream.isatty():
            stream.reconfigure(errors="replace")
            continue
        raw: Any = getattr(stream.buffer, "raw", stream.buffer)  # PYTHONUNBUFFERED leaves the buffer out
        made = io.TextIOWrapper(
            io.BufferedWriter(_Pipe(raw, label)),
            encoding=stream.encoding,
            errors="replace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, made)
