"""A whole shot on disk: frames, the states to go on from, and a manifest that says which frames are finished.

``OUT/manifest.json`` holds what the frames are of (``header``) and, for each finished frame, the SHA-256 of its
state, its picture and its files. A frame counts as finished only when its files still have those hashes. States lie in
``OUT/state/`` as plain arrays (npz, never pickled); the newest two are kept. Everything is written whole or not at
all, so a render can be stopped at any moment and goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypedDict

import numpy as np

from bench.base.errors import UserError
from bench.base.files import SHA256, TEMPORARY_PREFIX, load_json, make_folder, whole_file, write_atomically

MANIFEST_BYTES_MAX = 64 * 2**20
STATES_KEPT = 2
DIGEST = "state_sha256"  # name of the digest beside the arrays of a state


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
        with open(path, "rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


class ShotFolder:
    """One output folder of ``render``."""

    def __init__(self, folder: Path, header: Mapping[str, str | int]) -> None:
        """Open or begin a folder. Raises UserError when it holds frames of something else."""
        self.folder = folder
        self.header = dict(header)
        self.frames: dict[str, FrameEntry] = {}
        make_folder(folder)
        make_folder(folder / "state")
        self._manifest = folder / "manifest.json"
        if self._manifest.exists():
            self._load()
        self._sweep()

    def _load(self) -> None:
        found = load_json(self._manifest, MANIFEST_BYTES_MAX)
        header = found.get("header") if isinstance(found, dict) else None
        frames = found.get("frames") if isinstance(found, dict) else None
        if not isinstance(header, dict) or not isinstance(frames, dict):
            raise UserError(f"{self._manifest}: expected the manifest of a render; choose another --out")
        for key, value in self.header.items():
            if header.get(key) != value:
                raise UserError(
                    f"{self.folder}: it holds frames of another render ({key} {str(header.get(key))[:40]!r},"
                    f" not {str(value)[:40]!r}); choose another --out"
                )
        for number, entry in frames.items():
            if number.isdigit() and isinstance(entry, dict) and isinstance(entry.get("files"), dict):
                self.frames[number] = _entry_of(entry)

    def _sweep(self) -> None:
        """Remove what a killed render had begun to write."""
        for folder in (self.folder, self.folder / "state"):
            for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
                with contextlib.suppress(OSError):
                    path.unlink()

    # --- frames ------------------------------------------------------------------------------
    def finished(self, frame: int, suffixes: Iterable[str]) -> bool:
        """Whether the frame's files of these kinds are all there, unchanged."""
        entry = self.frames.get(str(frame))
        if entry is None:
            return False
        for suffix in suffixes:
            name = self.name(frame, suffix)
            digest = entry["files"].get(name)
            if digest is None or not SHA256.fullmatch(digest) or file_sha256(self.folder / name) != digest:
                return False
        return True

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
        """Keep the state after a frame and its digest; older ones than the newest two go."""
        with whole_file(self.state_path(frame)) as temporary, open(temporary, "wb") as file:
            np.savez(file, **{**state, DIGEST: np.array(sha256)})  # type: ignore[arg-type]
        for number in self.state_frames()[:-STATES_KEPT]:
            with contextlib.suppress(OSError):
                self.state_path(number).unlink()

    def state_frames(self) -> list[int]:
        """Frames after which a state is kept, in order."""
        names = (path.stem for path in (self.folder / "state").glob("*.npz"))
        return sorted(int(name) for name in names if name.isdigit())

    def load_states(self, before: int) -> Iterator[tuple[int, dict[str, np.ndarray], str]]:
        """(frame, state, its digest), newest first, of frames below ``before``; a damaged file is passed over."""
        for frame in reversed([number for number in self.state_frames() if number < before]):
            try:
                with open(self.state_path(frame), "rb") as file, np.load(file, allow_pickle=False) as arrays:
                    state = {name: arrays[name] for name in arrays.files}
                sha256 = str(state.pop(DIGEST))
            except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
                continue
            yield frame, state, sha256


def _entry_of(found: Mapping[str, object]) -> FrameEntry:
    """A frame of a manifest that may have been edited: what is no text proves nothing."""
    files = found["files"]
    assert isinstance(files, dict)
    return {
        "state_sha256": str(found.get("state_sha256")),
        "picture_sha256": str(found.get("picture_sha256")),
        "files": {str(name): digest for name, digest in files.items() if isinstance(digest, str)},
    }
