"""The golden hashes: what the state and the frame of every shipped shot have to be, to the last bit, on every machine.

``golden.json`` holds ``{shot: {size: {"frames": {number: {"state": sha256, "picture": sha256}}}}}``. It is written by
``shotmark verify --update-golden`` and read by every run. A shot that is not shipped has no golden hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from bench.base.errors import UserError
from bench.base.files import SHA256, load_json, write_atomically
from bench.shot.load import Shot, load_shot, shot_names

GOLDEN = Path(__file__).with_name("golden.json")
GOLDEN_BYTES_MAX = 2**20

Golden = dict[str, dict[str, dict[str, dict[str, dict[str, str]]]]]


def load_golden(path: Path = GOLDEN) -> Golden:
    """Read and check the golden hashes; empty when there is no file. Raises UserError on a malformed one."""
    if not path.exists():
        return {}
    found = load_json(path, GOLDEN_BYTES_MAX)
    try:
        for sizes in found.values():
            for entry in sizes.values():
                for number, hashes in entry["frames"].items():
                    if not number.isdigit() or set(hashes) != {"state", "picture"}:
                        raise ValueError
                    if not all(isinstance(h, str) and SHA256.fullmatch(h) for h in hashes.values()):
                        raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{path}: expected shot, size, frames, number, and a SHA-256 for state and picture") from None
    return found  # type: ignore[no-any-return]


def expected(golden: Golden, shot: str, size: str, frame: int) -> dict[str, str] | None:
    """The golden hashes of one frame, or None where there are none."""
    return golden.get(shot, {}).get(size, {}).get("frames", {}).get(str(frame))


def golden_frames(golden: Golden, shot: str, size: str) -> list[int]:
    """Frames that have golden hashes, in order."""
    return sorted(int(number) for number in golden.get(shot, {}).get(size, {}).get("frames", {}))


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
