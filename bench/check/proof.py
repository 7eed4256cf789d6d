"""The golden frames made again on this machine, and held against the committed hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.backend.protocol import Backend
from bench.base.errors import CheckFailed, UserError
from bench.check.golden import GOLDEN_SIZE, Golden, GoldenSize, digest_of, golden_frames, is_shipped
from bench.pipeline.frame import FRAME_DEFAULT, make_frame, proved_digest
from bench.shot.load import Shot, shot_names

FIRST = 1


@dataclass(frozen=True)
class Proof:
    """One golden frame of one shot."""

    shot: str
    frame: int  # 0 where there is no golden one
    backend: str
    state_sha256: str | None  # as found; None where the frame could not be made
    picture_sha256: str | None
    passed: bool
    why: str | None  # why it failed


def prove(shot: Shot, backend: Backend, golden: Golden, size: str = GOLDEN_SIZE) -> list[Proof]:
    """Every golden frame of a shot at a size, found against expected. Raises UserError for one that does not ship."""
    require_shipped(shot)
    numbers = golden_frames(golden, shot.name, size)
    if not numbers:
        nothing = f"golden.json has no hashes of it at size {size}"
        return [Proof(shot.name, 0, backend.name, None, None, False, nothing)]
    try:
        found = hashes_of(shot, backend, numbers, size)
    except CheckFailed as error:
        return [Proof(shot.name, numbers[-1], backend.name, None, None, False, str(error))]
    proofs = []
    for number in numbers:
        expected = golden[shot.name][size]["frames"][str(number)]
        wrong = [what for what, sha256 in found[number].items() if expected[what] != sha256]
        why = f"not the golden {' and '.join(wrong)}" if wrong else None
        state, picture = found[number]["state"], found[number]["picture"]
        proofs.append(Proof(shot.name, number, backend.name, state, picture, not wrong, why))
    return proofs


def renewed(golden: Golden, shot: Shot, backend: Backend, size: str = GOLDEN_SIZE) -> Golden:
    """Golden hashes with this shot's frames of a size as they come out now.

    Those of a larger size are kept with the digest of the ones at S that came out of the same kernels (``made_with``).
    Raises UserError for a shot that does not ship.
    """
    require_shipped(shot)
    numbers = sorted({FIRST, FRAME_DEFAULT, *golden_frames(golden, shot.name, size)})
    frames = {str(number): hashes for number, hashes in hashes_of(shot, backend, numbers, size).items()}
    entry: GoldenSize = {"frames": frames}
    if size != GOLDEN_SIZE:
        entry["made_with"] = digest_of(golden, shot.name)
    return {**golden, shot.name: {**golden.get(shot.name, {}), size: entry}}


def hashes_of(shot: Shot, backend: Backend, numbers: Sequence[int], size: str) -> dict[int, dict[str, str]]:
    """SHA-256 of state and picture of the numbered frames at a size."""
    from bench.pipeline.makers import MAKERS

    scene = MAKERS.build_scene(shot, size, threads=backend.threads)
    simulation, renderer = MAKERS.simulation(scene, backend), MAKERS.renderer(scene, backend)
    found = {}
    for number in range(FIRST, max(numbers) + 1):
        if number in numbers:
            made = make_frame(simulation, renderer, number)
            found[number] = {"state": simulation.state_digest(), "picture": proved_digest(made.picture, number)}
            del made  # its bricks: the next frame may need more of them
        else:
            simulation.advance_frame()
    return found


def require_shipped(shot: Shot) -> None:
    """Raise UserError for a shot that has no golden hashes because it does not ship."""
    if not is_shipped(shot):
        known = ", ".join(shot_names())
        raise UserError(f"{shot.path}: expected a shot that ships ({known}): others have no golden hashes")
