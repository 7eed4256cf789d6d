"""A shot folder in which tasks work side by side, on one machine or on many that share a file system.

Nobody has it: everything that a task makes is a file of its own, which comes by rename, and what is being made is
claimed (``claims``). Beside what ``frame_folder`` has:

``OUT/state/000008.npz``: the newest two whole states, to go on from. ``OUT/fluid/000007.npz``: what the picture of
frame 7 is made from. ``OUT/sums/000007/0-0-320-64_0-15.npz``: the sums of one part of it, here samples 0 to 15 of the
pixels 0 <= x < 320, 0 <= y < 64. What no frame needs any more goes when the frames are put together.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.base.aside import Aside
from bench.base.files import TEMPORARY_PREFIX, dump, make_folder, write_atomically
from bench.pipeline.folder import sealed
from bench.pipeline.folder.claims import Claims
from bench.pipeline.folder.frame_folder import FrameEntry, FrameFolder
from bench.pipeline.folder.made import Made, MadeDocument, made_documents
from bench.pipeline.folder.shot_folder import CLAIMS
from bench.pipeline.folder.states import States
from bench.pipeline.parts import Part, part_of

FLUID, SUMS = "fluid", "sums"
FLUID_NAME = re.compile(r"([0-9]{6,9})\.npz")
ROOM, MADE = "room", "made"  # names beside the arrays: particles that there is room for; what its maker says, as JSON


@dataclass(frozen=True)
class FluidFile:
    """What a picture is made from."""

    arrays: dict[str, np.ndarray]
    room: int  # particles that the simulation has room for
    sha256: str  # of the whole state
    made: list[MadeDocument]  # the simulation of this frame
    since_s: float  # when it was there, on the clock of the file system
    file: tuple[int, int, int]  # what tells it from another one of that name
    seal: Aside[bool]  # whether the arrays have the bits that were written: found out beside other work

    def whole(self) -> bool:
        """Whether the arrays have the bits that were written; waits until that is known."""
        return self.seal.result()

    def same_file(self, path: Path) -> bool:
        """Whether the file of that name is still the one that this came from."""
        try:
            return self.file == _identity(path)
        except OSError:
            return False


@dataclass(frozen=True)
class SumsFile:
    """The sums of one part of a picture."""

    part: Part
    sums: np.ndarray  # float32[records, height, width, PIXEL_WORDS]
    sha256: str  # of the state
    made: list[MadeDocument]


class TaskFolder(FrameFolder):
    """A folder of frames that tasks make."""

    def __init__(self, folder: Path, header: Mapping[str, str | int]) -> None:
        """Open or begin a folder. Raises UserError when it holds frames of something else."""
        super().__init__(folder, header)
        make_folder(folder)
        for name in ("state", FLUID, SUMS):
            (folder / name).mkdir(exist_ok=True)
        self.entries.mkdir(exist_ok=True)
        self.states = States(self)
        self.claims = Claims(folder / CLAIMS)
        self._begin()

    def _begin(self) -> None:
        """Say of what the frames are, unless somebody has; of several who try, one does."""
        if not self.manifest.exists():
            temporary = self.folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}.tmp"
            try:
                temporary.write_bytes(self.document())
                try:
                    os.link(temporary, self.manifest)
                except FileExistsError:
                    pass
                except OSError:  # a file system without links: a header of ours over the same one does no harm
                    os.replace(temporary, self.manifest)
            finally:
                temporary.unlink(missing_ok=True)
        self.read_manifest()

    # --- what a picture is made from ---------------------------------------------------------
    def fluid_path(self, frame: int) -> Path:
        return self.folder / FLUID / f"{frame:06d}.npz"

    def save_fluid(self, frame: int, arrays: Mapping[str, np.ndarray], room: int, sha256: str, made: Made) -> None:
        """Keep what a picture is made from. It may be lost with the power: it can be simulated again."""
        words = {ROOM: np.array(room, np.int64), MADE: np.array(json.dumps([made.document()]))}
        text = sealed.about(self.header, frame, of=FLUID)
        sealed.write(self.fluid_path(frame), sealed.sealed({**arrays, **words}), text, sha256, on_disk=False)

    def fluid_frames(self) -> list[int]:
        """Frames of which there is a file of that name, whatever is in it, in order."""
        matches = (FLUID_NAME.fullmatch(path.name) for path in (self.folder / FLUID).iterdir())
        return sorted({int(match[1]) for match in matches if match})

    def has_fluid(self, frame: int) -> bool:
        """Whether a file is there; ``fluid`` says whether it is whole."""
        return self.fluid_path(frame).is_file()

    def fluid(self, frame: int) -> FluidFile | None:
        """What the picture of a frame is made from; None where it is not there, or cannot be read: it is gone then.

        Ask ``whole`` before what comes of it is kept.
        """
        path = self.fluid_path(frame)
        if not path.exists():
            return None
        found = sealed.read(path, sealed.about(self.header, frame, of=FLUID))
        if found is None or ROOM not in found[0] or not self.may_be(frame, found[1]):
            self.drop_fluid(frame)
            return None
        with_words, sha256 = found
        arrays = {name: values for name, values in with_words.items() if name not in (ROOM, MADE, sealed.SEAL)}
        seal = Aside(lambda: sealed.unsealed(with_words) is not None)
        room, made = int(with_words[ROOM]), _made_in(with_words)
        with contextlib.suppress(OSError):
            return FluidFile(arrays, room, sha256, made, path.stat().st_mtime, _identity(path), seal)
        return None  # gone meanwhile: the frame is finished

    def drop_fluid(self, frame: int) -> None:
        """Let go of a file that is no good."""
        with contextlib.suppress(OSError):
            self.fluid_path(frame).unlink()

    # --- sums --------------------------------------------------------------------------------
    def sums_path(self, frame: int, part: Part) -> Path:
        return self.folder / SUMS / f"{frame:06d}" / f"{part}.npz"

    def save_sums(self, frame: int, part: Part, sums: np.ndarray, sha256: str, made: Sequence[MadeDocument]) -> None:
        """Keep the sums of one part. They may be lost with the power: they can be traced again."""
        path = self.sums_path(frame, part)
        path.parent.mkdir(exist_ok=True)
        arrays = {SUMS: sums, MADE: np.array(json.dumps(list(made)))}
        text = sealed.about(self.header, frame, of=str(part))
        sealed.write(path, sealed.sealed(arrays), text, sha256, on_disk=False)

    def has_sums(self, frame: int, part: Part) -> bool:
        return self.sums_path(frame, part).is_file()

    def sums(self, frame: int) -> Iterator[SumsFile]:
        """What is there of a frame's parts; what is damaged goes."""
        folder = self.folder / SUMS / f"{frame:06d}"
        if not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            part = part_of(path.stem) if path.suffix == ".npz" else None
            if part is None:
                continue
            found = sealed.read(path, sealed.about(self.header, frame, of=str(part)))
            arrays = sealed.unsealed(found[0]) if found is not None else None
            if found is None or arrays is None or SUMS not in arrays:
                with contextlib.suppress(OSError):
                    path.unlink()
                continue
            made = _made_in(arrays)
            yield SumsFile(part, arrays[SUMS], found[1], made)

    # --- frames ------------------------------------------------------------------------------
    def add(
        self,
        frame: int,
        state_sha256: str,
        picture_sha256: str,
        write: Mapping[str, Callable[[Path], None]],
        made: Callable[[], Sequence[MadeDocument]],
    ) -> None:
        """Write a frame's files by suffix, then its entry."""
        entry = self.write(frame, state_sha256, picture_sha256, write, made)
        document = {"header": self.header, "frame": frame, "entry": entry}
        write_atomically(self.entry_path(frame), dump(document))

    def gather(self, chosen: Callable[[int], FrameEntry | None]) -> None:
        """Put what tasks have finished into the manifest; ``chosen`` gives the entry of a frame that stands.

        Several may do it at once: the last one's manifest stays, and holds no less than any other's.
        """
        self.read_manifest()
        for frame in self.task_frames():
            entry = chosen(frame)
            if entry is not None:
                self.frames[str(frame)] = entry
        write_atomically(self.manifest, self.document())

    def clear(self, frames: Sequence[int], ours: str = "") -> None:
        """Let go of what finished frames were made from, and of what tasks that were killed had begun to write.

        The latter only where nobody works, but for the caller, whose claim is ``ours``.
        """
        for frame in frames:
            with contextlib.suppress(OSError):
                self.fluid_path(frame).unlink()
            shutil.rmtree(self.folder / SUMS / f"{frame:06d}", ignore_errors=True)
        if set(self.claims.live()) <= {ours}:
            for folder in (self.folder, *(path for path in self.folder.iterdir() if path.is_dir())):
                for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
                    with contextlib.suppress(OSError):
                        path.unlink()


def _identity(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _made_in(arrays: Mapping[str, np.ndarray]) -> list[MadeDocument]:
    """What the maker said, beside the arrays."""
    try:
        return made_documents(json.loads(str(arrays[MADE])))
    except (KeyError, ValueError, RecursionError):
        return []
