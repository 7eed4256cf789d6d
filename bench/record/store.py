"""Where records lie, and how two runs never share a number.

A record is ``<results>/<machine>/NNNN_<commit>_<time>.json``, pytest-benchmark's own storage layout. Numbers only go
up. Who claims one holds the lock of ``.NNNN.lock`` until the record is there; the system takes the locks of a killed
run away. Lock files of numbers come and go only under the folder's own lock, ``.lock``, a file that stays.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.base.errors import UserError
from bench.base.files import TEMPORARY_PREFIX, make_folder, write_atomically
from bench.base.locks import acquire, lock_of

if TYPE_CHECKING:
    from filelock import BaseFileLock

RECORD_NAME = re.compile(r"(\d{4,9})_[A-Za-z0-9._-]{1,150}\.json")
NUMBER_LOCK_NAME = re.compile(r"\.(\d{4,9})\.lock")
FOLDER_LOCK_NAME = ".lock"
FOLDER_LOCK_TIMEOUT_S = 60.0  # it is held for milliseconds
STALE_AGE_S = 24 * 3600.0  # files that killed runs had begun are swept away when they are older


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

    def __init__(self, folder: Path, number: int, tag: str, lock: BaseFileLock) -> None:
        self.path = folder / f"{number:04d}_{tag}.json"
        self.pictures = folder / self.path.stem  # folder for the pictures of the run
        self._lock = lock

    def write(self, content: bytes) -> None:
        """Write the record, or write it anew with more in it."""
        write_atomically(self.path, content)
        self.release()

    def release(self) -> None:
        """Give the number up; a record that was written keeps it."""
        if self._lock.is_locked:
            _remove(self._lock)


def claim(folder: Path, tag: str) -> Slot:
    """Claim the next number, safe against other processes that do the same.

    ``tag`` is the rest of the name: commit and time. Raises UserError when the folder cannot be written to.
    """
    make_folder(folder)
    with _folder_lock(folder):
        _sweep(folder)
        claimed = set(_claimed(folder))  # first: a claim goes when its record is there
        number = 1 + max(claimed | {record_number(path) for path in record_paths(folder)}, default=0)
        lock = lock_of(folder / f".{number:04d}.lock")
        if not acquire(lock):
            raise UserError(f"{lock.lock_file}: another run has this number, which it cannot have taken by itself")
    return Slot(folder, number, tag, lock)


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    lock = lock_of(folder / FOLDER_LOCK_NAME)
    if not acquire(lock, FOLDER_LOCK_TIMEOUT_S):
        raise UserError(f"{folder}: another run keeps this folder locked")
    try:
        yield
    finally:
        lock.release()


def _claimed(folder: Path) -> Iterator[int]:
    """Numbers whose locks are held; a lock file that nobody holds is a killed run's, and goes."""
    for path in sorted(folder.iterdir()):
        match = NUMBER_LOCK_NAME.fullmatch(path.name)
        if match:
            lock = lock_of(path)
            if acquire(lock):
                _remove(lock)
            else:
                yield int(match[1])


def _remove(lock: BaseFileLock) -> None:
    """Remove the file of a lock that this process holds, and let go of it."""
    with contextlib.suppress(OSError):  # an open file cannot be removed on Windows, where letting go removes it
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def _sweep(folder: Path) -> None:
    """Remove what killed runs had begun to write long ago."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_AGE_S:
                path.unlink()
