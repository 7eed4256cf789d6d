"""Frames of one thing in a folder, and which of them are finished.

``OUT/manifest.json`` holds what the frames are of (``header``) and, for each finished frame, the SHA-256 of its
state, its picture and its files, and who made it. Tasks that work side by side leave a frame's entry in
``OUT/entries/`` instead, a file each: nobody has to wait for anybody. A frame counts as finished only when its files
still have those hashes and say of themselves that they are this frame.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from bench.base.errors import UserError
from bench.base.files import SHA256, dump, load_json, whole_file
from bench.pipeline.folder.made import MadeDocument, made_documents

MANIFEST, ENTRIES = "manifest.json", "entries"
MANIFEST_BYTES_MAX, ENTRY_BYTES_MAX = 64 * 2**20, 2**20
ENTRY_NAME = re.compile(r"([0-9]{6,9})\.json")
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
    made: NotRequired[list[MadeDocument]]  # by whom, and how long each piece took


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


class FrameFolder:
    """A folder with frames of one header."""

    def __init__(self, folder: Path, header: Mapping[str, str | int]) -> None:
        self.folder = folder
        self.header = dict(header)
        self.frames: dict[str, FrameEntry] = {}  # what the manifest knows
        self.manifest = folder / MANIFEST
        self.entries = folder / ENTRIES

    def read_manifest(self) -> None:
        """Look which frames the manifest knows, if there is one. Raises UserError where it is of something else."""
        if not self.manifest.exists():
            return
        try:
            found = load_json(self.manifest, MANIFEST_BYTES_MAX)
        except UserError as error:
            raise UserError(f"{error}; {_anew()}") from None
        header = found.get("header") if isinstance(found, dict) else None
        frames = found.get("frames") if isinstance(found, dict) else None
        if not isinstance(header, dict) or not isinstance(frames, dict):
            raise UserError(f"{self.manifest}: expected the manifest of a render, with header and frames; {_anew()}")
        for key, value in self.header.items():
            if header.get(key) != value:
                said = f"{key} {str(header.get(key))[:40]!r}, not {str(value)[:40]!r}"
                raise UserError(
                    f"{self.folder}: it holds frames of another render ({DIFFERENT.get(key, said)}); {OTHER_OUT}"
                )
        for number, entry in frames.items():
            if isinstance(entry, dict) and isinstance(entry.get("files"), dict):
                self.frames[number] = _entry_of(entry)

    def document(self) -> bytes:
        """The manifest's text."""
        frames = sorted(self.frames.items(), key=lambda item: (len(item[0]), item[0]))
        return dump({"header": self.header, "frames": dict(frames)})

    # --- entries -----------------------------------------------------------------------------
    def entry_path(self, frame: int) -> Path:
        return self.entries / f"{frame:06d}.json"

    def task_entry(self, frame: int) -> FrameEntry | None:
        """What a task has left of a frame that it finished; None where there is nothing, or nothing of this header."""
        path = self.entry_path(frame)
        if not path.exists():
            return None
        try:
            found = load_json(path, ENTRY_BYTES_MAX)
        except UserError:
            return None
        ours = isinstance(found, dict) and found.get("header") == self.header and found.get("frame") == frame
        entry = found.get("entry") if ours else None
        return _entry_of(entry) if isinstance(entry, dict) and isinstance(entry.get("files"), dict) else None

    def task_frames(self) -> list[int]:
        """Frames of which a task has left an entry, in order."""
        if not self.entries.is_dir():
            return []
        matches = (ENTRY_NAME.fullmatch(path.name) for path in self.entries.iterdir())
        return sorted({int(match[1]) for match in matches if match})

    def known(self, frame: int) -> list[FrameEntry]:
        """What manifest and tasks say of a frame."""
        return [entry for entry in (self.frames.get(str(frame)), self.task_entry(frame)) if entry is not None]

    def may_be(self, frame: int, state_sha256: str) -> bool:
        """Whether nothing that is known of a frame says that its state has another digest."""
        return all(entry["state_sha256"] == state_sha256 for entry in self.known(frame))

    # --- frames ------------------------------------------------------------------------------
    def finished(self, frame: int, says: Mapping[str, Says]) -> bool:
        """Whether the frame's files of these kinds are all there, unchanged, and say that they are this frame."""
        return self.finished_entry(frame, says) is not None

    def finished_entry(self, frame: int, says: Mapping[str, Says]) -> FrameEntry | None:
        """The entry that says so of a finished frame."""
        return next((entry for entry in self.known(frame) if self._stands(frame, entry, says)), None)

    def _stands(self, frame: int, entry: FrameEntry, says: Mapping[str, Says]) -> bool:
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
        """Names of files that a compositing tool would take for frames of this shot, but no entry knows."""
        form = re.compile(rf"{re.escape(str(self.header['shot']))}\.[0-9]+\.(?:{'|'.join(map(re.escape, suffixes))})")
        entries = [*self.frames.values(), *(e for frame in self.task_frames() if (e := self.task_entry(frame)))]
        known = {name for entry in entries for name in entry["files"]}
        return sorted(
            path.name for path in self.folder.iterdir() if form.fullmatch(path.name) and path.name not in known
        )

    def name(self, frame: int, suffix: str) -> str:
        """``wave.0007.png``: the way that compositing tools number frames."""
        return f"{self.header['shot']}.{frame:04d}.{suffix}"

    def write(
        self,
        frame: int,
        state_sha256: str,
        picture_sha256: str,
        write: Mapping[str, Callable[[Path], None]],
        made: Callable[[], Sequence[MadeDocument]],
    ) -> FrameEntry:
        """Write a frame's files by suffix, each whole or not at all; returns the entry, which is to be kept.

        Files of other kinds that are known of the same picture stay in it. ``made`` is asked once the files are there.
        """
        files: dict[str, str] = {}
        for known in self.known(frame):
            if known["picture_sha256"] == picture_sha256:
                files |= known["files"]
        for suffix, writer in write.items():
            path = self.folder / self.name(frame, suffix)
            with whole_file(path, on_disk=False) as temporary:  # the entry's hash tells when the disk lost it
                writer(temporary)
            files[path.name] = file_sha256(path) or ""
        entry: FrameEntry = {"state_sha256": state_sha256, "picture_sha256": picture_sha256, "files": files}
        pieces = list(made())
        return {**entry, "made": pieces} if pieces else entry


def _anew() -> str:
    return f"delete this file and render again, its frames are then made anew, or {OTHER_OUT}"


def _entry_of(found: Mapping[str, object]) -> FrameEntry:
    """A frame of a manifest that may have been edited: what is no text proves nothing."""
    files = found["files"]
    assert isinstance(files, dict)
    entry: FrameEntry = {
        "state_sha256": str(found.get("state_sha256")),
        "picture_sha256": str(found.get("picture_sha256")),
        "files": {str(name): digest for name, digest in files.items() if isinstance(digest, str)},
    }
    made = made_documents(found.get("made"))
    if made:
        entry["made"] = made
    return entry
