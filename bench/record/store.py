"""Files that are whole or not there: atomic writes, and numbers that two runs never share.

A record is ``<results>/<machine>/NNNN_<commit>_<time>.json``, pytest-benchmark's own storage layout. Numbers only go
up. One is claimed by creating ``.NNNN.claim`` exclusively, and the claim goes when the record is there.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from bench.base.files import TEMPORARY_PREFIX, make_folder, write_atomically

RECORD_NAME = re.compile(r"(\d{4,9})_[A-Za-z0-9._-]{1,150}\.json")
CLAIM_NAME = re.compile(r"\.(\d{4,9})\.claim")
STALE_AGE_S = 24 * 3600.0  # leftovers of killed runs that are older are swept away


def record_paths(folder: Path) -> list[Path]:
    """Records of one machine's folder by number, oldest first."""
    with contextlib.suppress(OSError):
        found = [path for path in folder.iterdir() if RECORD_NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: (record_number(path), path.name))
    return []


def record_number(path: Path) -> int:
    """The number that starts a record's name."""
    return int(path.name.partition("_")[0])


def all_record_paths(results: Path) -> list[Path]:
    """Records of every machine, oldest first within a machine."""
    with contextlib.suppress(OSError):
        folders = sorted(path for path in results.iterdir() if path.is_dir() and not path.name.startswith("."))
        return [path for folder in folders for path in record_paths(folder)]
    return []


class Slot:
    """One number of one machine's folder, claimed for one record."""

    def __init__(self, folder: Path, number: int, tag: str) -> None:
        self.path = folder / f"{number:04d}_{tag}.json"
        self.pictures = folder / self.path.stem  # folder for the pictures of the run
        self._claim = _claim_path(folder, number)

    def write(self, content: bytes) -> None:
        """Write the record, or write it anew with more in it."""
        write_atomically(self.path, content)
        self.release()

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._claim.unlink(missing_ok=True)


def claim(folder: Path, tag: str) -> Slot:
    """Claim the next number, safe against other processes that do the same.

    ``tag`` is the rest of the name: commit and time. Raises UserError when the folder cannot be written to.
    """
    make_folder(folder)
    _sweep(folder)
    while True:
        number = 1 + max([*_claimed(folder), *(record_number(p) for p in record_paths(folder))], default=0)
        try:
            os.close(os.open(_claim_path(folder, number), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            continue
        slot = Slot(folder, number, tag)
        # Another run may have claimed, written and released this number since it was looked up.
        if any(record_number(path) == number for path in record_paths(folder)):
            slot.release()
            continue
        return slot


def _claim_path(folder: Path, number: int) -> Path:
    return folder / f".{number:04d}.claim"


def _claimed(folder: Path) -> Iterator[int]:
    for path in folder.iterdir():
        match = CLAIM_NAME.fullmatch(path.name)
        if match:
            yield int(match[1])


def _sweep(folder: Path) -> None:
    """Remove what killed runs left behind long ago."""
    for path in folder.iterdir():
        if not (CLAIM_NAME.fullmatch(path.name) or (path.name.startswith(TEMPORARY_PREFIX) and path.suffix == ".tmp")):
            continue
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_AGE_S:
                path.unlink()
