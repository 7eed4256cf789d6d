"""States of a simulation on disk: ``OUT/state`` holds whole ones to go on from, the newest two.

A state says what it is of: whatever name its file has, it is taken for nothing else.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from bench.pipeline.folder import sealed
from bench.pipeline.folder.frame_folder import FrameFolder

STATES_KEPT = 2
STATE_NAME = re.compile(r"([0-9]{1,9})\.npz")


class States:
    """The whole states of a folder of frames."""

    def __init__(self, folder: FrameFolder) -> None:
        self._of = folder
        self.folder = folder.folder / "state"

    def path(self, frame: int) -> Path:
        return self.folder / f"{frame:06d}.npz"

    def save(self, frame: int, state: Mapping[str, np.ndarray], sha256: str) -> None:
        """Keep the state after a frame, its digest and what it is of; older ones than the newest two go."""
        sealed.write(self.path(frame), state, sealed.about(self._of.header, frame), sha256)
        for number in self.frames()[:-STATES_KEPT]:
            with contextlib.suppress(OSError):
                self.path(number).unlink()

    def frames(self) -> list[int]:
        """Frames after which a state is kept, in order."""
        matches = (STATE_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted({int(match[1]) for match in matches if match})

    def load(self, before: int) -> Iterator[tuple[int, dict[str, np.ndarray], str]]:
        """(frame, state, its digest), newest first, of frames below ``before``.

        A file that is damaged, or of something else than its name says, is passed over.
        """
        for frame in reversed([number for number in self.frames() if number < before]):
            found = sealed.read(self.path(frame), sealed.about(self._of.header, frame))
            if found is not None and self._of.may_be(frame, found[1]):
                yield frame, *found
            del found  # before the next is read: each is gigabytes
