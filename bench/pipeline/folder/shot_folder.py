"""The folder of one render: it holds the lock of ``OUT/.lock``, which the system takes away from one that was killed.

Everything is written whole or not at all, so a render can be stopped at any moment and goes on where it was. Tasks that
work side by side have no lock: see ``task_folder``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.base.errors import UserError
from bench.base.files import TEMPORARY_PREFIX, make_folder, write_atomically
from bench.base.locks import acquire, lock_of
from bench.pipeline.folder.claims import Claims
from bench.pipeline.folder.frame_folder import OTHER_OUT, FrameFolder
from bench.pipeline.folder.made import MadeDocument
from bench.pipeline.folder.states import States

LOCK_NAME, CLAIMS = ".lock", "claims"


def parse_frames(text: str, last: int) -> list[int]:
    """``1-60``, ``7``, ``1-10,20,30-60:5`` or ``all`` -> frame numbers in order. Raises UserError."""
    if text == "all":
        return list(range(1, last + 1))
    frames: set[int] = set()
    for part in text.split(","):
        span, _, step = part.strip().partition(":")
        low, dash, high = span.partition("-")
        numbers = [low, high if dash else low, step or "1"]
        if not all(number.isascii() and number.isdigit() and len(number) < 7 for number in numbers):
            raise UserError(f"--frames: expected frames such as 1-{last} or 1,5,10-20, not {text!r}")
        first, end, stride = (int(number) for number in numbers)
        wrong = _wrong_span(first, end, stride, last)
        if wrong:
            raise UserError(f"--frames: expected frames from 1 to {last}, not {part.strip()!r}: {wrong}")
        frames.update(range(first, end + 1, stride))
    return sorted(frames)


def _wrong_span(first: int, end: int, stride: int, last: int) -> str | None:
    """Why these are no frames of a shot of ``last``; None where they are."""
    if first < 1:
        return "frames begin at 1"
    if first > end:
        return f"the first, {first}, is after the last, {end}"
    if end > last:
        return f"the shot ends at {last}"
    return "the step is 0" if stride < 1 else None


class ShotFolder(FrameFolder):
    """One output folder of ``render``; nobody else has it until it is closed."""

    def __init__(self, folder: Path, header: Mapping[str, str | int]) -> None:
        """Open or begin a folder. Raises UserError when it holds frames of something else, or another render has it."""
        super().__init__(folder, header)
        make_folder(folder)
        self._lock = lock_of(folder / LOCK_NAME)
        if not acquire(self._lock):
            raise UserError(f"{folder}: another render works in this folder; wait until it has ended, or {OTHER_OUT}")
        try:
            make_folder(folder / "state")
            self.states = States(self)
            self.read_manifest()
            busy = Claims(folder / CLAIMS).live()
            if busy:
                raise UserError(f"{folder}: tasks work in this folder ({busy[0]}); wait until they end, or {OTHER_OUT}")
            self._sweep()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have the folder."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sweep(self) -> None:
        """Remove what a killed render had begun to write."""
        for folder in (self.folder, self.states.folder):
            for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def add(
        self,
        frame: int,
        state_sha256: str,
        picture_sha256: str,
        write: Mapping[str, Callable[[Path], None]],
        made: Callable[[], Sequence[MadeDocument]] = tuple,
    ) -> None:
        """Write a frame's files by suffix, each whole or not at all, then note the frame as finished."""
        self.frames[str(frame)] = self.write(frame, state_sha256, picture_sha256, write, made)
        write_atomically(self.manifest, self.document())
