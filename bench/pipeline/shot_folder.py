"""A whole shot on disk: frames, the states to go on from, and a manifest that says which frames are finished.

``OUT/manifest.json`` holds what the frames are of (``header``) and, for each finished frame, the SHA-256 of its
state, its picture and its files. A frame counts as finished only when its files still have those hashes and say of
themselves that they are this frame. States lie in ``OUT/state/`` as plain arrays (npz, never pickled); the newest two
are kept. A state says what it is of, too: whatever name it has, it is taken for nothing else. Everything is written
whole or not at all, so a render can be stopped at any moment and goes on where it was. One render at a time has the
folder: it holds the lock of ``OUT/.lock``, which the system takes away from a render that was killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

import numpy as np

from bench.base.errors import UserError
from bench.base.files import SHA256, TEMPORARY_PREFIX, load_json, make_folder, whole_file, write_atomically
from bench.base.locks import acquire, lock_of

MANIFEST_BYTES_MAX = 64 * 2**20
STATES_KEPT = 2
LOCK_NAME = ".lock"
STATE_NAME = re.compile(r"([0-9]{1,9})\.npz")
DIGEST = "state_sha256"  # name of the digest beside the arrays of a state
ABOUT = "state_of"  # and of the text that says which frame of what it is
OTHER_OUT = "choose another --out"
# What a header's keys mean where two renders differ in them
DIFFERENT = {
    "definition": "the shot's file said something else",
    "version": "another version of Shotmark made them",
    "kernels": "other kernels made them",
}

Says = Callable[[Path], Mapping[str, object]]  # what a picture file says of its picture; empty where it says nothing


class FrameEntry(TypedDict):
    """A finished frame in the manifest."""

    state_sha256: str
    picture_sha256: str
    files: dict[str, str]  # name -> SHA-256


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


def file_sha256(path: Path) -> str | None:
    """SHA-256 of a file, None where there is none."""
    digest = hashlib.sha256()
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for its writer
            return None
        with open(path, "rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


class ShotFolder:
    """One output folder of ``render``; nobody else has it until it is closed."""

    def __init__(self, folder: Path, header: Mapping[str, str | int]) -> None:
        """Open or begin a folder. Raises UserError when it holds frames of something else, or another render has it."""
        self.folder = folder
        self.header = dict(header)
        self.frames: dict[str, FrameEntry] = {}
        self._manifest = folder / "manifest.json"
        make_folder(folder)
        self._lock = lock_of(folder / LOCK_NAME)
        if not acquire(self._lock):
            raise UserError(f"{folder}: another render works in this folder; wait until it has ended, or {OTHER_OUT}")
        try:
            make_folder(folder / "state")
            if self._manifest.exists():
                self._load()
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

    def _load(self) -> None:
        try:
            found = load_json(self._manifest, MANIFEST_BYTES_MAX)
        except UserError as error:
            raise UserError(f"{error}; {_anew()}") from None
        header = found.get("header") if isinstance(found, dict) else None
        frames = found.get("frames") if isinstance(found, dict) else None
        if not isinstance(header, dict) or not isinstance(frames, dict):
            raise UserError(f"{self._manifest}: expected the manifest of a render, with header and frames; {_anew()}")
        for key, value in self.header.items():
            if header.get(key) != value:
                said = f"{key} {str(header.get(key))[:40]!r}, not {str(value)[:40]!r}"
                raise UserError(
                    f"{self.folder}: it holds frames of another render ({DIFFERENT.get(key, said)}); {OTHER_OUT}"
                )
        for number, entry in frames.items():
            if isinstance(entry, dict) and isinstance(entry.get("files"), dict):
                self.frames[number] = _entry_of(entry)

    def _sweep(self) -> None:
        """Remove what a killed render had begun to write."""
        for folder in (self.folder, self.folder / "state"):
            for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
                with contextlib.suppress(OSError):
                    path.unlink()

    # --- frames ------------------------------------------------------------------------------
    def finished(self, frame: int, says: Mapping[str, Says]) -> bool:
        """Whether the frame's files of these kinds are all there, unchanged, and say that they are this frame."""
        entry = self.frames.get(str(frame))
        if entry is None:
            return False
        about = {**self.header, "frame": frame, "sha256": entry["picture_sha256"]}
        for suffix, read in says.items():
            name = self.name(frame, suffix)
            digest = entry["files"].get(name)
            if digest is None or not SHA256.fullmatch(digest) or file_sha256(self.folder / name) != digest:
                return False
            said = read(self.folder / name)
            if any(str(said.get(key)) != str(about[key]) for key in ("shot", "size", "samples", "frame", "sha256")):
                return False
        return True

    def strangers(self, suffixes: Collection[str]) -> list[str]:
        """Files that have the names of this shot's frames, and that no finished frame stands for."""
        known = {name for entry in self.frames.values() for name in entry["files"]}
        form = re.compile(rf"{re.escape(str(self.header['shot']))}\.[0-9]{{4,}}\.(?:{'|'.join(suffixes)})")
        return sorted(
            path.name for path in self.folder.iterdir() if form.fullmatch(path.name) and path.name not in known
        )

    def name(self, frame: int, suffix: str) -> str:
        """``wave.0007.png``: the way that compositing tools number frames."""
        return f"{self.header['shot']}.{frame:04d}.{suffix}"

    def add(
        self, frame: int, state_sha256: str, picture_sha256: str, write: Mapping[str, Callable[[Path], None]]
    ) -> None:
        """Write a frame's files by suffix, each whole or not at all, then note the frame as finished."""
        known = self.frames.get(str(frame))
        files = dict(known["files"]) if known is not None and known["picture_sha256"] == picture_sha256 else {}
        for suffix, writer in write.items():
            path = self.folder / self.name(frame, suffix)
            with whole_file(path, on_disk=False) as temporary:  # the manifest's hash tells when the disk lost it
                writer(temporary)
            files[path.name] = file_sha256(path) or ""
        self.frames[str(frame)] = {"state_sha256": state_sha256, "picture_sha256": picture_sha256, "files": files}
        document = {"header": self.header, "frames": self.frames}
        write_atomically(self._manifest, json.dumps(document, indent=1).encode() + b"\n")

    # --- states ------------------------------------------------------------------------------
    def state_path(self, frame: int) -> Path:
        return self.folder / "state" / f"{frame:06d}.npz"

    def save_state(self, frame: int, state: Mapping[str, np.ndarray], sha256: str) -> None:
        """Keep the state after a frame, its digest and what it is of; older ones than the newest two go."""
        about = {ABOUT: np.array(self._about(frame)), DIGEST: np.array(sha256)}
        with whole_file(self.state_path(frame)) as temporary, open(temporary, "wb") as file:
            np.savez(file, **{**state, **about})  # type: ignore[arg-type]
        for number in self.state_frames()[:-STATES_KEPT]:
            with contextlib.suppress(OSError):
                self.state_path(number).unlink()

    def _about(self, frame: int) -> str:
        """What a state is of, as the text that its file holds."""
        return json.dumps({**self.header, "frame": frame}, sort_keys=True)

    def state_frames(self) -> list[int]:
        """Frames after which a state is kept, in order."""
        matches = (STATE_NAME.fullmatch(path.name) for path in (self.folder / "state").iterdir())
        return sorted({int(match[1]) for match in matches if match})

    def load_states(self, before: int) -> Iterator[tuple[int, dict[str, np.ndarray], str]]:
        """(frame, state, its digest), newest first, of frames below ``before``.

        A file that is damaged, or of something else than its name says, is passed over.
        """
        for frame in reversed([number for number in self.state_frames() if number < before]):
            try:
                state = _arrays(self.state_path(frame))
                about, sha256 = str(state.pop(ABOUT)), str(state.pop(DIGEST))
            except Exception:  # anybody may have written it, and zip, zlib and npy each have errors of their own
                continue
            entry = self.frames.get(str(frame))
            if about == self._about(frame) and (entry is None or entry["state_sha256"] == sha256):
                yield frame, state, sha256
            del state  # before the next is read: each is gigabytes


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file; raises whatever zip and numpy raise on a file that is none."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no file")
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _anew() -> str:
    return f"delete this file and render again, its frames are then made anew, or {OTHER_OUT}"


def _entry_of(found: Mapping[str, object]) -> FrameEntry:
    """A frame of a manifest that may have been edited: what is no text proves nothing."""
    files = found["files"]
    assert isinstance(files, dict)
    return {
        "state_sha256": str(found.get("state_sha256")),
        "picture_sha256": str(found.get("picture_sha256")),
        "files": {str(name): digest for name, digest in files.items() if isinstance(digest, str)},
    }
