"""The golden hashes: what the state and the frame of every shipped shot have to be, to the last bit, on every machine.

``golden.json`` holds ``{shot: {size: {"frames": {number: {"state": sha256, "picture": sha256}}}}}``. It is written by
``shotmark verify --update-golden`` and read by every run. A shot that is not shipped has no golden hashes. Sizes
above S take minutes to make; ``made_with`` of theirs is the digest of the hashes at S that the same kernels gave, so
that a test sees where they were not renewed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NotRequired, TypedDict

from bench.base.errors import UserError
from bench.base.files import SHA256, load_json, write_atomically
from bench.shot.load import Shot, load_shot, shot_names

GOLDEN = Path(__file__).with_name("golden.json")
GOLDEN_BYTES_MAX = 2**20

GOLDEN_SIZE = "S"  # which every test run and every ``verify`` makes anew


class GoldenSize(TypedDict):
    """Of one shot at one size."""

    frames: dict[str, dict[str, str]]  # by number: SHA-256 of state and of picture
    made_with: NotRequired[str]  # above S: ``digest_of`` the shot when they were made


Golden = dict[str, dict[str, GoldenSize]]  # by shot and size


def load_golden(path: Path = GOLDEN) -> Golden:
    """Read and check the golden hashes; empty when there is no file. Raises UserError on a malformed one."""
    if not path.exists():
        return {}
    found = load_json(path, GOLDEN_BYTES_MAX)
    try:
        for sizes in found.values():
            for size, entry in sizes.items():
                if not SHA256.fullmatch(entry.get("made_with", "" if size != GOLDEN_SIZE else "0" * 64)):
                    raise ValueError
                for number, hashes in entry["frames"].items():
                    if not number.isdigit() or set(hashes) != {"state", "picture"}:
                        raise ValueError
                    if not all(isinstance(h, str) and SHA256.fullmatch(h) for h in hashes.values()):
                        raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}: expected shot, size, frames, number, and a SHA-256 for state and picture, and made_with above S"
        ) from None
    return found  # type: ignore[no-any-return]


def expected(golden: Golden, shot: str, size: str, frame: int) -> dict[str, str] | None:
    """The golden hashes of one frame, or None where there are none."""
    return _frames(golden, shot, size).get(str(frame))


def golden_frames(golden: Golden, shot: str, size: str) -> list[int]:
    """Frames that have golden hashes, in order."""
    return sorted(int(number) for number in _frames(golden, shot, size))


def digest_of(golden: Golden, shot: str) -> str:
    """SHA-256 of a shot's hashes at S: any change of what is computed changes it."""
    text = json.dumps(_frames(golden, shot, GOLDEN_SIZE), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _frames(golden: Golden, shot: str, size: str) -> dict[str, dict[str, str]]:
    found = golden.get(shot, {}).get(size)
    return found["frames"] if found is not None else {}


def write_golden(golden: Golden, path: Path = GOLDEN) -> None:
    """Replace the golden file."""
    ordered: Golden = {shot: golden[shot] for shot in sorted(golden)}
    write_atomically(path, json.dumps(ordered, indent=1, sort_keys=True).encode() + b"\n")


def golden_of(shot: Shot, size: str, samples: int | None = None) -> Callable[[int], dict[str, str] | None]:
    """The golden hashes by frame of a shot that ships, at the size's samples per pixel; of any other None."""
    as_shipped = is_shipped(shot) and samples in (None, shot.size(size).samples)
    golden = load_golden() if as_shipped else {}
    return lambda frame: expected(golden, shot.name, size, frame)


def is_shipped(shot: Shot) -> bool:
    """Whether a loaded shot says the same as the shipped one of its name."""
    return shot.name in shot_names() and load_shot(shot.name).file == shot.file


def definition_sha256(shot: Shot) -> str:
    """SHA-256 of everything a shot's file says: two runs under one name are comparable only where it is equal.

    Of canonical JSON under the file's own keys, absent ones with their defaults: no class or module has a say in it.
    """
    text = json.dumps(shot.definition(), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
