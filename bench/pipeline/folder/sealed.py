"""Arrays in a file that says what they are of: npz, never pickled, written whole or not at all.

Whoever reads one may find anything: a file that is damaged, or of something else than its name says, is no file.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.base.files import whole_file

ABOUT = "state_of"  # name of the text beside the arrays that says what they are of
DIGEST = "state_sha256"  # and of the digest of the state that they are, or come from
SEAL = "seal_sha256"  # and of the digest of the arrays themselves

Header = Mapping[str, str | int]


def about(header: Header, frame: int, **more: object) -> str:
    """What arrays are of, as the text that their file holds."""
    return json.dumps({**header, "frame": frame, **more}, sort_keys=True)


def write(path: Path, arrays: Mapping[str, np.ndarray], about: str, sha256: str, *, on_disk: bool = True) -> None:
    """Write arrays, what they are of and the digest of their state. Raises OSError; an old file then stays.

    With ``on_disk`` the file outlasts a power cut: for what takes long to make again.
    """
    words = {ABOUT: np.array(about), DIGEST: np.array(sha256)}
    with whole_file(path, on_disk=on_disk) as temporary, open(temporary, "wb") as file:
        np.savez(file, **{**arrays, **words})  # type: ignore[arg-type]


def read(path: Path, about: str) -> tuple[dict[str, np.ndarray], str] | None:
    """(arrays, digest of their state) of a file that says that it is this; None where it is not."""
    try:
        arrays = load_arrays(path)
        said, sha256 = str(arrays.pop(ABOUT)), str(arrays.pop(DIGEST))
    except Exception:  # anybody may have written it, and zip, zlib and npy each have errors of their own
        return None
    return (arrays, sha256) if said == about else None


def seal_of(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape} ".encode())
        digest.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def sealed(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays with their seal: for what no digest of a state covers."""
    return {**arrays, SEAL: np.array(seal_of(arrays))}


def unsealed(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """The arrays, where they still have the bits that were sealed."""
    rest = {name: values for name, values in arrays.items() if name != SEAL}
    return rest if SEAL in arrays and str(arrays[SEAL]) == seal_of(rest) else None


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file; raises whatever zip and numpy raise on a file that is none."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no file")
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
